import { setTimeout as delay } from 'node:timers/promises';
import { MINUTE, SECOND } from '../../src/shared/duration.js';
import { LEASE_MS } from '../../src/shared/ledger.js';
import type { StoreName } from '../../src/drill/stores/store.js';
import { until } from '../latch.js';
import { sum } from '../system/scene.js';
import type { TcpProxy } from '../../src/drill/processes/tcp-proxy.js';
import type { Arena } from './arena.js';
import type { Refusal } from './influx-front.js';
import type { Member } from './member.js';
import type { Random } from '../../src/drill/clients/random.js';

type Part = 'api' | 'worker' | StoreName;

/** Something that goes wrong, and is put right again. */
export interface Fault {
  readonly name: string;
  /** What it takes away. */
  readonly hits: readonly Part[];
  /** Redis comes back without what it held. */
  readonly forgets?: true;
  /** Drawn in sequences alone: the same on all connections has a case of its own. */
  readonly drawnOnly?: true;
  /** How long the case of its own takes: long ones are left out of `npm test`, endless ones of sequences as well. */
  readonly takes?: 'long' | 'endless';
  /** From being there to being healed, in milliseconds: at the least and at the most. */
  readonly lasts: readonly [number, number];
  /** Resolves when it is there. */
  inject(arena: Arena, random: Random): Promise<void>;
  heal(arena: Arena): Promise<void>;
}

/** Beyond what the API gives a store, 500 ms, and what a worker gives a mark, a second. */
const LATE_MS = 1_200;

/** Beyond what the worker gives InfluxDB, 10 s. */
const INFLUX_LATE_MS = 11 * SECOND;

/** A worker's lock, 10 s, and the look-out for lost ones, every 5 s. */
const LOCK_LOST_MS = 15 * SECOND;
const PAST_LOCK_MS = 11 * SECOND;

const WAITING = 200;

/** Longer than a worker's backoff and a lost lock. */
export const CATCHING_UP_MS = 60 * SECOND;

/** Until a lock is lost, and whichever relay comes first has taken the chunk in its turn. */
const HELD_MS = 60 * SECOND;

const PAST_LEASE_MS = LEASE_MS + 5 * SECOND;

const killed: readonly Fault[] = [
  {
    name: 'kill -9 of an API',
    hits: ['api'],
    lasts: [0, 1_500],
    inject: (arena, random) => random.pick(arena.apis).kill(),
    heal: async ({ apis }) => void (await Promise.all(apis.map((api) => api.revive()))),
  },
  {
    name: 'kill -9 of a worker',
    hits: ['worker'],
    takes: 'long',
    lasts: [0, 1_500],
    inject: (arena, random) => random.pick(arena.workers).kill(),
    heal: async ({ workers }) => void (await Promise.all(workers.map((worker) => worker.revive()))),
  },
  ...(['redis', 'postgres', 'influxdb'] as const).map((store): Fault => ({
    name: `kill -9 of ${store}`,
    hits: [store],
    lasts: [0, 2_000],
    inject: ({ servers }) => servers[store].kill(),
    heal: ({ servers }) => servers[store].start(),
  })),
];

const forgetting: readonly Fault[] = [
  {
    name: 'Redis FLUSHALL',
    hits: ['redis'],
    forgets: true,
    lasts: [0, 500],
    inject: async ({ redis }) => void (await redis.flushall()),
    heal: async () => undefined,
  },
  {
    name: 'Redis FLUSHALL with a full queue',
    hits: ['redis', 'influxdb'],
    forgets: true,
    lasts: [0, 500],
    inject: async (arena) => {
      await fillQueue(arena);
      await arena.redis.flushall();
    },
    heal: async ({ front }) => front.refuse(undefined),
  },
  {
    name: 'Redis back with an empty disk, with a full queue',
    hits: ['redis', 'influxdb'],
    forgets: true,
    lasts: [0, 500],
    inject: async (arena) => {
      await fillQueue(arena);
      await arena.emptyRedis();
    },
    heal: async ({ front }) => front.refuse(undefined),
  },
];

