import { setTimeout as delay } from 'node:timers/promises';

/** What a service says of itself, heard turn by turn until it is stopped. */
export abstract class Feed {
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  /** One turn; resolves with how long to wait until the next, in milliseconds. Ends early when `signal` is aborted. */
  protected abstract turn(signal: AbortSignal): Promise<number>;

  start(): void {
    this.#running ??= this.#run(this.#stop.signal);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const waitMs = await this.turn(signal);
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
