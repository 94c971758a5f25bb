import type { Sql } from 'postgres';
import type { LiveTotals } from '../../shared/live.js';
import { MINUTE, SECOND } from '../../shared/duration.js';
import { operationsOfLine } from '../../shared/audit/audit-ledger.js';
import { askLedger } from '../../shared/ledger-question.js';
import type { Logger } from '../../shared/log.js';
import type { Postgres } from '../../shared/postgres.js';
import { Paced } from './paced.js';

/**
 * What was accepted so long ago is counted once, and what came since each time: a chunk that is younger may still be
 * on its way into the table, whose deadline at the API is 500 ms.
 */
const SETTLED_MS = 5 * SECOND;

/** From one count of everything to the next: it finds out what was deleted meanwhile. */
const RECOUNT_MS = 5 * SECOND;
const RECOUNT_UNWATCHED_MS = MINUTE;

/** All rows of a ledger that keeps billions of operations. */
const RECOUNT_DEADLINE_MS = 10 * MINUTE;

/** One that takes longer than this, or three times as long as the one before, counts as not answered meanwhile. */
const SLOW_MS = 2 * SECOND;

export interface TotalsOptions {
  /** For what is asked twice a second; and for what may take minutes. */
  readonly quick: Postgres;
  readonly slow: Postgres;
  readonly log: Logger;
  /** How old a chunk is that need not be asked for again, in milliseconds. */
  readonly settledMs?: number;
  /** From one count of everything to the next while somebody watches, in milliseconds. */
  readonly recountMs?: number;
}

/** All operations that were accepted up to a time, as Postgres writes it. */
interface Base {
  readonly until: string;
  readonly accepted: number;
}

interface Row {
  /** Accepted after the base; and of these, what is the next base's. */
  readonly since: number;
  readonly settled: number;
  readonly until: string;
  readonly unlogged: number;
  readonly oldestSeconds: number;
  readonly quarantined: number;
  readonly dropped: number;
  /** Of both, what is in chunks that are not logged. */
  readonly decided: number;
}

/** The ledger's totals, of which each look asks what has changed. */
export class Totals {
  readonly #options: TotalsOptions;
  readonly #recount = new Paced(() => this.#countAll());
  readonly #count = new Paced(() => this.#countRecent());
  #base: Base | undefined;
  #latest: LiveTotals | null = null;
  #tookMs = 0;

  constructor(options: TotalsOptions) {
    this.#options = options;
  }

  /** `null` while the ledger does not answer, and before it was counted. */
  get latest(): LiveTotals | null {
    return this.#count.underWayMs > Math.max(SLOW_MS, 3 * this.#tookMs) ? null : this.#latest;
  }

  /** Resolves when they are as of now, or nothing more is to be asked now. */
  async refresh(watched: boolean): Promise<void> {
    const { recountMs = RECOUNT_MS } = this.#options;
    const recounted = this.#recount.begin(watched ? recountMs : RECOUNT_UNWATCHED_MS);
    if (!this.#base) await recounted;
    if (this.#base) await this.#count.begin(watched ? 0 : SECOND);
  }

  async #countAll(): Promise<void> {
    const { slow, settledMs = SETTLED_MS } = this.#options;
    await this.#attempt(async () => {
      const [base] = await askLedger(
        slow,
        (sql) => sql<[Base]>`
          SELECT coalesce(sum(operations), 0)::float8 AS accepted, settled.at::text AS until
          FROM (SELECT now() - ${settledMs} * interval '1 millisecond' AS at) AS settled
          LEFT JOIN chunks ON accepted_at <= settled.at GROUP BY settled.at`,
        RECOUNT_DEADLINE_MS,
      );
      this.#base = base;
    });
  }

  async #countRecent(): Promise<void> {
    const { quick, settledMs = SETTLED_MS } = this.#options;
    const base = this.#base;
    if (!base) return;
    const [at, started] = [Date.now(), performance.now()];
    this.#latest =
      (await this.#attempt(async () => {
        const [row] = await askLedger(quick, (sql) => recent(sql, base.until, settledMs));
        // What was counted anew meanwhile goes on from where that was.
        if (this.#base === base) this.#base = { until: row.until, accepted: base.accepted + row.settled };
        return totalsOf(base, row, at);
      })) ?? null;
    this.#tookMs = performance.now() - started;
  }

  async #attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#options.log.debug({ err: error }, 'the ledger could not be counted');
      return undefined;
    }
  }
}

function totalsOf(base: Base, row: Row, at: number): LiveTotals {
  const { quarantined, dropped } = row;
  const accepted = base.accepted + row.since;
  const pending = row.unlogged - row.decided;
  const logged = accepted - quarantined - dropped - pending;
  return {
    ...{ at, accepted, logged, quarantined, dropped, pending },
    oldestPendingSeconds: row.oldestSeconds,
  };
}

/**
 * In one snapshot: what was accepted after `until`, by the indexes of what is logged and what is not (nothing is logged
 * before it is accepted; a second is for two clocks' readings within one statement), what is not logged, and what is in
 * quarantine, as the audit counts it.
 */
const recent = (sql: Sql, until: string, settledMs: number) => sql<[Row]>`
  WITH unlogged AS (
    SELECT operations, accepted_at FROM chunks WHERE logged_at IS NULL
  ), since AS (
    SELECT operations, accepted_at FROM unlogged WHERE accepted_at > ${until}::timestamptz
    UNION ALL
    SELECT operations, accepted_at FROM chunks
    WHERE logged_at >= ${until}::timestamptz - interval '1 second' AND accepted_at > ${until}::timestamptz
  ), accepted AS (
    SELECT coalesce(sum(operations), 0)::float8 AS since,
           coalesce(sum(operations) FILTER (WHERE accepted_at <= settled.at), 0)::float8 AS settled,
           settled.at::text AS until
    FROM (SELECT now() - ${settledMs} * interval '1 millisecond' AS at) AS settled
    LEFT JOIN since ON true GROUP BY settled.at
  ), waiting AS (
    SELECT coalesce(sum(operations), 0)::float8 AS unlogged,
           coalesce(extract(epoch FROM now() - min(accepted_at)), 0)::float8 AS "oldestSeconds"
    FROM unlogged
  ), refused AS (
    SELECT coalesce(sum(operations) FILTER (WHERE dropped_at IS NULL), 0)::float8 AS quarantined,
           coalesce(sum(operations) FILTER (WHERE dropped_at IS NOT NULL), 0)::float8 AS dropped,
           coalesce(sum(operations) FILTER (WHERE logged_at IS NULL), 0)::float8 AS decided
    FROM (
      SELECT dropped_at, chunk.logged_at, ${operationsOfLine(sql)} AS operations
      FROM quarantine JOIN chunks AS chunk ON chunk.id = chunk_id
    ) AS lines
  )
  SELECT * FROM accepted, waiting, refused`;
