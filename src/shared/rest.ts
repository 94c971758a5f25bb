import { setTimeout as delay } from 'node:timers/promises';
import { withDeadline } from './deadline.js';
import { SECOND } from './duration.js';
import type { Logger } from './log.js';

/** A store that may fail and come back. */
export interface Restable {
  readonly name: string;
  /** Resolves when the store answers. */
  ping(): Promise<void>;
  /** Gives up connections on which nothing is heard; the next call gets a new one. */
  reset(): void;
}

export interface RestOptions {
  readonly log: Logger;
  /** How long a store that failed is left alone before it is asked whether it is back, in milliseconds. */
  readonly restMs?: number | undefined;
  /** How long it may take to answer that, in milliseconds. */
  readonly deadlineMs?: number | undefined;
}

/** Leaves a store that failed alone until it answers again, which it is asked once a second. */
export class Rest implements Disposable {
  readonly #store: Restable;
  readonly #options: RestOptions;
  #resting = false;
  #closed = false;

  constructor(store: Restable, options: RestOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** True from the failure until the store answers again. */
  get resting(): boolean {
    return this.#resting;
  }

  /** The store failed. */
  begin(): void {
    if (!this.#resting) void this.#untilBack();
  }

  async #untilBack(): Promise<void> {
    this.#resting = true;
    do {
      await delay(this.#options.restMs ?? SECOND, undefined, { ref: false });
    } while (!this.#closed && !(await this.#back()));
    this.#resting = false;
  }

  async #back(): Promise<boolean> {
    const { deadlineMs = SECOND / 2, log } = this.#options;
    try {
      await withDeadline(this.#store.ping(), deadlineMs, `the ${this.#store.name}`);
      log.info({ store: this.#store.name }, 'a store answers again');
      return true;
    } catch {
      if (!this.#closed) this.#store.reset();
      return false;
    }
  }

  /** Asks no more. */
  [Symbol.dispose](): void {
    this.#closed = true;
  }
}
