import { MINUTE } from './duration.js';
import type { Chunk } from './chunk.js';
import type { Postgres } from './postgres.js';

/** How long a worker that claimed a chunk has it for itself, in milliseconds, unless it renews the lease. */
export const LEASE_MS = MINUTE;

/** A chunk that is due, as the relay claims it: without its lines, which the queue may still hold. */
export interface DueChunk {
  readonly id: string;
  readonly operations: number;
}

/** A line in quarantine as it is put there. */
export interface RefusedLine {
  /** The chunk's id; of a job that cannot be read, the job's. */
  readonly chunk: string;
  readonly line: string;
  /** What InfluxDB said. */
  readonly reason: string;
  /** The HTTP status it said it with; 0 when the line was never sent, because it cannot be read. */
  readonly status: number;
}

/** Something under a chunk's id that this version cannot read, as it is kept in quarantine. */
export function unreadable(chunk: string, line: string): RefusedLine {
  return { chunk, line, status: 0, reason: 'not a chunk this version can read' };
}

/** A chunk's columns, but for its times of acceptance, being due and being logged. */
interface ChunkRow {
  readonly id: string;
  readonly instance: string;
  readonly seq: string;
  readonly operations: number;
  readonly first_at: string;
  readonly last_at: string;
  readonly lines: string;
}

/**
 * The record of what was accepted and what was logged, in Postgres: the statements that the way of a chunk needs. They
 * reject when Postgres does not answer; deadlines are their callers'. Each names its columns, so that a newer version's
 * do not disturb it. The tables are in `src/cli/migrations.ts`.
 */
export class Ledger {
  readonly #postgres: Postgres;

  constructor(postgres: Postgres) {
    this.#postgres = postgres;
  }

