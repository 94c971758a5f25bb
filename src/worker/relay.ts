import { setTimeout as delay } from 'node:timers/promises';
import { readChunk, type Chunk } from '../shared/chunk.js';
import { withDeadline } from '../shared/deadline.js';
import { SECOND } from '../shared/duration.js';
import { LEASE_MS, unreadable, type RefusedLine } from '../shared/ledger.js';
import type { Logger } from '../shared/log.js';
import { MAX_LINES } from '../shared/operation.js';
import { ENOUGH_LINES, type Outcome } from './consumer.js';
import type { LedgerLink } from './ledger-link.js';
import type { QueueView } from './queue-view.js';

/** Chunks claimed at once. */
const MOST_CHUNKS = 500;

/** The ledger is asked again after this long when it had nothing, twice as long each time. */
const FIRST_IDLE_MS = 50;
const LAST_IDLE_MS = 5 * SECOND;

/** While the queue is away, what is accepted is due at once. */
const LAST_IDLE_ALONE_MS = SECOND / 4;

const CLOSE_MS = SECOND / 2;

export interface RelayOptions {
  readonly link: Pick<LedgerLink, 'ask' | 'tell'>;
  readonly queue: Pick<QueueView, 'holds' | 'away'>;
  /** When a chunk that the queue still holds is looked at again, in milliseconds. */
  readonly relayAfterMs: number;
  /** As the consumer's: resolves when the chunk's lines are stored or quarantined and marked, or were given up. */
  readonly settle: (chunk: Chunk) => Promise<Outcome>;
  /** Keeps lines that cannot be read; resolves when they are durable. */
  readonly keepUnreadable: (line: RefusedLine) => Promise<void>;
  readonly log: Logger;
  /** How long a claimed chunk is nobody else's unless the lease is renewed, in milliseconds. */
  readonly leaseMs?: number;
}

/** Takes from the ledger what the queue did not deliver. */
export class Relay implements AsyncDisposable {
  readonly #options: RelayOptions;
  readonly #leaseMs: number;
  readonly #stop = new AbortController();
  /** Lines by the id of their chunk. */
  readonly #inHand = new Map<string, number>();
  /** Claimed, given up, and not due yet. */
  readonly #abandoned = new Set<string>();
  #averageLines = MAX_LINES;
  #paused = false;
  #claiming = false;
  #nap = new AbortController();
  #running: Promise<unknown> | undefined;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#leaseMs = options.leaseMs ?? LEASE_MS;
  }

  /** Chunks claimed and not settled yet; while a claim is under way, one more. */
  get inHand(): number {
    return this.#inHand.size + (this.#claiming ? 1 : 0);
  }

  start(): void {
    const { signal } = this.#stop;
    this.#running = Promise.all([this.#claimUntil(signal), this.#renewUntil(signal)]);
  }

  /** Claims no more; what is in hand goes on. */
  pause(): void {
    this.#paused = true;
  }

  /** Claims again, at once. */
  async resume(): Promise<void> {
    await this.release();
    this.#paused = false;
    this.#nap.abort();
  }

  /** True when no chunk is due, and none is being claimed. */
  async empty(): Promise<boolean> {
    const due = await this.#options.link.ask((ledger) => ledger.anyDue());
    return !due && !this.#claiming;
  }

  /**
   * Leaves what was given up to the next worker, at once. Resolves with how many chunks that are; as long as the ledger
   * is away it is told again later, and a chunk whose worker ends before that is free when its lease does.
   */
  async release(): Promise<number> {
    const ids = [...this.#abandoned];
    if (ids.length > 0 && (await this.#options.link.tell((ledger) => ledger.postpone(ids, 0))))
      for (const id of ids) this.#abandoned.delete(id);
    return ids.length;
  }

  async #claimUntil(signal: AbortSignal): Promise<void> {
    let idleMs = FIRST_IDLE_MS;
    while (!signal.aborted) {
      this.#claiming = true;
      const claimed = await this.#claim();
      this.#claiming = false;
      const longest = this.#options.queue.away ? LAST_IDLE_ALONE_MS : LAST_IDLE_MS;
      idleMs = claimed > 0 ? FIRST_IDLE_MS : Math.min(2 * idleMs, longest);
      if (claimed === 0) await this.#sleep(idleMs, signal);
    }
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    this.#nap = new AbortController();
    const woken = AbortSignal.any([signal, this.#nap.signal]);
    await delay(ms, undefined, { signal: woken }).catch(() => undefined);
  }

  /** One round: what is due and the queue has not got comes into hand. Resolves with how many chunks were due. */
  async #claim(): Promise<number> {
    const { link, relayAfterMs } = this.#options;
    const limit = this.#paused ? 0 : this.#room();
    if (limit === 0) return 0;
    await this.release();
    const due = await link.ask((ledger) => ledger.claim(limit, this.#leaseMs));
    if (!due || due.length === 0) return 0;
    this.#averageLines = Math.max(1, due.reduce((sum, { operations }) => sum + operations, 0) / due.length);
    const ids = due.map(({ id }) => id).filter((id) => !this.#inHand.has(id));
    const held = await this.#heldByQueue(ids);
    // Due only because InfluxDB is slow or away: the consumer brings them when it is back.
    if (held.size > 0) await link.tell((ledger) => ledger.postpone([...held], relayAfterMs));
    const ours = ids.filter((id) => !held.has(id));
    const chunks = await link.ask((ledger) => ledger.read(ours));
    if (this.#paused || !chunks) for (const id of ours) this.#abandoned.add(id);
    else for (const { id, lines } of chunks) void this.#take(id, lines);
    return due.length;
  }

  /** How many chunks of the size of the last ones there is room for. */
  #room(): number {
    const lines = ENOUGH_LINES - [...this.#inHand.values()].reduce((sum, count) => sum + count, 0);
    return lines <= 0 ? 0 : Math.min(MOST_CHUNKS, Math.ceil(lines / this.#averageLines));
  }

  /** Without Redis nobody knows; then they are sent, which is safe twice. */
  async #heldByQueue(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#options.queue.holds(ids).catch(() => new Set<string>());
  }

  async #take(id: string, text: string): Promise<void> {
    const { settle, keepUnreadable, link, log } = this.#options;
    const chunk = readChunk(id, text);
    this.#inHand.set(id, chunk?.lines.length ?? 1);
    try {
      if (chunk) {
        // What could not be marked is sent again when the ledger is back, rather than after its lease.
        if ((await settle(chunk)) !== 'settled') this.#abandoned.add(id);
        return;
      }
      if (text !== '') await keepUnreadable(unreadable(id, text)); // else all its lines were dropped
      await link.tell((ledger) => ledger.markLogged([id]));
    } catch (error) {
      log.error({ err: error, chunk: id }, 'a chunk of the ledger failed; it is tried again after its lease');
    } finally {
      this.#inHand.delete(id);
    }
  }

  /** A chunk that waits for InfluxDB longer than its lease stays ours. */
  async #renewUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(this.#leaseMs / 3, undefined, { signal }).catch(() => undefined);
      const ids = [...this.#inHand.keys()];
      if (ids.length > 0) await this.#options.link.tell((ledger) => ledger.postpone(ids, this.#leaseMs));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await withDeadline(this.#running ?? Promise.resolve(), CLOSE_MS, 'ending the relay').catch(
      () => undefined,
    );
  }
}
