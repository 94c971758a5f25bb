import { MINUTE, SECOND } from '../../shared/duration.js';
import type { Ended } from '../processes/fleet.js';
import type { RequestRecord } from '../clients/record.js';
import type { Progress } from '../watch.js';

/** A process that has ended, and how long it may have taken; `undefined` where nothing is promised. */
export interface JudgedEnd extends Ended {
  readonly limitMs: number | undefined;
}

/** A stretch of time, in milliseconds of the drill. */
interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

interface Circumstances {
  readonly record: Pick<RequestRecord, 'acknowledged' | 'sentMs' | 'tookMs' | 'began'>;
  /** While something was broken, and until all that it held up was logged; or the machine was overrun. */
  readonly faults: readonly Span[];
  readonly shutdownDelayMs: number;
}

/** A machine on which more than so many wait for each core gives nobody his time. */
const MOST_PRESSURE = 4;

/** The load average looks back over about a minute. */
const LOOKS_BACK_MS = MINUTE;

/** When the machine had more to do than it can. */
export function overruns(samples: readonly Pick<Progress, 'ms' | 'pressure'>[]): readonly Span[] {
  return samples
    .filter(({ pressure }) => pressure > MOST_PRESSURE)
    .map(({ ms }) => ({ fromMs: ms - LOOKS_BACK_MS, toMs: ms + SECOND }));
}

/** What a process may take beyond what it waits for. */
const GRACE_MS = SECOND;

/**
 * Says how long each may take to end: an API `SHUTDOWN_DELAY`, its longest request and a second; a worker a second,
 * since InfluxDB answers. Nothing is promised of one that was killed, nor while something is broken.
 */
export function withLimits(
  ended: readonly Ended[],
  { record, faults, shutdownDelayMs }: Circumstances,
): readonly JudgedEnd[] {
  const longest = longestRequests(ended, record);
  return ended.map((one) => {
    const [fromMs, toMs] = [one.from - record.began, one.to - record.began];
    const disturbed = faults.some((fault) => fault.fromMs <= toMs && fault.toMs >= fromMs);
    const waits = one.kind === 'api' ? shutdownDelayMs + (longest.get(one.instance) ?? 0) : 0;
    return { ...one, limitMs: one.why === 'asked' && !disturbed ? waits + GRACE_MS : undefined };
  });
}

/** By instance, of the requests that were on their way when it was asked to end, or came later. */
function longestRequests(
  ended: readonly Ended[],
  { acknowledged, sentMs, tookMs, began }: Circumstances['record'],
): ReadonlyMap<string, number> {
  const fromMs = new Map(ended.map(({ instance, from }) => [instance, from - began]));
  const longest = new Map<string, number>();
  for (const [id, serial] of acknowledged) {
    const instance = id.slice(id.indexOf('-') + 1);
    const from = fromMs.get(instance);
    const ms = tookMs[serial - 1] ?? 0;
    if (from === undefined || (sentMs[serial - 1] ?? 0) + ms < from) continue;
    longest.set(instance, Math.max(ms, longest.get(instance) ?? 0));
  }
  return longest;
}

/** What is wrong with the ways processes ended, in sentences. `answered`: operations by the instance that answered. */
export function endingFaults(ended: readonly JudgedEnd[], answered: ReadonlyMap<string, number>): string[] {
  return ended.flatMap((one) => [
    ...(receiptFault(one, answered.get(one.instance) ?? 0) ?? []),
    ...(lateness(one) ?? []),
  ]);
}

function lateness({ kind, instance, ending: { ms }, limitMs = Infinity }: JudgedEnd): [string] | undefined {
  if (ms <= limitMs) return undefined;
  return [`the ${kind} ${instance} took ${Math.round(ms)} ms to end, and may take ${Math.round(limitMs)} ms`];
}

/** Nothing is asked of a killed one. */
function receiptFault({ kind, instance, why, ending }: Ended, answered: number): [string] | undefined {
  if (why === 'killed') return undefined;
  const name = `the ${kind} ${instance}`;
  const { code, signal, receipt } = ending;
  const end = signal ?? `exit code ${code}`;
  if (why === 'by itself') return [`${name} ended by itself with ${end}: ${ending.fatal ?? 'no word why'}`];
  if (!receipt) return [`${name} ended with ${end} and without a receipt`];
  const { accepted, cut = 0, unaccounted } = receipt as Readonly<Record<string, number>>;
  if (code !== 0) return [`${name} ended with ${end} and ${unaccounted} unaccounted`];
  if (kind === 'worker') return undefined;
  if (cut > 0) return [`${name} cut ${cut} requests`];
  if (!(Number(accepted) >= answered))
    return [`${name} answered ${answered} operations and accounts for ${accepted}`];
  return undefined;
}
