import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

interface ShellOptions {
  /** Told each line that it writes. */
  readonly onLine: (line: string) => void;
  /** What it finds in its environment, beside ours. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ends it, and all that it has started. */
  readonly signal: AbortSignal;
}

/** Runs a command in the shell. Resolves with `exit code 0`, or whatever its end was. */
export async function runInShell(command: string, { onLine, env, signal }: ShellOptions): Promise<string> {
  const child = spawn(command, {
    shell: true,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a process group that can be ended as a whole; Ctrl+C is for us to pass on
  });
  for (const stream of [child.stdout, child.stderr]) createInterface(stream).on('line', onLine);
  const end = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
    } catch {
      // It has ended by itself.
    }
  };
  if (signal.aborted) end();
  signal.addEventListener('abort', end, { once: true });
  try {
    const [code, killer] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    return killer ?? `exit code ${code}`;
  } finally {
    signal.removeEventListener('abort', end);
  }
}
