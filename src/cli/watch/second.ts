import { latencyOf } from './lane-record.js';
import type { WatchRecord } from './record.js';
import type { ServiceView } from './service.js';
import { milliseconds, thousands, unknownOr, isoTime } from './words.js';

/** Counts at the end of a stretch of time. */
interface Counted {
  readonly ms: number;
  readonly asked: number;
  readonly answered: number;
  readonly failed: number;
  readonly versions: ReadonlyMap<string, number>;
}

const NONE: Counted = { ms: 0, asked: 0, answered: 0, failed: 0, versions: new Map() };

/** Says what came since the last time it said so. */
export class Seconds {
  readonly #record: WatchRecord;
  #before = NONE;

  constructor(record: WatchRecord) {
    this.#record = record;
  }

  next(service: ServiceView, nowMs: number, at: Date) {
    const record = this.#record;
    const before = this.#before;
    const { versions } = record.answerers;
    const now: Counted = {
      ms: nowMs,
      asked: record.sum('asked'),
      answered: record.sum('answered'),
      failed: record.sum('failed'),
      versions: new Map(versions.map(({ name, answered }) => [name, answered])),
    };
    this.#before = now;
    const { instances, point, completeAt, source, totals, missing, extra, missingAt, away } = service;
    return {
      at: at.toISOString(),
      ms: Math.round(now.ms - before.ms),
      asked: now.asked - before.asked,
      answered: now.answered - before.answered,
      failed: now.failed - before.failed,
      gaps: record.sum('gaps'),
      latencyMs: latencyOf(record.lanes.flatMap((lane) => lane.tookSince(before.ms))) ?? null,
      versions: [...now.versions].flatMap(([version, answered]) => {
        const since = answered - (before.versions.get(version) ?? 0);
        return since > 0 ? [{ version, answered: since }] : [];
      }),
      service: {
        ...{ source, totals, missing, extra, away },
        missingAt: isoTime(missingAt),
        completeAt: isoTime(completeAt),
        backlog: point?.backlog ?? null,
        answeredPerSecond: point?.answered ?? null,
        failedPerSecond: point?.failed ?? null,
        instances: instances.map(({ seenMs, ...instance }) => ({ ...instance, seenMs: Math.round(seenMs) })),
      },
    };
  }
}

export type Second = ReturnType<Seconds['next']>;

/** One quiet line. */
export function describeSecond(second: Second): string {
  const { ms, answered, failed, latencyMs, versions, service } = second;
  const { totals, missing, source, away, instances } = service;
  const rate = ((answered / ms) * 1_000).toFixed(1);
  const latency = latencyMs ? `, p50 ${milliseconds(latencyMs.p50)}, p99 ${milliseconds(latencyMs.p99)}` : '';
  const by = versions.map(({ version, answered: n }) => `${version}: ${n}`).join(', ');
  const living = (kind: 'api' | 'worker') =>
    instances.filter(({ process, state }) => process === kind && state === 'ready').length;
  return [
    `${answered} answered (${rate}/s${latency})${by ? ` by ${by}` : ''}, ${failed} failed`,
    totals
      ? `accepted ${thousands(totals.accepted)}, logged ${thousands(totals.logged)}, pending ${thousands(totals.pending)}`
      : 'totals unknown',
    `missing ${unknownOr(missing)}`,
    source === 'live'
      ? `${living('api')} API, ${living('worker')} worker ready`
      : `${living('api')} API seen`,
    ...(away.length > 0 ? [`✗ away: ${away.join(', ')}`] : []),
  ].join('; ');
}
