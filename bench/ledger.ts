import { setTimeout as delay } from 'node:timers/promises';
import { migrate } from '../src/cli/migrations.js';
import type { Store } from '../src/drill/stores/store.js';
import type { Chunk } from '../src/shared/chunk.js';
import { Ledger } from '../src/shared/ledger.js';
import { openLog } from '../src/shared/log.js';
import { Postgres } from '../src/shared/postgres.js';
import { acceptAll } from './operations.js';

/** More than the API has: filling is no part of what is measured, and commits share what they wait for. */
const CONNECTIONS = 8;

/** Chunks of 50 that a worker marks in one statement when it is busy. */
const MARKED_AT_ONCE = 250;

const LOOK_MS = 100;

/** The ledger, as a bench fills and watches it. */
export class BenchLedger implements AsyncDisposable {
  readonly #postgres: Postgres;
  readonly #ledger: Ledger;

  private constructor(postgres: Postgres) {
    this.#postgres = postgres;
    this.#ledger = new Ledger(postgres);
  }

  /** Makes the tables. */
  static async open({ url }: Pick<Store, 'url'>): Promise<BenchLedger> {
    const log = openLog('silent', 'bench');
    const postgres = new Postgres({ url, application: 'bench', log, connections: CONNECTIONS });
    await migrate(postgres.sql);
    return new BenchLedger(postgres);
  }

  /** For statements that are a bench's own. */
  get sql() {
    return this.#postgres.sql;
  }

  async clear(): Promise<void> {
    await this.sql`TRUNCATE chunks, quarantine`;
  }

  /** Adds chunks through the API's own code, to be relayed after `dueInMs`. */
  async accept(chunks: Iterable<Chunk>, dueInMs: number): Promise<void> {
    await acceptAll(chunks, (chunk) => this.#ledger.add(chunk, dueInMs));
    await this.tidy();
  }

  /** What Postgres does in the background some time after a table grew; it is no part of what is measured next. */
  async tidy(): Promise<void> {
    await this.sql`VACUUM (ANALYZE) chunks`;
    await this.sql`CHECKPOINT`;
  }

  /** Marks chunks logged, as many at once as a worker does. */
  async mark(chunks: readonly Chunk[]): Promise<void> {
    for (let first = 0; first < chunks.length; first += MARKED_AT_ONCE)
      await this.#ledger.markLogged(chunks.slice(first, first + MARKED_AT_ONCE).map(({ id }) => id));
  }

  /** Resolves when every chunk is marked logged. */
  async untilLogged(): Promise<void> {
    while ((await this.sql`SELECT FROM chunks WHERE logged_at IS NULL LIMIT 1`).length > 0)
      await delay(LOOK_MS);
  }

  /** @throws unless exactly these many operations are marked logged, and none is not. */
  async expect(operations: number): Promise<void> {
    const [{ accepted, logged }] = await this.sql<[{ accepted: number; logged: number }]>`
      SELECT coalesce(sum(operations), 0)::float8 AS accepted,
             coalesce(sum(operations) FILTER (WHERE logged_at IS NOT NULL), 0)::float8 AS logged
      FROM chunks`;
    if (accepted !== operations || logged !== operations)
      throw new Error(`of ${operations} operations the ledger has ${accepted}, ${logged} of them as logged`);
  }

  /** How many chunks it has. */
  async chunks(): Promise<number> {
    const [{ count }] = await this.sql<[{ count: number }]>`SELECT count(*)::float8 FROM chunks`;
    return count;
  }

  /** What its chunks take on disk: table, TOAST and indexes. */
  async bytes(): Promise<number> {
    const [{ bytes }] = await this.sql<[{ bytes: number }]>`
      SELECT pg_total_relation_size('chunks')::float8 AS bytes`;
    return bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#postgres[Symbol.asyncDispose]();
  }
}
