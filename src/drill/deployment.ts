import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { TallyProcess, type Ending } from './tally-process.js';

type Settings = Readonly<Record<string, string>>;

/** One API and one worker that run together, started and ended as a deploy does. */
export class Deployment implements AsyncDisposable {
  private constructor(
    readonly api: TallyProcess,
    readonly worker: TallyProcess,
  ) {}

  static async start(env: Settings): Promise<Deployment> {
    const [api, worker] = await Promise.all([
      TallyProcess.start({ kind: 'api', env }),
      TallyProcess.start({ kind: 'worker', env }),
    ]);
    return new Deployment(api, worker);
  }

  /** SIGTERM to both at the same time. */
  stop(): Promise<readonly Ending[]> {
    return Promise.all([this.api.stop(), this.worker.stop()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.api[Symbol.asyncDispose](), this.worker[Symbol.asyncDispose]()]);
  }
}

/**
 * Runs a command of `tally` as a user would. Resolves with its words.
 *
 * @throws {Error} when its exit code is not 0.
 */
export async function runTally(args: readonly string[], env: Settings): Promise<string> {
  const main = fileURLToPath(new URL('../cli/main.js', import.meta.url));
  const child = spawn(process.execPath, [main, ...args], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let words = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => (words += data.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`tally ${args.join(' ')} ended with ${code}: ${words}`);
  return words;
}
