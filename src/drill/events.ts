import { setTimeout as delay } from 'node:timers/promises';
import { MINUTE } from '../shared/duration.js';
import type { Fleet } from './processes/fleet.js';
import type { Excuse } from './verdict/judgement.js';
import type { Networks } from './processes/networks.js';
import type { Random } from './clients/random.js';
import type { StoreName, Store } from './stores/store.js';
import type { Underway } from './verdict/underway.js';

/** What events happen to. */
export interface Scenery {
  readonly apis: Fleet;
  readonly workers: Fleet;
  readonly stores: Readonly<Record<StoreName, Store>>;
  readonly networks: Networks;
  readonly backlog: Underway;
  readonly random: Random;
  /** Milliseconds since the drill began. */
  readonly now: () => number;
  /** Requests that this explains may fail. */
  readonly excuse: (excuse: Excuse) => void;
  readonly signal: AbortSignal;
}

type Part = 'api' | 'worker' | StoreName;

/** Something that happens to a running Tally, and that it is brought back from. */
export interface DrillEvent {
  readonly summary: string;
  /** What it happens to: two events that share none of it may happen at once. */
  readonly hits: readonly Part[];
  /** Done on purpose and with care: no request may fail. */
  readonly graceful?: true;
  /** The server itself is stopped or killed, or loses its data: it must be one of our own. */
  readonly harms?: StoreName;
  /** It happens on the way to this store. */
  readonly stalls?: StoreName;
  /** Redis forgets what it held. */
  readonly forgets?: true;
  /** It happens where a plan names it, and never at random. */
  readonly onlyNamed?: true;
  /** Resolves when all is healed, with what it happened to. */
  readonly run: (scenery: Scenery) => Promise<string>;
}

/** How long a store is away: at the least and at the most, in milliseconds. */
const AWAY_MS = [500, 2_000] as const;
const STALLED_MS = [500, 3_000] as const;
const OUTAGE_MS = [5_000, 8_000] as const;

const CAUGHT_UP_MS = MINUTE;

/** Longer than a drill's batches take to fill: at least one is sent meanwhile. */
const UNHEARD_MS = 2_000;

/** How long Redis alone takes what is accepted, before it is killed. */
const ALONE_MS = 1_000;

const STORES = ['redis', 'postgres', 'influxdb'] as const;

const both = ({ apis, workers }: Scenery) => [apis, workers];

const STORE_EVENTS = STORES.flatMap((store): readonly (readonly [string, DrillEvent])[] => [
  [
    `restart-${store}`,
    {
      summary: `${store} is stopped gracefully and started again`,
      hits: [store],
      harms: store,
      run: async ({ stores }) => {
        await stores[store].stop();
        await stores[store].start();
        return store;
      },
    },
  ],
  [
    `kill-${store}`,
    {
      summary: `kill -9 of ${store}, which comes back with its data a moment later`,
      hits: [store],
      harms: store,
      run: (scenery) => outage(scenery, store, AWAY_MS),
    },
  ],
  [
    `stall-${store}`,
    {
      summary: `the network to ${store} stalls: connections stay, and nothing passes`,
      hits: [store],
      stalls: store,
      run: async ({ networks, random, signal }) => {
        networks.stall(store);
        try {
          await delay(random.between(...STALLED_MS), undefined, { signal });
        } finally {
          networks.resume(store);
        }
        return store;
      },
    },
  ],
]);

