import { spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { run, until } from './commands.js';

/** The commands that NOTES.txt gives, as they stand: what is indented. */
export function commandsIn(notes: string): readonly string[] {
  return notes.split('\n').flatMap((line) => /^ {2}(\S.*)$/.exec(line)?.[1] ?? []);
}

/** Types commands into a shell, one after the other; those that end with `&` go on in the background. */
export class Shell implements Disposable {
  readonly #background: ChildProcess[] = [];

  /** Resolves with what the command printed; one in the background with its first line. @throws when it fails. */
  async type(command: string): Promise<string> {
    if (!command.endsWith('&')) return run('bash', ['-c', command]);
    const [, port] = / (\d+):/.exec(command) ?? [];
    if (port !== undefined) await until(`port ${port} free`, () => isFree(Number(port)));
    const child = spawn('bash', ['-c', `exec ${command.slice(0, -1)}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#background.push(child);
    return new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).once('line', resolve);
      child.once('exit', (code) => reject(new Error(`exit code ${code}: ${command}`)));
    });
  }

  [Symbol.dispose](): void {
    for (const child of this.#background) child.kill();
  }
}

/** A forwarded port is one of this machine, where others may listen too. */
function isFree(port: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, 'localhost', () => server.close(() => resolve(true)));
  });
}
