import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from 'postgres';
import type { Registry } from 'prom-client';
import { auditWhatIsKept } from '../shared/audit/audit.js';
import type { BucketName } from '../shared/bucket.js';
import { withDeadline } from '../shared/deadline.js';
import { MINUTE, SECOND } from '../shared/duration.js';
import type { Influx } from '../shared/influx.js';
import { Ledger } from '../shared/ledger.js';
import { askLedger } from '../shared/ledger-question.js';
import type { Logger } from '../shared/log.js';
import { Postgres } from '../shared/postgres.js';
import { ExportedGauge } from './exported-gauge.js';

/** Held by the worker that watches; any number that nobody else uses for the same database. */
const LOCK = 7_416_238;

/** What the audit looks at. */
const WINDOW_MS = 60 * MINUTE;

/** Rounds from one audit to the next: it asks the most of the stores. */
const AUDIT_EVERY = 4;

/** What is exported of an audit. */
const AUDITED = ['accepted', 'logged', 'quarantined', 'dropped', 'pending', 'missing', 'extra'] as const;

/** Chunks deleted in one statement, and the pause between two: nothing waits for long. */
const STEP_CHUNKS = 1_000;
const STEP_PAUSE_MS = SECOND / 20;

/** Steps in one round: about half a minute. */
const MOST_STEPS = 500;

/** The metrics take a twentieth of the stores' time at the most. */
const SHARE = 20;

const CLOSE_MS = SECOND / 2;

export interface LedgerWatchOptions {
  /** Of the ledger: leadership is a lock in a session of its own. */
  readonly url: string;
  /** Who connects, as `pg_stat_activity` shows it. */
  readonly application: string;
  readonly influx: Influx;
  readonly bucket: BucketName;
  readonly registry: Registry;
  /** How long logged chunks are kept, in milliseconds. */
  readonly retentionMs: number;
  readonly log: Logger;
  /** How often it looks, in milliseconds. */
  readonly intervalMs?: number;
}

/**
 * One worker at a time counts the backlog and audits the last hour for the metrics, and deletes what was logged long
 * ago. The others, and one that lost its connection, export none of these: a value that nobody refreshes says nothing.
 */
export class LedgerWatch implements AsyncDisposable {
  readonly #options: LedgerWatchOptions;
  readonly #postgres: Postgres;
  readonly #ledger: Ledger;
  readonly #stop = new AbortController();
  readonly #unaccounted: ExportedGauge;
  readonly #audited: ExportedGauge<'state'>;
  readonly #oldestAge: ExportedGauge;
  readonly #unlogged: ExportedGauge;
  readonly #quarantined: ExportedGauge;
  readonly #failing = new Set<string>();
  #leads = false;
  #rounds = 0;
  #running: Promise<void> | undefined;

