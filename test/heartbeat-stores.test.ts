import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openPostgres, openRedis } from '../src/drill/stores/open-stores.js';
import type { Store } from '../src/drill/stores/store.js';
import { PostgresHeartbeats } from '../src/shared/heartbeats/heartbeat-postgres.js';
import { RedisHeartbeats } from '../src/shared/heartbeats/heartbeat-redis.js';
import type { HeartbeatStore } from '../src/shared/heartbeats/heartbeat-store.js';
import { quiet } from './accepting-store.js';
import { until } from './latch.js';
import { openLedger } from './ledger-database.js';
import { RedisCluster } from './system/redis-servers.js';

let redis: Store;
let postgres: Store;
beforeAll(async () => {
  [redis, postgres] = await Promise.all([openRedis(), openPostgres()]);
});
afterAll(() => Promise.all([redis, postgres].map((server) => server[Symbol.asyncDispose]())));

interface Opened extends AsyncDisposable {
  readonly store: HeartbeatStore;
  /** Makes what was written by this instance a minute older. */
  readonly age: (instance: string) => Promise<unknown>;
}

async function inRedis(): Promise<Opened> {
  const client = new Redis(redis.url);
  await client.flushall();
  const store = new RedisHeartbeats({ url: redis.url, prefix: 'test' }, quiet);
  await until(() => !store.away);
  return {
    store,
    age: async (instance) => {
      const [, at, text] = /^(\d+) (.*)$/.exec((await client.hget('test:heartbeats', instance)) ?? '') ?? [];
      await client.hset('test:heartbeats', instance, `${Number(at) - 61} ${text}`);
    },
    [Symbol.asyncDispose]: async () => {
      client.disconnect();
      await store[Symbol.asyncDispose]();
    },
  };
}

async function inPostgres(): Promise<Opened> {
  const ledger = await openLedger(postgres);
  const store = new PostgresHeartbeats({ url: ledger.url, application: 'test', log: quiet });
  return {
    store,
    age: (instance) =>
      ledger.sql`UPDATE heartbeats SET beat_at = beat_at - interval '61 seconds' WHERE instance = ${instance}`,
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      await ledger[Symbol.asyncDispose]();
    },
  };
}

describe.each([
  ['Redis', inRedis],
  ['Postgres', inPostgres],
])('heartbeats in %s', (_, open) => {
  let opened: Opened;
  beforeEach(async () => {
    opened = await open();
  });
  afterEach(() => opened[Symbol.asyncDispose]());

  test('are those that were written last', async () => {
    const { store } = opened;
    await store.write('a', 'one 1');
    await store.write('a', 'two 2');
    await store.write('__proto__', '{"x":"😀"}');
    expect(
      (await store.read(10)).toSorted((one, other) => one.instance.localeCompare(other.instance)),
    ).toEqual([
      { instance: '__proto__', heartbeat: '{"x":"😀"}' },
      { instance: 'a', heartbeat: 'two 2' },
    ]);
  });

  test('are read up to a number, and no endless one leaves the server', async () => {
    const { store } = opened;
    await store.write('endless', 'x'.repeat(5_000_000));
    for (const instance of ['a', 'b', 'c']) await store.write(instance, 'x'.repeat(1_000));
    expect((await store.read(10)).map(({ instance }) => instance).sort()).toEqual(['a', 'b', 'c']);
    expect(await store.read(2)).toHaveLength(2);
  });

  test('are deleted when they are old, whatever our clock says', async () => {
    const { store, age } = opened;
    await store.write('old', 'text');
    await store.write('young', 'text');
    await age('old');
    await store.forget(60);
    expect(await store.read(10)).toEqual([{ instance: 'young', heartbeat: 'text' }]);
  });

  test('go on after a connection was given up', async () => {
    const { store } = opened;
    await store.write('a', 'one');
    store.reset();
    await until(async () => {
      await store.write('a', 'two').catch(() => undefined);
      return (await store.read(10).catch(() => []))[0]?.heartbeat === 'two';
    });
    expect(store.away).toBe(false);
  });
});

test('heartbeats are on one node of a Redis Cluster, wherever the others are', async () => {
  await using cluster = await RedisCluster.open();
  const url = cluster.environment['REDIS_URL'] ?? '';
  await using store = new RedisHeartbeats({ url, prefix: 'test' }, quiet);
  await until(() => !store.away);
  for (const instance of ['a', 'b', 'c']) await store.write(instance, 'text');
  await store.forget(60);
  expect((await store.read(10)).map(({ instance }) => instance).sort()).toEqual(['a', 'b', 'c']);
});

test('Postgres that lacks the table has answered, and one that is not there has not', async () => {
  const ledger = await openLedger(postgres);
  await ledger.sql`DROP TABLE heartbeats`;
  for (const [url, refusal] of [
    [ledger.url, true],
    ['postgres://127.0.0.1:1/none', false],
  ] as const) {
    await using store = new PostgresHeartbeats({ url, application: 'test', log: quiet });
    const error: unknown = await store.read(1).catch((reason: unknown) => reason);
    expect([error instanceof Error, store.isRefusal(error)]).toEqual([true, refusal]);
  }
  await ledger[Symbol.asyncDispose]();
});
