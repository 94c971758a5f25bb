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