/** More than both workers take in hand, so that chunks wait which nobody but the queue and the ledger has. */
async function fillQueue(arena: Arena): Promise<void> {
  const filled = async () => (await arena.queue.getWaitingCount()) >= WAITING;
  do {
    arena.front.refuse(undefined); // what the ledger has not, it gets from the workers
    await arena.ledgerCatchesUp(CATCHING_UP_MS);
    arena.front.refuse({ status: 503 });
    await until(filled);
  } while (!(await arena.ledgerCatchesUp(SECOND)));
}

const full: readonly Fault[] = [
  {
    name: 'Redis at maxmemory with noeviction',
    hits: ['redis'],
    lasts: [500, 3_000],
    inject: async ({ redis }) => void (await redis.config('SET', 'maxmemory', 1)),
    heal: async ({ redis }) => void (await redis.config('SET', 'maxmemory', 0)),
  },
  {
    name: 'Postgres out of connections',
    hits: ['postgres'],
    lasts: [500, 3_000],
    inject: (arena) => arena.limitConnections(0),
    heal: (arena) => arena.limitConnections(-1),
  },
];

const refusals: readonly Refusal[] = [
  { status: 401 },
  { status: 429, headers: { 'Retry-After': '1' } },
  { status: 500 },
  { status: 503 },
];

const refused = refusals.flatMap((refusal): Fault[] => {
  const fault: Fault = {
    name: `InfluxDB answering ${refusal.status}`,
    hits: ['influxdb'],
    lasts: [500, 3_000],
    inject: async ({ front }) => front.refuse(refusal),
    heal: async ({ front }) => front.refuse(undefined),
  };
  return [fault, { ...fault, name: `${fault.name} for a minute`, takes: 'endless', lasts: [MINUTE, MINUTE] }];
});

interface NetworkFault {
  readonly name: string;
  /** Stores with which its case takes long. */
  readonly long?: readonly StoreName[];
  readonly lasts: readonly [number, number];
  readonly inject: (network: TcpProxy, store: StoreName, random: Random) => Promise<void>;
}

const networkFaults: readonly NetworkFault[] = [
  { name: 'cut', lasts: [0, 0], inject: async (network) => network.cut() },
  { name: 'stalled', lasts: [500, 3_000], inject: async (network) => network.stall('both') },
  {
    name: 'answered after the deadline',
    long: ['influxdb'],
    lasts: [1_500, 3_000],
    inject: async (network, store) => network.delayAnswers(store === 'influxdb' ? INFLUX_LATE_MS : LATE_MS),
  },
  {
    name: 'cut before the acknowledgement of what was written',
    long: ['redis'],
    lasts: [0, 0],
    inject: async (network, _store, random) => {
      network.stall('answers');
      await delay(random.between(20, 400));
      network.cut();
      network.resume();
    },
  },
];

const network = (['redis', 'postgres', 'influxdb'] as const).flatMap((store) =>
  networkFaults.flatMap(({ name, long, lasts, inject }): Fault[] => {
    const takes = long?.includes(store) && ({ takes: 'long' } as const);
    const shared = { hits: [store], lasts, ...takes, heal: (arena: Arena) => resume(arena, store) };
    return [
      {
        ...shared,
        name: `each connection to ${store} ${name}`,
        inject: async (arena, random) => {
          await Promise.all(arena.networks(store).map((way) => inject(way, store, random)));
        },
      },
      {
        ...shared,
        name: `one process's connections to ${store} ${name}`,
        drawnOnly: true,
        inject: async (arena, random) => inject(random.pick(arena.networks(store)), store, random),
      },
    ];
  }),
);

async function resume(arena: Arena, store: StoreName): Promise<void> {
  for (const way of arena.networks(store)) way.resume();
}

