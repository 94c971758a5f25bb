import type { Chunk } from '../shared/chunk.js';
import { withDeadline } from '../shared/deadline.js';
import { SECOND } from '../shared/duration.js';
import type { Logger } from '../shared/log.js';
import type { StoreHealth } from '../shared/process-metrics.js';
import { Rest, type Restable } from '../shared/rest.js';
import { UNTRACED, type ApiTracing } from './tracing.js';

/** A store in which a chunk is safe: the queue, or the ledger. */
export interface AcceptanceStore extends Restable {
  /**
   * Resolves when the chunk is on disk there as the store promises it, rejects when it is not or nobody knows.
   * `alone`: no other store is asked.
   */
  accept(chunk: Chunk, alone: boolean): Promise<void>;
  /** Told that no other store has the chunk that this one accepted, although another was asked. Never rejects. */
  leftAlone(chunk: Chunk): void;
  /**
   * Told that a chunk was refused, for its number is used up all the same. Takes it back where it was `asked` to accept
   * it, for it may have arrived. Never rejects.
   */
  revoke(chunk: Chunk, asked: boolean): void;
}

export interface AcceptanceOptions {
  readonly stores: readonly AcceptanceStore[];
  readonly log: Logger;
  /** How long a store may take, in milliseconds. */
  readonly deadlineMs?: number;
  /** How long a store that failed is left alone before it is asked whether it is back, in milliseconds. */
  readonly restMs?: number;
  readonly tracing?: Pick<ApiTracing, 'ask'>;
}

/**
 * The rule of acceptance: a chunk goes to all stores at the same time, and is accepted when each has it, or one has it
 * and the others failed or missed their deadline. A store that failed gets no chunk until it answers again, which it is
 * asked once a second: a dead one costs no latency, and a stalled one costs it once.
 */
export class Acceptance implements Disposable {
  readonly #stores: readonly AcceptanceStore[];
  readonly #log: Logger;
  readonly #deadlineMs: number;
  readonly #rests: ReadonlyMap<AcceptanceStore, Rest>;
  readonly #tracing: Pick<ApiTracing, 'ask'>;

  constructor({ stores, log, deadlineMs = SECOND / 2, restMs, tracing = UNTRACED }: AcceptanceOptions) {
    this.#stores = stores;
    this.#log = log;
    this.#deadlineMs = deadlineMs;
    this.#tracing = tracing;
    this.#rests = new Map(stores.map((store) => [store, new Rest(store, { log, restMs, deadlineMs })]));
  }

  /** False while every store rests: then a chunk is refused without being sent, and needs no number of its own. */
  get open(): boolean {
    return this.#awake().length > 0;
  }

  /** Each store; away while it rests. */
  get health(): readonly StoreHealth[] {
    return this.#stores.map((store) => ({
      store: store.name,
      away: this.#rests.get(store)?.resting ?? false,
    }));
  }

  /** True when at least one store has the chunk; false when none does, and what may have arrived is taken back. */
  async accept(chunk: Chunk): Promise<boolean> {
    const asked = this.#awake();
    const outcomes = await Promise.all(asked.map((store) => this.#ask(store, chunk, asked.length === 1)));
    const have = asked.filter((_, index) => outcomes[index]);
    if (have.length === 0) for (const store of this.#stores) store.revoke(chunk, asked.includes(store));
    if (have.length === 1 && asked.length > 1) have[0]?.leftAlone(chunk);
    return have.length > 0;
  }

  /** True as soon as one store answers a ping within the deadline. */
  async answers(): Promise<boolean> {
    return Promise.any(this.#ping()).then(
      () => true,
      () => false,
    );
  }

  /**
   * Resolves when every store has answered a ping or missed the deadline, with whether any has: the first chunks are to
   * find them all connected.
   */
  async meet(): Promise<boolean> {
    const pings = await Promise.allSettled(this.#ping());
    return pings.some(({ status }) => status === 'fulfilled');
  }

  #ping(): Promise<void>[] {
    return this.#stores.map((store) => withDeadline(store.ping(), this.#deadlineMs, store.name));
  }

  #awake(): readonly AcceptanceStore[] {
    return this.#stores.filter((store) => !this.#rests.get(store)?.resting);
  }

  async #ask(store: AcceptanceStore, chunk: Chunk, alone: boolean): Promise<boolean> {
    try {
      await this.#tracing.ask(store.name, chunk, () =>
        withDeadline(store.accept(chunk, alone), this.#deadlineMs, `the ${store.name}`),
      );
      return true;
    } catch (error) {
      this.#log.warn({ err: error, store: store.name, chunk: chunk.id }, 'a store did not accept the chunk');
      this.#rests.get(store)?.begin();
      return false;
    }
  }

  /** Asks resting stores no more. */
  [Symbol.dispose](): void {
    for (const rest of this.#rests.values()) rest[Symbol.dispose]();
  }
}