export const EVENTS: ReadonlyMap<string, DrillEvent> = new Map<string, DrillEvent>([
  [
    'roll',
    {
      summary: 'a rolling update of all API and worker processes',
      hits: ['api', 'worker'],
      graceful: true,
      run: async (scenery) => {
        await Promise.all(both(scenery).map((fleet) => fleet.roll()));
        return 'api, worker';
      },
    },
  ],
  ...(['api', 'worker'] as const).flatMap((kind): readonly (readonly [string, DrillEvent])[] => [
    [
      `roll-${kind}`,
      {
        summary: `a rolling update of all ${kind} processes`,
        hits: [kind],
        graceful: true,
        run: async (scenery) => {
          await fleetOf(scenery, kind).roll();
          return kind;
        },
      },
    ],
    [
      `scale-${kind}`,
      {
        summary: `half as many ${kind} processes more, then half as many, then as before`,
        hits: [kind],
        graceful: true,
        run: async (scenery) => {
          const fleet = fleetOf(scenery, kind);
          const { replicas } = fleet;
          const steps = [replicas + Math.ceil(replicas / 2), Math.ceil(replicas / 2), replicas];
          for (const step of steps) await fleet.scale(step);
          return `${kind}: ${[replicas, ...steps].join(', ')}`;
        },
      },
    ],
    [
      `kill-${kind}`,
      {
        summary: `kill -9 of one ${kind} process, which is replaced`,
        hits: [kind],
        run: (scenery) => kill(scenery, kind),
      },
    ],
  ]),
  ...STORE_EVENTS,
  [
    'flush-redis',
    {
      summary: 'FLUSHALL: Redis forgets everything',
      hits: ['redis'],
      harms: 'redis',
      forgets: true,
      // What Postgres missed and Redis then forgets is lost by both: that is not promised.
      run: async ({ backlog, signal }) => {
        if (!(await backlog.ledgerHasAll(CAUGHT_UP_MS, signal)))
          throw new Error('flush-redis: the ledger did not catch up with the queue within a minute');
        await backlog.flushRedis();
        return 'redis';
      },
    },
  ],
  [
    'lost-answer',
    {
      summary:
        'InfluxDB stores what is sent and its answers do not arrive; a worker is killed that waits for one',
      hits: ['influxdb', 'worker'],
      stalls: 'influxdb',
      onlyNamed: true,
      run: async (scenery) => {
        const { networks, signal } = scenery;
        networks.stallAnswers('influxdb');
        try {
          await delay(UNHEARD_MS, undefined, { signal });
          return await kill(scenery, 'worker');
        } finally {
          networks.resume('influxdb');
        }
      },
    },
  ],
  [
    'redis-alone',
    {
      summary:
        'Postgres is away for a second; then kill -9 of a worker and of Redis, which alone had that second',
      hits: ['redis', 'postgres', 'worker'],
      harms: 'redis',
      onlyNamed: true,
      run: async (scenery) => {
        const { redis, postgres } = scenery.stores;
        await postgres.kill();
        await delay(ALONE_MS, undefined, { signal: scenery.signal });
        const killed = kill(scenery, 'worker');
        await redis.kill();
        await Promise.all([redis.start(), postgres.start()]);
        return `redis, ${await killed}`;
      },
    },
  ],
  [
    'outage-influxdb',
    {
      summary: 'InfluxDB is down for some seconds',
      hits: ['influxdb'],
      harms: 'influxdb',
      run: (scenery) => outage(scenery, 'influxdb', OUTAGE_MS),
    },
  ],
]);

/** The event of this name; `scale-api:5` is to five and back. */
export function eventNamed(name: string): DrillEvent | undefined {
  const [, kind, replicas] = /^scale-(api|worker):([1-9]\d*)$/.exec(name) ?? [];
  if (replicas === undefined) return EVENTS.get(name);
  return {
    summary: `as many ${kind} processes as ${replicas}, then as before`,
    hits: [kind as 'api' | 'worker'],
    graceful: true,
    run: async (scenery) => {
      const fleet = fleetOf(scenery, kind as 'api' | 'worker');
      const before = fleet.replicas;
      for (const step of [Number(replicas), before]) await fleet.scale(step);
      return `${kind}: ${before}, ${replicas}, ${before}`;
    },
  };
}

function fleetOf({ apis, workers }: Scenery, kind: 'api' | 'worker'): Fleet {
  return kind === 'api' ? apis : workers;
}

async function kill(scenery: Scenery, kind: 'api' | 'worker'): Promise<string> {
  const { random, now, excuse } = scenery;
  const fleet = fleetOf(scenery, kind);
  if (fleet.replicas === 0) return 'nobody';
  const fromMs = now();
  const { instance, forgotten, replaced } = await fleet.kill(random);
  const goneMs = now();
  await forgotten;
  if (kind === 'api') excuse({ why: 'killed', endpoint: instance, fromMs, goneMs, toMs: now() });
  await replaced;
  return instance;
}

async function outage(
  { stores, random, signal }: Scenery,
  store: StoreName,
  awayMs: readonly [number, number],
): Promise<string> {
  await stores[store].kill();
  await delay(random.between(...awayMs), undefined, { signal });
  await stores[store].start();
  return store;
}
