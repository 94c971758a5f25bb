import { setTimeout as delay } from 'node:timers/promises';
import type { Chunk } from '../shared/chunk.js';
import { SECOND } from '../shared/duration.js';
import type { Ledger } from '../shared/ledger.js';
import type { LedgerLink } from './ledger-link.js';

/** How long a job may wait for its mark before it completes without. */
const DEADLINE_MS = SECOND;

/** How long chunks gather for a statement: under load marking then costs Postgres a quarter, and completing jobs less. */
const GATHER_MS = 20;

interface Waiting {
  readonly chunk: Chunk;
  readonly resolve: (marked: boolean) => void;
}

/**
 * Marks chunks logged in the ledger, many in one statement: those that come within a moment, or while a statement is on
 * its way, leave with the next.
 */
export class Marker {
  readonly #link: Pick<LedgerLink, 'tell'>;
  #waiting: Waiting[] = [];
  #sending = false;

  constructor(link: Pick<LedgerLink, 'tell'>) {
    this.#link = link;
  }

  /** Resolves with whether the ledger knows that the chunk is logged; never waits for a Postgres that is away. */
  mark(chunk: Chunk): Promise<boolean> {
    return new Promise((resolve) => {
      this.#waiting.push({ chunk, resolve });
      if (!this.#sending) void this.#send();
    });
  }

  async #send(): Promise<void> {
    this.#sending = true;
    while (this.#waiting.length > 0) {
      await delay(GATHER_MS);
      const leaving = this.#waiting;
      this.#waiting = [];
      const chunks = leaving.map(({ chunk }) => chunk);
      const marked = await this.#link.tell((ledger) => markLogged(ledger, chunks), DEADLINE_MS);
      for (const { resolve } of leaving) resolve(marked);
    }
    this.#sending = false;
  }
}

/** A chunk that the ledger never saw, because it was away at acceptance, is added now. */
async function markLogged(ledger: Ledger, chunks: readonly Chunk[]): Promise<void> {
  const marked = await ledger.markLogged(chunks.map(({ id }) => id));
  const others = chunks.filter(({ id }) => !marked.has(id));
  if (others.length > 0) await ledger.addLogged(others);
}
