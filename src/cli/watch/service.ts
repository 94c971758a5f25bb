import { SECOND } from '../../shared/duration.js';
import type { CountsFeed } from './counts-feed.js';
import type { Source } from './events.js';
import type { FeedStatus, LiveFeed } from './live-feed.js';
import type { SeenPoint, SeenState } from './live-reading.js';
import type { WatchRecord } from './record.js';

/** What was heard so long ago is not shown as if it were so now. */
export const FRESH_MS = 2 * SECOND;

/** Without the live page an instance that has not answered for so long is not seen; later it is not shown. */
export const SEEN_MS = 10 * SECOND;
const SHOWN_MS = 60 * SECOND;

export interface SeenInstance {
  readonly process: 'api' | 'worker';
  readonly instance: string;
  readonly version: string;
  readonly state: string;
  /** How long ago it was last seen. */
  readonly seenMs: number;
  readonly accepted?: number | undefined;
  readonly logged?: number | undefined;
}

interface SeenTotals {
  readonly accepted: number;
  readonly logged: number;
  readonly quarantined: number;
  readonly dropped: number;
  readonly pending: number;
}

/** How the service is, as far as it tells. */
export interface ServiceView {
  readonly source: Source;
  /** Which totals these are, or why there are none. */
  readonly about: string;
  readonly totals: SeenTotals | null;
  /** Due and not in InfluxDB, and there beyond what was accepted; of the last hour. */
  readonly missing: number | null;
  readonly extra: number | null;
  /** When that was found, as Unix time in milliseconds. */
  readonly missingAt: number | null;
  /** When everything accepted was last found logged, as Unix time in milliseconds. */
  readonly completeAt: number | null;
  readonly oldestPendingSeconds: number | null;
  /** The last second of all instances. */
  readonly point: SeenPoint | null;
  readonly instances: readonly SeenInstance[];
  readonly away: readonly string[];
}

const ABOUT = {
  live: 'all that the ledger keeps',
  off: 'LIVE_PAGE is off there: totals are those of GET /counts of the last hour',
  connecting: '', // too early to say
  on: '/live/events has fallen silent',
  away: '/live/events does not answer',
  strange: '/live/events tells what this version of tally does not understand',
} as const satisfies Record<FeedStatus | 'live', string>;

const UNKNOWN = {
  totals: null,
  missing: null,
  extra: null,
  missingAt: null,
  completeAt: null,
  oldestPendingSeconds: null,
  point: null,
  away: [],
};

interface Feeds {
  readonly live: Pick<LiveFeed, 'status' | 'state' | 'point' | 'audit' | 'completeAt' | 'heardAt'>;
  readonly counts: Pick<CountsFeed, 'counts' | 'at' | 'completeAt'>;
}

/** Puts together what is known of the service; `now` as `performance.now()` has it, `nowMs` of the watch. */
export function viewService(
  { live, counts }: Feeds,
  record: Pick<WatchRecord, 'told'>,
  now: number,
  nowMs: number,
): ServiceView {
  const heardMs = now - live.heardAt;
  if (live.state && heardMs < FRESH_MS && live.status !== 'off') return viewLive(live, live.state, heardMs);
  const instances = answering(record, nowMs);
  if (live.status === 'off')
    return { ...UNKNOWN, source: 'counts', about: ABOUT.off, instances, ...viewCounts(counts) };
  const silent = live.status === 'connecting' && live.state !== undefined;
  return { ...UNKNOWN, source: 'none', about: ABOUT[silent ? 'on' : live.status], instances };
}

function viewLive(
  { point, audit, completeAt }: Feeds['live'],
  state: SeenState,
  heardMs: number,
): ServiceView {
  const { totals, instances, away, at } = state;
  return {
    source: 'live',
    about: ABOUT.live,
    totals,
    missing: audit?.missing ?? null,
    extra: audit?.extra ?? null,
    missingAt: audit?.at ?? null,
    completeAt,
    oldestPendingSeconds: totals?.oldestPendingSeconds ?? null,
    point: point ?? null,
    // By the clock of who tells it: ours may differ.
    instances: instances.map(({ lastSeenAt, ...rest }) => ({ ...rest, seenMs: at - lastSeenAt + heardMs })),
    away,
  };
}

function viewCounts({ counts, at, completeAt }: Feeds['counts']): Partial<ServiceView> {
  if (!counts) return { completeAt };
  const { missing, extra, ...totals } = counts;
  return { totals, missing, extra, missingAt: at, completeAt };
}

/** Those that told their version themselves. */
function answering({ told }: Pick<WatchRecord, 'told'>, nowMs: number): readonly SeenInstance[] {
  return [...told.values()]
    .filter(({ ms }) => nowMs - ms < SHOWN_MS)
    .map(({ instance, version, state, ms }) => {
      const seenMs = nowMs - ms;
      return { process: 'api', instance, version, state: seenMs < SEEN_MS ? state : 'not seen', seenMs };
    });
}