  get #sql() {
    return this.#postgres.sql;
  }

  /** Adds an accepted chunk, which the relay may take after `dueInMs`. One that a worker has added before stays. */
  async add(chunk: Chunk, dueInMs: number): Promise<void> {
    const { id, instance, seq, operations, first_at, last_at, lines } = ownRow(chunk);
    await this.#sql`
      INSERT INTO chunks (id, instance, seq, operations, first_at, last_at, lines, due_at)
      VALUES (${id}, ${instance}, ${seq}, ${operations}, ${first_at}, ${last_at}, ${lines},
              now() + ${dueInMs} * interval '1 millisecond')
      ON CONFLICT (id) DO NOTHING`;
  }

  /**
   * Writes off a refused chunk: its number is accounted for, and it holds no operation. One that was logged all the
   * same stays.
   */
  async writeOff(chunk: Chunk): Promise<void> {
    const { id, instance, seq, first_at, last_at } = ownRow(chunk);
    await this.#sql`
      INSERT INTO chunks (id, instance, seq, operations, first_at, last_at, lines, due_at, logged_at)
      VALUES (${id}, ${instance}, ${seq}, 0, ${first_at}, ${last_at}, '', now(), now())
      ON CONFLICT (id) DO UPDATE SET operations = 0, lines = '', logged_at = now()
      WHERE chunks.logged_at IS NULL`;
  }

  /** Claims up to `limit` due chunks, longest due first: for `leaseMs` they are nobody else's. */
  async claim(limit: number, leaseMs: number = LEASE_MS): Promise<readonly DueChunk[]> {
    return this.#sql<DueChunk[]>`
      UPDATE chunks SET due_at = now() + ${leaseMs} * interval '1 millisecond'
      WHERE id IN (
        SELECT id FROM chunks WHERE logged_at IS NULL AND due_at <= now()
        ORDER BY due_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
      )
      RETURNING id, operations`;
  }

  /** The lines of chunks that are to be sent: not of those that were logged, and no line that was dropped. */
  async read(ids: readonly string[]): Promise<readonly Pick<ChunkRow, 'id' | 'lines'>[]> {
    const rows = await this.#sql<(Pick<ChunkRow, 'id' | 'lines'> & { dropped: readonly string[] | null })[]>`
      SELECT id, lines, (
        SELECT json_agg(line) FROM quarantine WHERE chunk_id = chunks.id AND dropped_at IS NOT NULL
      ) AS dropped
      FROM chunks WHERE id = ANY (${ids as string[]}) AND logged_at IS NULL`;
    return rows.map(({ id, lines, dropped }) => ({ id, lines: dropped ? without(lines, dropped) : lines }));
  }

  /** Makes chunks due in `ms` from now, unless they were logged. Resolves with how many there are. */
  async postpone(ids: readonly string[], ms: number): Promise<number> {
    const { count } = await this.#sql`
      UPDATE chunks SET due_at = now() + ${ms} * interval '1 millisecond'
      WHERE id = ANY (${ids as string[]}) AND logged_at IS NULL`;
    return count;
  }

  /** True when a chunk is due. */
  async anyDue(): Promise<boolean> {
    const rows = await this.#sql`SELECT FROM chunks WHERE logged_at IS NULL AND due_at <= now() LIMIT 1`;
    return rows.length > 0;
  }

  /** Marks chunks logged. Resolves with the ids of those that the ledger has. */
  async markLogged(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await this.#sql<{ id: string }[]>`
      UPDATE chunks SET logged_at = now()
      WHERE id = ANY (${ids as string[]}) AND logged_at IS NULL AND operations > 0
      RETURNING id`;
    return new Set(rows.map(({ id }) => id));
  }

  /**
   * Adds chunks that the ledger may never have seen, as logged; one that was written off counts again. One that is none
   * of Tally's own has no place here.
   */
  async addLogged(chunks: readonly Chunk[]): Promise<void> {
    const rows = chunks.flatMap((chunk) => toRow(chunk) ?? []);
    await this.#sql`
      INSERT INTO chunks (id, instance, seq, operations, first_at, last_at, lines, due_at, logged_at)
      SELECT id, instance, seq, operations, first_at, last_at, lines, now(), now()
      FROM jsonb_to_recordset(${this.#sql.json(rows as never)}) AS chunk
        (id text, instance text, seq bigint, operations integer, first_at bigint, last_at bigint, lines text)
      ON CONFLICT (id) DO UPDATE
      SET logged_at = now(), operations = excluded.operations, lines = excluded.lines
      WHERE chunks.logged_at IS NULL OR chunks.operations = 0`;
  }

  /** Keeps refused lines; one that is kept already is not kept twice. */
  async quarantine(lines: readonly RefusedLine[]): Promise<void> {
    await this.#sql`
      INSERT INTO quarantine (chunk_id, line, reason, status)
      SELECT chunk, line, reason, status
      FROM jsonb_to_recordset(${this.#sql.json(lines as never)}) AS refused
        (chunk text, line text, reason text, status integer)
      ON CONFLICT (chunk_id, md5(line)) DO NOTHING`;
  }

  /**
   * Deletes up to `limit` chunks that were logged longer than `ageMs` ago and have no line in quarantine that still waits
   * for a decision. Their numbers are no gaps afterwards.
   */
  async forget(ageMs: number, limit: number): Promise<number> {
    const [{ count }] = await this.#sql<[{ count: number }]>`
      WITH gone AS (
        DELETE FROM chunks WHERE id IN (
          SELECT id FROM chunks
          WHERE logged_at < now() - ${ageMs} * interval '1 millisecond'
            AND NOT EXISTS (SELECT FROM quarantine WHERE chunk_id = chunks.id AND dropped_at IS NULL)
          ORDER BY logged_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
        ) RETURNING id, instance, seq, last_at
      ), dropped AS (
        DELETE FROM quarantine WHERE chunk_id IN (SELECT id FROM gone)
      ), noted AS (
        INSERT INTO forgotten (instance, seq, last_at)
        SELECT instance, max(seq), max(last_at) FROM gone GROUP BY instance ORDER BY instance
        ON CONFLICT (instance) DO UPDATE SET
          seq = greatest(forgotten.seq, excluded.seq), last_at = greatest(forgotten.last_at, excluded.last_at)
      )
      SELECT count(*)::integer AS count FROM gone`;
    return count;
  }
}

function without(text: string, dropped: readonly string[]): string {
  const gone = new Set(dropped);
  return text
    .split('\n')
    .filter((line) => !gone.has(line))
    .join('\n');
}

/** `<instance>.<n>` */
const CHUNK_ID = /^([A-Za-z0-9_-]+)\.(\d{1,15})$/;

/** The columns of a chunk, or `undefined` when it is none of Tally's own: its id or its times are of another kind. */
function toRow({ id, lines }: Chunk): ChunkRow | undefined {
  const { range } = lines;
  const [, instance, seq] = CHUNK_ID.exec(id) ?? [];
  if (!range || instance === undefined || seq === undefined) return undefined;
  const { firstAt, lastAt } = range;
  return {
    id,
    instance,
    seq,
    operations: lines.length,
    first_at: firstAt,
    last_at: lastAt,
    lines: lines.text,
  };
}

function ownRow(chunk: Chunk): ChunkRow {
  const row = toRow(chunk);
  if (!row) throw new TypeError(`"${chunk.id}" is not a chunk of Tally's own`);
  return row;
}
