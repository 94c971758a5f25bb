import { withDeadline } from '../shared/deadline.js';
import { SECOND } from '../shared/duration.js';
import { Ledger } from '../shared/ledger.js';
import type { Logger } from '../shared/log.js';
import type { Postgres } from '../shared/postgres.js';
import { Rest } from '../shared/rest.js';

/** A statement that takes longer counts as not answered. */
const DEADLINE_MS = 5 * SECOND;

/** The ledger as the worker's parts reach it: nothing waits for a Postgres that is away. */
export class LedgerLink implements Disposable {
  readonly #ledger: Ledger;
  readonly #rest: Rest;
  readonly #log: Logger;

  constructor(postgres: Postgres, log: Logger) {
    this.#ledger = new Ledger(postgres);
    this.#log = log;
    const ping = () => postgres.ping();
    this.#rest = new Rest({ name: 'ledger', ping, reset: () => postgres.reset() }, { log });
  }

  /** True from a failure until the ledger answers again. */
  get away(): boolean {
    return this.#rest.resting;
  }

  /** What the ledger answers, or `undefined` when it is away or does not answer in time. Never rejects. */
  async ask<T>(question: (ledger: Ledger) => Promise<T>, deadlineMs = DEADLINE_MS): Promise<T | undefined> {
    if (this.away) return undefined;
    try {
      return await withDeadline(question(this.#ledger), deadlineMs, 'the ledger');
    } catch (error) {
      if (!this.away) this.#log.warn({ err: error }, 'the ledger does not answer');
      this.#rest.begin();
      return undefined;
    }
  }

  /** True when the ledger did as it was told. Never rejects. */
  async tell(statement: (ledger: Ledger) => Promise<unknown>, deadlineMs?: number): Promise<boolean> {
    return (await this.ask((ledger) => statement(ledger).then(() => true), deadlineMs)) ?? false;
  }

  [Symbol.dispose](): void {
    this.#rest[Symbol.dispose]();
  }
}
