import type { TransactionSql } from 'postgres';
import { MINUTE } from '../shared/duration.js';
import { askLedger } from '../shared/ledger-question.js';
import type { Postgres } from '../shared/postgres.js';

/** Rows of the whole ledger take longer to delete than to read. */
const DEADLINE_MS = 10 * MINUTE;

/** What was cleared from the ledger. */
export interface ClearedLedger {
  /** Chunks that ended then or before are cleared, in Unix nanoseconds: no operation on its way is as old. */
  readonly until: string;
  /** Operations that are still on their way. */
  readonly pending: number;
}

/**
 * Deletes the chunks that are logged, but for those that were accepted after an operation that is still on its way, and
 * their lines in quarantine. Their numbers are no gaps afterwards.
 *
 * @throws {LedgerError} when the ledger does not answer.
 */
export function clearLedger(postgres: Postgres): Promise<ClearedLedger> {
  return askLedger(postgres, (sql) => sql.begin(clear), DEADLINE_MS);
}

async function clear(sql: TransactionSql): Promise<ClearedLedger> {
  const [cleared] = await sql<[ClearedLedger]>`
    SELECT least(
             greatest(max(last_at), (extract(epoch FROM now()) * 1000000000)::bigint),
             min(first_at) FILTER (WHERE logged_at IS NULL) - 1
           ) AS until,
           coalesce(sum(operations) FILTER (WHERE logged_at IS NULL), 0)::float8 AS pending
    FROM chunks`;
  await sql`
    WITH gone AS (
      DELETE FROM chunks WHERE logged_at IS NOT NULL AND last_at <= ${cleared.until}
      RETURNING id, instance, seq
    ), lines AS (
      DELETE FROM quarantine WHERE chunk_id IN (SELECT id FROM gone)
    )
    INSERT INTO forgotten (instance, seq)
    SELECT instance, max(seq) FROM gone GROUP BY instance ORDER BY instance
    ON CONFLICT (instance) DO UPDATE SET seq = greatest(forgotten.seq, excluded.seq)`;
  // InfluxDB forgets them too, so that the audit reaches back over them.
  await sql`UPDATE forgotten SET last_at = NULL WHERE last_at <= ${cleared.until}`;
  // A chunk that the ledger is still to hear of has its lines here for a moment without itself.
  await sql`
    DELETE FROM quarantine WHERE refused_at < now() - interval '1 minute'
      AND NOT EXISTS (SELECT FROM chunks WHERE id = chunk_id)`;
  return cleared;
}

/**
 * Operations that are still on their way.
 *
 * @throws {LedgerError} when the ledger does not answer.
 */
export async function pendingOperations(postgres: Postgres): Promise<number> {
  const [{ pending }] = await askLedger(
    postgres,
    (sql) => sql<[{ pending: number }]>`
      SELECT coalesce(sum(operations), 0)::float8 AS pending FROM chunks WHERE logged_at IS NULL`,
  );
  return pending;
}

/**
 * Makes chunks due again that were logged, and that what was deleted up to `until` in InfluxDB may have met: they reach
 * beyond it, or came into the ledger since. They go whole, so their lines leave the quarantine.
 */
export async function restore(postgres: Postgres, until: string): Promise<void> {
  await askLedger(
    postgres,
    (sql) => sql`
      WITH again AS (
        UPDATE chunks SET logged_at = NULL, due_at = now()
        WHERE first_at <= ${until} AND logged_at IS NOT NULL AND operations > 0 RETURNING id
      )
      DELETE FROM quarantine WHERE chunk_id IN (SELECT id FROM again) AND dropped_at IS NULL`,
    DEADLINE_MS,
  );
}
