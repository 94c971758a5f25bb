import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Environment } from './store.js';

/**
 * Reads what is to be ended ("SIGNAL PID", or nothing) until the pipe from us is closed, which the system does however
 * we end, `kill -9` included. Then ends it, by force after five seconds; runs the farewell; removes the folder, twice
 * if a dying server still wrote into it.
 */
const MINDER = `
folder=$1; shift
while read -r line; do last=$line; done
set -- $last -- "$@"
if [ "$1" != -- ]; then
  if kill -s "$1" "$2"; then
    for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$2" && sleep 0.5 || break; done
    kill -s KILL "$2"
  fi
  shift 2
fi
shift
[ $# = 0 ] || "$@"
rm -rf -- "$folder" || { sleep 1; rm -rf -- "$folder"; }
`;

/** A folder that does not outlive us, nor does the server that works in it. */
export class TemporaryFolder implements AsyncDisposable {
  readonly path: string;
  readonly #minder: ChildProcess;

  private constructor(path: string, minder: ChildProcess) {
    this.path = path;
    this.#minder = minder;
  }

  /** @param farewell a command to run before the folder is removed; `{}` in it stands for the folder. */
  static async create(name: string, environment: Environment, farewell: readonly string[] = []) {
    const path = await realpath(await mkdtemp(join(environment['TMPDIR'] || tmpdir(), `tally-${name}-`)));
    const args = ['-c', MINDER, 'tally-minder', path, ...farewell.map((word) => word.replace('{}', path))];
    const minder = spawn('/bin/sh', args, {
      cwd: '/',
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { ...environment, PATH: `${environment['PATH'] ?? ''}:/usr/bin:/bin` },
    });
    minder.stdin.on('error', () => undefined);
    await once(minder, 'spawn');
    minder.unref();
    return new TemporaryFolder(path, minder);
  }

  /** Names the process that must not outlive us, and the signal that ends it; `undefined` when it has ended. */
  mind(server: { readonly pid: number; readonly signal: NodeJS.Signals } | undefined): void {
    const order = server === undefined ? '' : `${server.signal.slice('SIG'.length)} ${server.pid}`;
    if (this.#minder.stdin?.writable) this.#minder.stdin.write(`${order}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#minder.exitCode === null && this.#minder.signalCode === null) {
      this.#minder.ref();
      const ended = once(this.#minder, 'exit');
      this.#minder.stdin?.end();
      await ended;
    }
    await rm(this.path, { recursive: true, force: true });
  }
}
