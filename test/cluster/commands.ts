import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

export interface Ending {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const MOST_OUTPUT = 512 * 1024 * 1024;

/** Runs a program to its end, whatever its exit code. */
export function attempt(program: string, args: readonly string[], input?: string): Promise<Ending> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { maxBuffer: MOST_OUTPUT }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1) || 1, stdout, stderr }),
    );
    child.stdin?.end(input);
  });
}

/** Runs a program. Resolves with its standard output. @throws what it said, when its exit code is not 0. */
export async function run(program: string, args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await attempt(program, args, input);
  if (code !== 0)
    throw new Error(
      `exit code ${code}: ${program} ${args.join(' ').slice(0, 300)}\n${stderr}${stdout.slice(-2_000)}`,
    );
  return stdout;
}

/**
 * Asks again and again until there is something.
 *
 * @throws with the last error, when there is nothing in time.
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined>,
  { withinMs = 180_000, everyMs = 500 } = {},
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (let last = ''; ; await delay(everyMs)) {
    try {
      const found = await ask();
      if (found !== undefined) return found;
    } catch (error) {
      last = (error as Error).message;
    }
    if (Date.now() > deadline) throw new Error(`${what}: not within ${withinMs / 1_000} s. ${last}`);
  }
}

const started = Date.now();

/** One line of progress, with the seconds since the beginning. */
export function say(line: string): void {
  const seconds = Math.round((Date.now() - started) / 1_000);
  process.stdout.write(`${String(seconds).padStart(5)} s  ${line}\n`);
}
