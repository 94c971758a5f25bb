/**
 * What the live page and `tally watch` are told over `GET /live/events` (server-sent events, each with JSON): first a
 * `snapshot`; then a `state` twice a second, a `point` each second, and `quarantine` when it has changed. A process that
 * drains says `moving` and ends the stream: whoever comes back is told by another one.
 */
export interface LiveEvents {
  readonly snapshot: LiveSnapshot;
  readonly state: LiveState;
  readonly point: LivePoint;
  readonly quarantine: LiveQuarantine;
  readonly moving: Record<string, never>;
}

/** All that the process which answers knows. */
export interface LiveSnapshot {
  /** Whether `POST /crash` is there. */
  readonly crash: boolean;
  /** The last minutes, oldest first: what this process has seen of them. */
  readonly points: readonly LivePoint[];
  readonly state: LiveState;
  readonly quarantine: LiveQuarantine;
}

/** How things are at one moment. All times are Unix milliseconds. */
export interface LiveState {
  readonly at: number;
  /** The instance that tells it. */
  readonly servedBy: string;
  /** Of all the ledger keeps; null while it does not answer. */
  readonly totals: LiveTotals | null;
  /** The last audit of the last hour; null until there is one. */
  readonly audit: LiveAudit | null;
  /** When it was last so that nothing was pending and an audit begun after that found nothing missing or extra. */
  readonly completeAt: number | null;
  /** All instances of API and worker: first those that live, and then those that are gone, the latest first. */
  readonly instances: readonly LiveInstance[];
  /** Stores that some living instance finds away, by name: queue, queue-0, ledger, influxdb. */
  readonly away: readonly string[];
}

/** Operations: `accepted = logged + quarantined + dropped + pending`, as the ledger knows it. */
export interface LiveTotals {
  readonly at: number;
  readonly accepted: number;
  readonly logged: number;
  readonly quarantined: number;
  readonly dropped: number;
  readonly pending: number;
  /** Of the oldest pending operation, in seconds; 0 when there is none. */
  readonly oldestPendingSeconds: number;
}

/** What the stores themselves say of the last hour: the ledger's chunks against what InfluxDB counts. */
export interface LiveAudit {
  /** When it began. */
  readonly at: number;
  readonly balanced: boolean;
  readonly accepted: number;
  readonly logged: number;
  readonly quarantined: number;
  readonly dropped: number;
  readonly pending: number;
  readonly missing: number;
  readonly extra: number;
}

export interface LiveInstance {
  readonly process: 'api' | 'worker';
  readonly instance: string;
  readonly version: string;
  readonly commit: string;
  /** `stopped`: it said that its drain is over. `gone`: it has said nothing for three seconds. */
  readonly state: 'starting' | 'ready' | 'draining' | 'stopped' | 'gone';
  readonly startedAt: number;
  readonly lastSeenAt: number;
  /** Operations since its start. Of an API: */
  readonly accepted?: number;
  readonly refused?: number;
  /** Of a worker: */
  readonly logged?: number;
  readonly quarantined?: number;
}

/** One second of all instances together. */
export interface LivePoint {
  /** The end of it. */
  readonly at: number;
  /** Answers to `POST /sum` a second: 200; 4xx; 5xx. */
  readonly answered: number;
  readonly rejected: number;
  readonly failed: number;
  /** Of these answers; null when there was none. */
  readonly latencyMs: Quantiles | null;
  /** Operations accepted and not logged; null while the ledger does not answer. */
  readonly backlog: number | null;
  /** From acceptance to InfluxDB, of the chunks that were logged in this second; null when there was none. */
  readonly loggedAfterSeconds: Quantiles | null;
  /** Batches that left for InfluxDB, by their reason. */
  readonly batches: { readonly size: number; readonly interval: number; readonly drain: number };
}

/** Estimated from a histogram's buckets. */
export interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

/** What waits in quarantine for somebody's decision: how much, and the latest lines. */
export interface LiveQuarantine {
  readonly total: number;
  readonly lines: readonly {
    readonly id: number;
    readonly chunk: string;
    readonly line: string;
    readonly reason: string;
    readonly status: number;
    /** ISO 8601. */
    readonly refusedAt: string;
  }[];
}