const together: readonly Fault[] = [
  {
    name: 'queue and ledger away: 503 with Retry-After',
    hits: ['redis', 'postgres'],
    lasts: [0, 1_500],
    inject: async (arena, random) => {
      const { servers, apis } = arena;
      await Promise.all([servers.redis.kill(), servers.postgres.kill()]);
      // Sums that no load asks for: one of these in InfluxDB is an operation that nobody was promised.
      for (const { process } of apis.filter(({ alive }) => alive)) {
        const { status, headers } = await sum(process, [-1 - random.between(0, 1e6)]);
        if (status !== 503 || headers.get('Retry-After') !== '1')
          throw new Error(`answered ${status} with both stores away`);
      }
    },
    heal: async ({ servers }) => {
      await Promise.all([servers.redis.start(), servers.postgres.start()]);
    },
  },
  {
    name: 'two workers and the relay holding the same chunk at once',
    hits: ['redis', 'postgres', 'influxdb', 'worker'],
    takes: 'long',
    lasts: [0, 0],
    inject: async (arena) => {
      const [one] = arena.workers;
      if (!one) throw new Error('there is no worker');
      arena.front.refuse({ status: 503 });
      const chunk = await nextChunkOf(one, arena);
      arena.front.refuse({ status: 503, line: chunk.line });
      // It keeps the chunk, cannot renew its lock, and its relay cannot ask what the queue holds.
      one.network.redis.stall('both');
      await until(() => isHeldThrice(chunk.id, arena), HELD_MS);
    },
    heal: async (arena) => {
      arena.front.refuse(undefined);
      await resume(arena, 'redis');
    },
  },
  {
    name: 'a worker frozen for longer than its locks, then woken',
    hits: ['worker'],
    takes: 'long',
    lasts: [PAST_LOCK_MS, LOCK_LOST_MS],
    inject: async ({ workers }, random) => random.pick(workers).freeze(),
    heal: wakeAll,
  },
  {
    name: 'a worker frozen for longer than its leases, then woken',
    hits: ['worker', 'redis', 'influxdb'],
    takes: 'endless',
    lasts: [PAST_LEASE_MS, PAST_LEASE_MS],
    inject: async (arena, random) => {
      arena.front.refuse({ status: 503 });
      await arena.servers.redis.kill();
      const worker = random.pick(arena.workers);
      await until(async () => (await leased(arena)).length > 0 && holdsLines(worker));
      worker.freeze();
    },
    heal: async (arena) => {
      arena.front.refuse(undefined);
      await arena.servers.redis.start();
      await wakeAll(arena);
    },
  },
];

async function wakeAll({ workers }: Arena): Promise<void> {
  for (const worker of workers) worker.wake();
}

async function holdsLines(worker: Member): Promise<boolean> {
  return (await worker.metric('tally_pending_lines')) > 0;
}

/** Chunks that a relay has claimed and holds. */
async function leased({ scene }: Arena): Promise<readonly string[]> {
  const rows = await scene.postgres.sql<{ id: string }[]>`
    SELECT id FROM chunks
    WHERE logged_at IS NULL AND due_at > now() + ${LEASE_MS / 2} * interval '1 millisecond'`;
  return rows.map(({ id }) => id);
}

/**
 * A chunk of queue and ledger that this worker takes from now on: what it has in hand may be stored already, and about to
 * be marked; and while the ledger rests, the queue alone is given chunks, of which no relay knows.
 */
async function nextChunkOf({ process }: Member, { queue, scene }: Arena) {
  const before = new Set(await queue.getRanges(['active'], 0, -1));
  let found: { readonly id: string; readonly line: string } | undefined;
  await until(async () => {
    const known = await scene.postgres.sql<{ id: string }[]>`SELECT id FROM chunks WHERE logged_at IS NULL`;
    const ids = new Set(known.map(({ id }) => id).filter((id) => !before.has(id)));
    const jobs = await queue.getActive();
    // Gone as soon as it is done: then its fields are missing.
    const held = jobs.find(
      (job) => job?.processedBy === process.instance && job.data?.lines && ids.has(job.id ?? ''),
    );
    const [line] = String(held?.data.lines ?? '').split('\n');
    if (held?.id && line) found = { id: held.id, line };
    return found !== undefined;
  });
  if (!found) throw new Error('it holds nothing');
  return found;
}

/** Held by a relay, and by a second worker because the first lost its lock; the first never gave it up. */
async function isHeldThrice(id: string, arena: Arena): Promise<boolean> {
  const job = await arena.queue.getJob(id);
  return (
    (job?.attemptsStarted ?? 0) > 1 && (await job?.isActive()) === true && (await leased(arena)).includes(id)
  );
}

export const FAULTS: readonly Fault[] = [
  ...killed,
  ...forgetting,
  ...full,
  ...refused,
  ...network,
  ...together,
];
