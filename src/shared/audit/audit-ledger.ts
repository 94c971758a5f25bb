import type { Sql } from 'postgres';
import { LEASE_MS } from '../ledger.js';
import { askLedger } from '../ledger-question.js';
import type { InstanceRange } from '../counts.js';
import type { Postgres } from '../postgres.js';

/** At least so many counts where there are as many chunks: the finer, the less can a surplus hide a lack beside it. */
const LEAST_RUNS = 16;

/** Chunks counted at once at the most: 10,000 × 500 operations, which InfluxDB counts well within its deadline. */
const MOST_CHUNKS = 10_000;

/**
 * What InfluxDB is to hold of a chunk. *settled*: all but what is in quarantine, for it is logged, or was due so long
 * ago that it should be. *pending*: not yet due, or due for less than a lease; nobody can tell. *refused*: nothing.
 */
type Expectation = 'settled' | 'pending' | 'refused';

/** Operations by what the ledger knows of them. */
export interface Accounted {
  readonly accepted: number;
  readonly quarantined: number;
  readonly dropped: number;
}

/**
 * Chunks of an instance with consecutive numbers and the same expectation: nothing else is in their range, which ends
 * where the next chunk begins.
 */
export interface Run extends InstanceRange, Accounted {
  readonly expectation: Expectation;
  /** The numbers of the first and the last. */
  readonly from: number;
  readonly to: number;
  /** The number that the instance's first chunk in the window must have; null where older ones are in the ledger. */
  readonly begin: number | null;
  /** Up to this number chunks were deleted on purpose. */
  readonly forgotten: number;
}

/** A chunk as the audit narrows down to it. */
export interface AuditedChunk extends InstanceRange, Accounted {
  readonly id: string;
  readonly expectation: Expectation;
}

/** What the audit reads of a chunk. */
const auditedColumns = (sql: Sql) => sql`
  chunk.instance, chunk.first_at, chunk.last_at, chunk.operations, kept.quarantined, kept.dropped,
  CASE WHEN chunk.operations = 0 THEN 'refused'
       WHEN chunk.logged_at IS NULL AND chunk.due_at > now() - ${LEASE_MS} * interval '1 millisecond' THEN 'pending'
       ELSE 'settled' END AS expectation`;

/** What a line in quarantine, of `chunk`, stands for: a job that could not be read at all is one line. */
export const operationsOfLine = (sql: Sql) => sql`
  CASE WHEN chunk.operations = 0 THEN 0
       WHEN status > 0 THEN 1
       WHEN line = chunk.lines THEN chunk.operations
       ELSE 0 END`;

const quarantineOfChunk = (sql: Sql) => sql`
  LATERAL (
    SELECT coalesce(sum(line.operations) FILTER (WHERE line.dropped_at IS NULL), 0) AS quarantined,
           coalesce(sum(line.operations) FILTER (WHERE line.dropped_at IS NOT NULL), 0) AS dropped
    FROM (
      SELECT dropped_at,
             ${operationsOfLine(sql)} AS operations
      FROM quarantine WHERE chunk_id = chunk.id
    ) AS line
  ) AS kept`;

