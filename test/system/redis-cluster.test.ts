import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { shardOf } from '../../src/shared/queue-shards.js';
import { RedisCluster, askRedis } from './redis-servers.js';
import { until } from '../latch.js';
import { openServers, Scene, TurningLoad, type Servers } from './scene.js';

let servers: Servers;
let cluster: RedisCluster;
let scene: Scene;
beforeAll(async () => {
  [servers, cluster] = await Promise.all([openServers(), RedisCluster.open()]);
});
afterAll(() => Promise.all([servers, cluster].map((opened) => opened[Symbol.asyncDispose]())));
beforeEach(async () => {
  scene = await Scene.open(servers);
});
afterEach(() => scene[Symbol.asyncDispose]());

/** Keys on each node of the cluster: a chunk that is not logged yet has some. */
async function keysByNode(): Promise<readonly number[]> {
  return Promise.all(cluster.nodes.map((node) => askRedis(node, (redis) => redis.dbsize())));
}

test('a node of the cluster that is killed, and rolling restarts: no request fails, nothing is lost or counted twice', async () => {
  const settings = { ...cluster.environment, QUEUE_SHARDS: '3', RELAY_AFTER: '5s' };
  const worker = await scene.worker(settings);
  const first = await scene.api(settings);
  const load = new TurningLoad(first);
  await load.untilAnswered(1_000);
  for (const keys of await keysByNode()) expect(keys).toBeGreaterThan(0);

  const [, node] = cluster.nodes;
  await node?.kill();
  await load.untilAnswered(load.answered.size + 2_000);
  await node?.start();
  await cluster.agrees();
  await load.untilAnswered(load.answered.size + 1_000);

  const second = await scene.api(settings);
  load.turnTo(second);
  expect((await first.stop()).code).toBe(0);
  const successor = await scene.worker(settings);
  expect((await worker.stop()).code).toBe(0);
  await load.untilAnswered(load.answered.size + 1_000);
  await load.stop();

  expect(load.failed).toEqual([]);
  await until(async () => (await scene.count()) >= load.sent);
  expect(await scene.verdict(load)).toMatchObject({ stored: load.sent, lost: 0, twice: 0, wrong: 0 });
  await until(
    async () => (await scene.postgres.sql`SELECT FROM chunks WHERE logged_at IS NULL`).length === 0,
  );
  await node?.kill();
  const endings = [await second.stop(), await successor.stop()];
  for (const { code, receipt } of endings)
    expect({ code, ...receipt }).toMatchObject({ code: 0, unaccounted: 0 });
  await node?.start();
  await cluster.agrees();
});

test('chunks in shards that a smaller QUEUE_SHARDS no longer has are logged, from a cluster and from one Redis', async () => {
  for (const redis of [cluster, servers.redis]) {
    const api = await scene.api({
      ...redis.environment,
      QUEUE_SHARDS: '5',
      DATABASE_URL: 'postgres://127.0.0.1:1/away',
    });
    const load = new TurningLoad(api);
    await load.untilAnswered(300);
    await load.stop();
    const stored = await scene.count();
    expect((await api.stop()).code).toBe(0);
    const worker = await scene.worker({ ...redis.environment, QUEUE_SHARDS: '2' });
    await until(async () => (await scene.count()) === stored + load.answered.size);
    expect((await worker.stop()).receipt).toMatchObject({ logged: load.answered.size, unaccounted: 0 });
  }
});

test('the shards of a cluster are on all its nodes', async () => {
  const url = cluster.environment['REDIS_URL'] ?? '';
  const slots = await askRedis(cluster.nodes[0] ?? { url: '' }, (redis) =>
    Promise.all(
      [0, 1, 2].map((n) => redis.call('CLUSTER', 'KEYSLOT', shardOf({ url, prefix: 'tally' }, n).prefix)),
    ),
  );
  expect(new Set(slots.map((slot) => Math.floor((Number(slot) * 3) / 16_384)))).toEqual(new Set([0, 1, 2]));
});
