import { setTimeout as delay } from 'node:timers/promises';
import type { Chunk } from '../shared/chunk.js';
import { withDeadline } from '../shared/deadline.js';
import { SECOND } from '../shared/duration.js';
import { Ledger } from '../shared/ledger.js';
import type { Logger } from '../shared/log.js';
import type { Postgres } from '../shared/postgres.js';
import type { AcceptanceStore } from './acceptance.js';

/** Refused chunks that are still to be written off; older ones are forgotten (and said so) beyond this. */
const MAX_REVOCATIONS = 1_000;

/** How often a write-off is tried. */
const RETRY_MS = SECOND;

export interface ChunkLedgerOptions {
  readonly postgres: Postgres;
  /** When the relay may take a chunk that the queue has as well, in milliseconds after acceptance. */
  readonly relayAfterMs: number;
  readonly log: Logger;
}

/** The ledger as the API sees it: a store that accepts chunks, one row each. The slow path to the worker. */
export class ChunkLedger implements AcceptanceStore, AsyncDisposable {
  readonly name = 'ledger';
  readonly #postgres: Postgres;
  readonly #ledger: Ledger;
  readonly #relayAfterMs: number;
  readonly #log: Logger;
  readonly #revoked = new Map<string, Chunk>();

  constructor({ postgres, relayAfterMs, log }: ChunkLedgerOptions) {
    this.#postgres = postgres;
    this.#ledger = new Ledger(postgres);
    this.#relayAfterMs = relayAfterMs;
    this.#log = log;
  }

  accept(chunk: Chunk, alone: boolean): Promise<void> {
    return this.#ledger.add(chunk, alone ? 0 : this.#relayAfterMs);
  }

  /** The relay need not wait for a queue that does not have it. */
  leftAlone(chunk: Chunk): void {
    this.#ledger.postpone([chunk.id], 0).catch((error: unknown) => {
      this.#log.warn({ err: error, chunk: chunk.id }, 'the chunk is logged later than it could be');
    });
  }

  /** The row may be there or come yet, or never does where the ledger was not asked. Its number is written off, so that it never counts and leaves no gap. */
  revoke(chunk: Chunk): void {
    if (this.#revoked.size >= MAX_REVOCATIONS) {
      const [oldest = ''] = this.#revoked.keys();
      this.#revoked.delete(oldest);
      this.#log.error({ chunk: oldest }, 'a refused chunk was not written off and may be counted');
    }
    this.#revoked.set(chunk.id, chunk);
    if (this.#revoked.size === 1) void this.#writeOffAll();
  }

  ping(): Promise<void> {
    return this.#postgres.ping();
  }

  reset(): void {
    this.#postgres.reset();
  }

  async #writeOffAll(): Promise<void> {
    while (this.#revoked.size > 0) {
      await delay(RETRY_MS, undefined, { ref: false });
      await this.#writeOffOnce();
    }
  }

  async #writeOffOnce(): Promise<void> {
    try {
      for (const [id, chunk] of this.#revoked) {
        await withDeadline(this.#ledger.writeOff(chunk), RETRY_MS, 'the ledger');
        this.#revoked.delete(id);
        this.#log.info({ chunk: id }, 'a refused chunk was written off');
      }
    } catch (error) {
      this.#log.debug({ err: error }, 'refused chunks could not be written off yet');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writeOffOnce();
    if (this.#revoked.size > 0)
      this.#log.warn({ chunks: [...this.#revoked.keys()] }, 'refused chunks were not written off');
    this.#revoked.clear();
  }
}
