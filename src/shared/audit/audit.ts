import { lastForgotten, readRuns, type Run } from './audit-ledger.js';
import { narrowDown } from './audit-narrowing.js';
import { addUp, NOTHING, type ChunkDifference, type Tally } from './audit-tally.js';
import { bucketRetention, type BucketName } from '../bucket.js';
import { countRange } from '../counts.js';
import { DAY, MINUTE, SECOND } from '../duration.js';
import type { Influx } from '../influx.js';
import type { Postgres } from '../postgres.js';

/** Counts on their way to InfluxDB at once. */
const COUNTS_AT_ONCE = 4;

export interface AuditStores {
  readonly postgres: Postgres;
  readonly influx: Influx;
  readonly bucket: BucketName;
}

export interface AuditOptions {
  /** The window: chunks that were accepted from so long ago on. */
  readonly sinceMs: number;
  /** Whether a difference is traced to the very chunks. */
  readonly narrow?: boolean;
}

export interface InstanceAudit extends Tally {
  readonly instance: string;
  readonly balanced: boolean;
}

/** Numbers that the ledger does not have, both inclusive: nobody can tell what was in those chunks. */
interface Gap {
  readonly instance: string;
  readonly from: number;
  readonly to: number;
}

export interface Audit extends Tally {
  /** Nothing is missing, nothing is extra, and no number is. */
  readonly balanced: boolean;
  readonly instances: readonly InstanceAudit[];
  readonly gaps: readonly Gap[];
  /** Where it was narrowed down: the chunks that differ. */
  readonly chunks: readonly ChunkDifference[];
}

/** The window reaches further back than a store keeps. */
export class WindowError extends Error {
  readonly code = 'WINDOW';
  /** A window that would do, as it is written. */
  readonly longest: string;

  constructor(
    reason: string,
    readonly longestMs: number,
  ) {
    super(reason);
    this.name = 'WindowError';
    this.longest = roundedDown(longestMs);
  }
}

/**
 * Compares what the ledger says was accepted with what InfluxDB counts, for a window. The ledger is read first: what is
 * logged afterwards is no surplus, for it is counted only where the ledger expects it.
 *
 * @throws {WindowError} when the bucket or the ledger does not reach back so far.
 * @throws {LedgerError} or {@link InfluxError} when a store does not answer.
 */
export async function audit(stores: AuditStores, { sinceMs, narrow = false }: AuditOptions): Promise<Audit> {
  const since = Math.max(0, Date.now() - sinceMs);
  await requireBucketSince(stores, since);
  const runs = await readRuns(stores.postgres, nanoseconds(since));
  await requireLedgerSince(stores, since); // what was forgotten meanwhile counts as well
  const gaps = findGaps(runs);
  const parts = await inParallel(runs, (run) => examine(stores, run, narrow));
  const instances = [...new Set(runs.map(({ instance }) => instance))].map((instance) => ({
    instance,
    ...judge(
      parts.filter((part) => part.instance === instance),
      gaps.filter((gap) => gap.instance === instance),
    ),
  }));
  return { ...judge(parts, gaps), instances, gaps, chunks: parts.flatMap(({ chunks }) => chunks) };
}

/** {@link audit} of the window, or of as much of it as the stores keep. */
export async function auditWhatIsKept(stores: AuditStores, options: AuditOptions): Promise<Audit> {
  return audit(stores, options).catch((error: unknown) => {
    if (!(error instanceof WindowError)) throw error;
    return audit(stores, { ...options, sinceMs: Math.max(0, error.longestMs) });
  });
}

interface Part extends Tally {
  readonly instance: string;
  readonly chunks: readonly ChunkDifference[];
}

async function examine({ postgres, influx }: AuditStores, run: Run, narrow: boolean): Promise<Part> {
  const { instance, expectation, accepted, quarantined, dropped } = run;
  const expected = accepted - quarantined - dropped;
  const part = { ...NOTHING, instance, accepted, quarantined, dropped, chunks: [] };
  if (expectation === 'pending') return { ...part, pending: expected };
  const logged = await countRange(influx, run);
  if (logged !== expected && narrow) return { instance, ...(await narrowDown(postgres, influx, run)) };
  return { ...part, logged, missing: Math.max(0, expected - logged), extra: Math.max(0, logged - expected) };
}

function judge(tallies: readonly Tally[], gaps: readonly Gap[]): Tally & { balanced: boolean } {
  const sum = addUp(tallies);
  return { ...sum, balanced: sum.missing === 0 && sum.extra === 0 && gaps.length === 0 };
}

/** Numbers between the chunks of an instance; before its first one only where all of it is in the window. */
function findGaps(runs: readonly Run[]): Gap[] {
  const gaps: Gap[] = [];
  let previous: Run | undefined;
  for (const run of runs) {
    const { instance, forgotten } = run;
    const expected = previous?.instance === instance ? previous.to + 1 : (run.begin ?? run.from);
    const from = Math.max(expected, forgotten + 1);
    if (from < run.from) gaps.push({ instance, from, to: run.from - 1 });
    previous = run;
  }
  return gaps;
}

async function requireBucketSince({ influx, bucket }: AuditStores, since: number): Promise<void> {
  const keptMs = await bucketRetention(influx, bucket);
  if (Date.now() - keptMs > since + SECOND)
    throw new WindowError('the bucket does not keep operations for so long', keptMs);
}

async function requireLedgerSince({ postgres }: AuditStores, since: number): Promise<void> {
  const forgotten = await lastForgotten(postgres);
  if (forgotten === null || BigInt(forgotten) < BigInt(nanoseconds(since))) return;
  const keptMs = Date.now() - Number(BigInt(forgotten) / 1_000_000n);
  // What is deleted while someone tries again is a step of retention away.
  throw new WindowError('the ledger has deleted chunks since then', keptMs - MINUTE);
}

/** A duration that is written in one unit, and no longer. */
function roundedDown(ms: number): string {
  const units = [
    ['d', DAY],
    ['h', 60 * MINUTE],
    ['m', MINUTE],
  ] as const;
  const exact = units.find(([, unit]) => ms >= unit && ms % unit === 0);
  const [name, unit] = exact ?? (ms >= 2 * MINUTE ? (['m', MINUTE] as const) : (['s', SECOND] as const));
  return `${Math.max(0, Math.floor(ms / unit))}${name}`;
}

const nanoseconds = (ms: number): string => String(BigInt(Math.trunc(ms)) * 1_000_000n);

/** Settles as the first failure does, and begins nothing after it. */
async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const rest = items.entries();
  let failed = false;
  const take = async () => {
    for (const [index, item] of rest) {
      if (failed) return;
      results[index] = await work(item);
    }
  };
  const taking = Array.from({ length: COUNTS_AT_ONCE }, () =>
    take().catch((error: unknown) => {
      failed = true;
      throw error;
    }),
  );
  await Promise.all(taking);
  return results;
}
