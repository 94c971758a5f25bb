import type { Chunk } from '../shared/chunk.js';
import { withDeadline } from '../shared/deadline.js';
import { SECOND } from '../shared/duration.js';
import type { Logger } from '../shared/log.js';

/** A store in which a chunk is safe: the queue now, the ledger beside it. */
export interface AcceptanceStore {
  readonly name: string;
  /** Resolves when the chunk is on disk there as the store promises it, rejects when it is not or nobody knows. */
  accept(chunk: Chunk): Promise<void>;
  /** Takes back a chunk that was refused although it may have arrived. Never rejects. */
  revoke(chunk: Chunk): void;
  /** Resolves when the store answers. */
  ping(): Promise<void>;
}

export interface AcceptanceOptions {
  readonly stores: readonly AcceptanceStore[];
  readonly log: Logger;
  /** How long a store may take, in milliseconds. */
  readonly deadlineMs?: number;
  /** How long a store that failed is left alone, in milliseconds. */
  readonly restMs?: number;
  readonly now?: () => number;
}

/**
 * The rule of acceptance: a chunk goes to all stores at the same time, and is accepted when each has it, or one has it
 * and the others failed or missed their deadline. A store that failed rests for a second, so that a dead one costs no
 * latency.
 */
export class Acceptance {
  readonly #stores: readonly AcceptanceStore[];
  readonly #log: Logger;
  readonly #deadlineMs: number;
  readonly #restMs: number;
  readonly #now: () => number;
  readonly #restsUntil = new Map<AcceptanceStore, number>();

  constructor({ stores, log, deadlineMs = SECOND / 2, restMs = SECOND, now = Date.now }: AcceptanceOptions) {
    this.#stores = stores;
    this.#log = log;
    this.#deadlineMs = deadlineMs;
    this.#restMs = restMs;
    this.#now = now;
  }

  /** False while every store rests: then a chunk is refused without being sent, and needs no number of its own. */
  get open(): boolean {
    return this.#stores.some((store) => !this.#rests(store));
  }

  /** True when at least one store has the chunk; false when none does, and what may have arrived is taken back. */
  async accept(chunk: Chunk): Promise<boolean> {
    const asked = this.#stores.filter((store) => !this.#rests(store));
    const outcomes = await Promise.all(asked.map((store) => this.#ask(store, chunk)));
    const accepted = outcomes.includes(true);
    if (!accepted) for (const store of asked) store.revoke(chunk);
    return accepted;
  }

  /** True when at least one store answers a ping within the deadline. */
  async answers(): Promise<boolean> {
    const pings = this.#stores.map((store) => withDeadline(store.ping(), this.#deadlineMs, store.name));
    return Promise.any(pings).then(
      () => true,
      () => false,
    );
  }

  async #ask(store: AcceptanceStore, chunk: Chunk): Promise<boolean> {
    try {
      await withDeadline(store.accept(chunk), this.#deadlineMs, `the ${store.name}`);
      return true;
    } catch (error) {
      this.#restsUntil.set(store, this.#now() + this.#restMs);
      this.#log.warn({ err: error, store: store.name, chunk: chunk.id }, 'a store did not accept the chunk');
      return false;
    }
  }

  #rests(store: AcceptanceStore): boolean {
    return this.#now() < (this.#restsUntil.get(store) ?? 0);
  }
}