  constructor(options: LedgerWatchOptions) {
    const { url, application, registry, log } = options;
    this.#options = options;
    this.#unaccounted = new ExportedGauge(registry, {
      name: 'tally_unaccounted_operations',
      help: 'Operations of the last hour that InfluxDB lacks or has beyond what was accepted. Must be 0.',
    });
    this.#audited = new ExportedGauge(registry, {
      name: 'tally_audited_operations',
      help: 'Operations of the last hour as an audit finds them: accepted, and of these logged, quarantined, dropped, pending, or missing; and extra ones, which InfluxDB has beyond what was accepted.',
      labelNames: ['state'],
    });
    this.#oldestAge = new ExportedGauge(registry, {
      name: 'tally_oldest_unlogged_operation_age_seconds',
      help: 'Age of the oldest operation that is accepted and not logged yet; 0 when there is none.',
    });
    this.#unlogged = new ExportedGauge(registry, {
      name: 'tally_unlogged_operations',
      help: 'Operations in the ledger that are accepted and not logged yet.',
    });
    this.#quarantined = new ExportedGauge(registry, {
      name: 'tally_quarantined_lines',
      help: 'Lines in quarantine that wait until someone retries or drops them.',
    });
    const onClose = () => this.#stepDown();
    this.#postgres = new Postgres({ url, application, log, connections: 1, onClose });
    this.#ledger = new Ledger(this.#postgres);
  }

  start(): void {
    this.#running ??= this.#run(this.#stop.signal);
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const tookMs = await this.#look(signal);
      const restMs = Math.max(this.#options.intervalMs ?? MINUTE / AUDIT_EVERY, SHARE * tookMs);
      await delay(restMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** One round. Resolves with how long the refresh of the metrics took, in milliseconds. */
  async #look(signal: AbortSignal): Promise<number> {
    const started = performance.now();
    await this.#attempt('the ledger could not be watched', () => this.#takeLead());
    if (!this.#leads) return 0;
    await this.#attempt('the backlog could not be counted', () => this.#refreshBacklog());
    if (this.#rounds++ % AUDIT_EVERY > 0) return performance.now() - started;
    await this.#attempt('the ledger could not be audited', () => this.#refreshAudit());
    const tookMs = performance.now() - started;
    await this.#attempt('logged chunks could not be deleted', () => this.#forget(signal));
    return tookMs;
  }

  async #takeLead(): Promise<void> {
    try {
      const [{ leads }] = await this.#ask(
        (sql) => sql<[{ leads: boolean }]>`SELECT pg_try_advisory_lock(${LOCK}) AS leads`,
      );
      if (leads) this.#leads = true;
      else this.#stepDown();
    } catch (error) {
      this.#stepDown();
      throw error;
    }
  }

  /** The lock ends with its session, and somebody else may have it then. */
  #stepDown(): void {
    this.#leads = false;
    this.#rounds = 0;
    for (const gauge of [this.#oldestAge, this.#unlogged, this.#quarantined]) gauge.hide();
    this.#hideAudit();
  }

  async #refreshBacklog(): Promise<void> {
    const [{ seconds, operations, quarantined }] = await this.#ask(
      (sql) => sql<[{ seconds: number; operations: number; quarantined: number }]>`
        SELECT coalesce(extract(epoch FROM now() - min(accepted_at)), 0)::float8 AS seconds,
          coalesce(sum(operations), 0)::float8 AS operations,
          (SELECT count(*) FROM quarantine WHERE dropped_at IS NULL)::float8 AS quarantined
        FROM chunks WHERE logged_at IS NULL`,
    );
    if (!this.#leads) return;
    this.#oldestAge.set(seconds);
    this.#unlogged.set(operations);
    this.#quarantined.set(quarantined);
  }

  async #refreshAudit(): Promise<void> {
    try {
      const { influx, bucket } = this.#options;
      const stores = { postgres: this.#postgres, influx, bucket };
      const found = await auditWhatIsKept(stores, { sinceMs: WINDOW_MS });
      if (!this.#leads) return;
      for (const state of AUDITED) this.#audited.set(found[state], { state });
      const { missing, extra } = found;
      this.#unaccounted.set(missing + extra);
      if (missing + extra > 0)
        this.#options.log.error({ missing, extra }, 'operations are unaccounted for; tally audit names them');
    } catch (error) {
      this.#hideAudit();
      throw error;
    }
  }

  #hideAudit(): void {
    this.#unaccounted.hide();
    this.#audited.hide();
  }

  async #forget(signal: AbortSignal): Promise<void> {
    for (let step = 0; step < MOST_STEPS && this.#leads && !signal.aborted; step++) {
      const forgotten = await this.#ask(() => this.#ledger.forget(this.#options.retentionMs, STEP_CHUNKS));
      if (forgotten < STEP_CHUNKS) return;
      await delay(STEP_PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #ask<T>(question: (sql: Sql) => PromiseLike<T>): Promise<T> {
    return askLedger(this.#postgres, question);
  }

  /** Says when something begins to fail, and when that is over. */
  async #attempt(failure: string, work: () => Promise<void>): Promise<void> {
    const { log } = this.#options;
    try {
      await work();
      if (this.#failing.delete(failure)) log.info(`no longer: ${failure}`);
    } catch (error) {
      if (!this.#failing.has(failure) && !this.#stop.signal.aborted) log.warn({ err: error }, failure);
      this.#failing.add(failure);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await withDeadline(this.#running ?? Promise.resolve(), CLOSE_MS, 'closing the watch').catch(
      () => undefined,
    );
    await this.#postgres[Symbol.asyncDispose]();
    this.#stepDown();
  }
}
