import { z } from 'zod';
import { versionName } from './answers.js';
import { printable } from './printable.js';

/** More instances than that are not shown. */
const MOST_INSTANCES = 500;

const name = z.string().transform(printable);
const number = z.number();
const count = number.nonnegative();

const totals = z.object({
  accepted: count,
  logged: count,
  quarantined: count,
  dropped: count,
  pending: count,
  oldestPendingSeconds: count,
});

const instance = z
  .object({
    process: z.enum(['api', 'worker']),
    instance: name,
    version: z.string(),
    commit: z.string(),
    state: name,
    lastSeenAt: number,
    accepted: count.optional(),
    logged: count.optional(),
  })
  .transform(({ version, commit, ...rest }) => ({ ...rest, version: versionName({ version, commit }) }));

const state = z.object({
  at: number,
  totals: totals.nullable(),
  audit: z.object({ at: number, missing: count, extra: count }).nullable(),
  completeAt: number.nullable(),
  instances: z.array(instance).transform((all) => all.slice(0, MOST_INSTANCES)),
  away: z.array(name).transform((all) => all.slice(0, MOST_INSTANCES)),
});

const point = z.object({ answered: count, rejected: count, failed: count, backlog: count.nullable() });

const snapshot = z.object({ state, points: z.array(point) });

/** What the watch takes from the events of `src/shared/live.ts`. */
export type SeenState = z.output<typeof state>;
export type SeenPoint = z.output<typeof point>;

export type LiveEvent =
  | { readonly event: 'state'; readonly state: SeenState; readonly point?: SeenPoint | undefined }
  | { readonly event: 'point'; readonly point: SeenPoint }
  | { readonly event: 'moving' }
  | { readonly event: 'not understood' };

/** One event of the stream; `undefined` for one that the watch has no use for. */
export function readLiveEvent(event: string | undefined, data: string): LiveEvent | undefined {
  const body = parse(data);
  switch (event) {
    case 'snapshot': {
      const read = snapshot.safeParse(body).data;
      return read ? { event: 'state', state: read.state, point: read.points.at(-1) } : NOT_UNDERSTOOD;
    }
    case 'state': {
      const read = state.safeParse(body).data;
      return read ? { event: 'state', state: read } : NOT_UNDERSTOOD;
    }
    case 'point': {
      const read = point.safeParse(body).data;
      return read ? { event: 'point', point: read } : NOT_UNDERSTOOD;
    }
    case 'moving':
      return { event: 'moving' };
    default:
      return undefined;
  }
}

const NOT_UNDERSTOOD = { event: 'not understood' } as const;

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