/** The runs of all chunks that began at `since` (Unix nanoseconds) or later, by instance and number, in one snapshot. */
export function readRuns(postgres: Postgres, since: string): Promise<readonly Run[]> {
  return askLedger(
    postgres,
    (sql) => sql<Run[]>`
      -- One step of the index for each instance, instead of all rows of the ledger.
      WITH RECURSIVE instances AS (
        SELECT min(instance) AS name FROM chunks
        UNION ALL
        SELECT (SELECT min(instance) FROM chunks WHERE instance > instances.name)
        FROM instances WHERE instances.name IS NOT NULL
      ), in_window AS (
        SELECT ${auditedColumns(sql)}, chunk.seq
        FROM instances
        JOIN chunks AS chunk ON chunk.instance = instances.name AND chunk.first_at >= ${since}
        CROSS JOIN ${quarantineOfChunk(sql)}
      ), numbered AS (
        SELECT *,
               seq - row_number() OVER (PARTITION BY instance, expectation ORDER BY seq) AS run,
               seq / (SELECT greatest(1, least(${MOST_CHUNKS}, count(*) / ${LEAST_RUNS})) FROM in_window) AS piece
        FROM in_window
      ), runs AS (
        SELECT instance, expectation, min(seq) AS from, max(seq) AS to,
               min(first_at) AS first_at, max(last_at) AS last_at,
               sum(operations) AS accepted, sum(quarantined) AS quarantined, sum(dropped) AS dropped
        FROM numbered GROUP BY instance, expectation, run, piece
      )
      SELECT runs.instance, expectation, runs.from::float8, runs.to::float8,
             first_at AS "firstAt",
             CASE WHEN lead(runs.from) OVER instance = runs.to + 1
                  THEN lead(first_at) OVER instance - 1 ELSE runs.last_at END AS "lastAt",
             accepted::float8, quarantined::float8, dropped::float8,
             coalesce(forgotten.seq, -1)::float8 AS forgotten,
             CASE WHEN EXISTS (SELECT FROM chunks WHERE instance = runs.instance AND first_at < ${since})
                  THEN NULL ELSE coalesce(forgotten.seq, -1) + 1 END::float8 AS begin
      FROM runs LEFT JOIN forgotten ON forgotten.instance = runs.instance
      WINDOW instance AS (PARTITION BY runs.instance ORDER BY runs.from)
      ORDER BY runs.instance, runs.from`,
  );
}

/** The chunks of a range, by number. */
export function readChunks(
  postgres: Postgres,
  { instance, firstAt, lastAt }: InstanceRange,
): Promise<readonly AuditedChunk[]> {
  return askLedger(
    postgres,
    (sql) => sql<AuditedChunk[]>`
      SELECT id, instance, expectation, first_at AS "firstAt", last_at AS "lastAt",
             operations AS accepted, quarantined::float8, dropped::float8
      FROM (
        SELECT ${auditedColumns(sql)}, chunk.id, chunk.seq
        FROM chunks AS chunk CROSS JOIN ${quarantineOfChunk(sql)}
        WHERE chunk.instance = ${instance} AND chunk.first_at BETWEEN ${firstAt} AND ${lastAt}
      ) AS audited
      ORDER BY seq`,
  );
}

/** When the last chunk was accepted (Unix nanoseconds) that the ledger has forgotten, and InfluxDB has not. */
export async function lastForgotten(postgres: Postgres): Promise<string | null> {
  const [row] = await askLedger(
    postgres,
    (sql) => sql<[{ at: string | null }]>`SELECT max(last_at) AS at FROM forgotten`,
  );
  return row.at;
}

/** Chunks that are due, and the operations in them. */
export interface Repaired {
  readonly chunks: number;
  readonly operations: number;
}

/**
 * Makes chunks due at once if they were logged, whole: their lines leave the quarantine, for they may be stored now. One
 * whose lines are gone cannot be sent again, and one that is not logged is due already.
 */
export async function makeDue(postgres: Postgres, ids: readonly string[]): Promise<Repaired> {
  const [row] = await askLedger(
    postgres,
    (sql) => sql<[Repaired]>`
      WITH again AS (
        UPDATE chunks SET logged_at = NULL, due_at = now()
        WHERE id = ANY (${ids as string[]}) AND logged_at IS NOT NULL AND operations > 0 AND lines <> ''
        RETURNING id, operations
      ), refused AS (
        DELETE FROM quarantine WHERE chunk_id IN (SELECT id FROM again) AND dropped_at IS NULL
      ), due AS (
        SELECT operations FROM again UNION ALL
        SELECT operations FROM chunks WHERE id = ANY (${ids as string[]}) AND logged_at IS NULL
      )
      SELECT count(*)::integer AS chunks, coalesce(sum(operations), 0)::float8 AS operations FROM due`,
  );
  return row;
}
