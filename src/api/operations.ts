import type { Context } from 'hono';
import { withDeadline } from '../shared/deadline.js';
import { SECOND } from '../shared/duration.js';
import type { Influx } from '../shared/influx.js';
import type { Logger } from '../shared/log.js';
import { fromLine, MEASUREMENT, operationId, readOperationId, type Operation } from '../shared/operation.js';
import type { Postgres } from '../shared/postgres.js';
import { Rest } from '../shared/rest.js';
import { problem } from './problem.js';
import type { FoundOperation } from './schemas.js';

/** How long each store may take. */
const DEADLINE_MS = SECOND;

/** `'unknown'`: neither store has it. `'unavailable'`: one that may have it does not answer, or not what can be read. */
export type Lookup = FoundOperation | 'unknown' | 'unavailable';

export interface OperationsOptions {
  /** Connections of its own: questions must not wait where acceptance waits. */
  readonly postgres: Postgres;
  readonly influx: Influx;
  readonly log: Logger;
}

type Point = Pick<Operation, 'at' | 'instance'>;

/** Finds operations by their id: in the ledger, which knows their state, and else in InfluxDB. */
export class Operations implements Disposable {
  readonly #postgres: Postgres;
  readonly #influx: Influx;
  readonly #log: Logger;
  readonly #ledgerRest: Rest;
  readonly #influxRest: Rest;

  constructor({ postgres, influx, log }: OperationsOptions) {
    this.#postgres = postgres;
    this.#influx = influx;
    this.#log = log;
    const ping = () => postgres.ping();
    this.#ledgerRest = new Rest({ name: 'ledger', ping, reset: () => postgres.reset() }, { log });
    this.#influxRest = new Rest(
      { name: 'InfluxDB', ping: () => this.#askVersion(), reset: () => undefined },
      { log },
    );
  }

  /** Resolves within the deadlines of both stores, and never rejects. */
  readonly find = async (id: string): Promise<Lookup> => {
    const point = readOperationId(id);
    if (!point) return 'unknown';
    const kept = await this.#ask(this.#ledgerRest, 'the ledger', () => this.#inLedger(point));
    if (typeof kept === 'object') return kept;
    const stored = await this.#ask(this.#influxRest, 'InfluxDB', () => this.#inInflux(point));
    return stored === 'unknown' ? kept : stored;
  };

  /** A store that fails or is late is left alone until it answers again, so that no question waits for it. */
  async #ask(rest: Rest, name: string, question: () => Promise<Lookup>): Promise<Lookup> {
    if (rest.resting) return 'unavailable';
    try {
      return await withDeadline(question(), DEADLINE_MS, name);
    } catch (error) {
      if (!rest.resting) this.#log.warn({ err: error }, `${name} does not answer for an operation`);
      rest.begin();
      return 'unavailable';
    }
  }

  /** An instance's chunks follow each other, so the last that begins at `at` or before is the one. */
  async #inLedger({ at, instance }: Point): Promise<Lookup> {
    const rows = await this.#postgres.sql<{ line: string; state: FoundOperation['state'] }[]>`
      SELECT entry.line,
             CASE WHEN EXISTS (
                    SELECT FROM quarantine AS kept
                    WHERE kept.chunk_id = chunk.id AND kept.line IN (entry.line, chunk.lines)
                  ) THEN 'quarantined'
                  WHEN chunk.logged_at IS NULL THEN 'accepted' ELSE 'logged' END AS state
      FROM (
        SELECT id, last_at, lines, logged_at FROM chunks
        WHERE instance = ${instance} AND first_at <= ${at} ORDER BY first_at DESC LIMIT 1
      ) AS chunk
      CROSS JOIN LATERAL unnest(string_to_array(chunk.lines, chr(10))) AS entry (line)
      WHERE chunk.last_at >= ${at} AND entry.line LIKE ${`% ${at}`}`;
    const [row] = rows;
    if (!row) return 'unknown';
    const operation = fromLine(row.line);
    return operation ? inAnswer(operation, row.state) : 'unavailable'; // a newer version's
  }

  /** Both parts of the point are made of characters that mean nothing in InfluxQL. */
  async #inInflux({ at, instance }: Point): Promise<Lookup> {
    const [series] = await this.#influx.query(
      `SELECT "numbers", "result", "name" FROM "${MEASUREMENT}" WHERE "instance" = '${instance}' AND time = ${at}`,
    );
    const [, numbers, result, name] = series?.values?.[0] ?? [];
    if (typeof numbers !== 'number' || typeof result !== 'number' || typeof name !== 'string')
      return 'unknown';
    return inAnswer({ at, instance, name, numbers, result }, 'logged');
  }

  async #askVersion(): Promise<void> {
    this.#influx.forget();
    await this.#influx.server();
  }

  /** Asks no more whether a store is back. */
  [Symbol.dispose](): void {
    this.#ledgerRest[Symbol.dispose]();
    this.#influxRest[Symbol.dispose]();
  }
}

function inAnswer(operation: Operation, state: FoundOperation['state']): FoundOperation {
  const { name, numbers, result, at } = operation;
  return { id: operationId(operation), name, numbers, result, at, state };
}

const NOT_FOUND =
  'Neither the ledger nor InfluxDB has it, or not yet: what was accepted while the ledger was away is found when it is ' +
  'logged. An id is what POST /sum answered: Unix time in nanoseconds, a hyphen, and the name of the API process.';

/** A lookup as HTTP tells it; only what is logged stays as it is. */
export function answerLookup(c: Context, found: Lookup): Response {
  const headers = { 'Cache-Control': 'no-store' };
  if (found === 'unknown') {
    const title = 'There is no such operation';
    return problem(c, { status: 404, code: 'unknown-operation', title, detail: NOT_FOUND, headers });
  }
  if (found === 'unavailable') {
    return problem(c, {
      status: 503,
      code: 'unavailable',
      title: 'Nobody can tell now',
      detail: 'A store that may have the operation does not answer.',
      headers: { ...headers, 'Retry-After': '1' },
    });
  }
  return c.json(found, 200, found.state === 'logged' ? {} : headers);
}
