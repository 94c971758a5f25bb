import { afterAll, beforeAll, expect, test } from 'vitest';
import { openChunkQueue } from '../../src/api/sharded-queue.js';
import { Lines } from '../../src/shared/lines.js';
import { openLog } from '../../src/shared/log.js';
import { shardOf } from '../../src/shared/queue-shards.js';
import { askRedis, RedisCluster } from './redis-servers.js';
import { until } from '../latch.js';

const SHARDS = [0, 1, 2];

let cluster: RedisCluster;
beforeAll(async () => {
  cluster = await RedisCluster.open();
});
afterAll(() => cluster[Symbol.asyncDispose]());

let n = 0;
const chunk = () => ({ id: `i.${++n}`, lines: Lines.of([`operation r=1 ${n}`]) });

/** A queue on the cluster under its own prefix, and what its shards, each on one node, hold. */
function open(prefix: string) {
  const address = { url: cluster.environment['REDIS_URL'] ?? '', prefix };
  const queue = openChunkQueue({ queue: address, shards: SHARDS.length, log: openLog('silent', 'test') });
  const key = (shard: number, type: string) => {
    const { prefix: tag, name } = shardOf(address, shard);
    return `${tag}:${name}:${type}`;
  };
  const nodeOf = async (shard: number) => {
    const [first = { url: '' }] = cluster.nodes;
    const slot = await askRedis(first, (redis) => redis.call('CLUSTER', 'KEYSLOT', key(shard, 'wait')));
    const node = cluster.nodes[Math.floor((Number(slot) * SHARDS.length) / 16_384)];
    return node ?? expect.fail(`no node has shard ${shard}`);
  };
  const waiting = async (shard: number) =>
    askRedis(await nodeOf(shard), (redis) => redis.llen(key(shard, 'wait')));
  /** Resolves when a round of chunks goes to all shards again. */
  const whole = () =>
    until(async () => {
      const before = await Promise.all(SHARDS.map(waiting));
      for (const _ of SHARDS) await queue.accept(chunk(), false).catch(() => undefined);
      const after = await Promise.all(SHARDS.map(waiting));
      return SHARDS.every((shard) => after[shard] === (before[shard] ?? 0) + 1);
    });
  /** Chunks of so many that were not accepted. */
  const refused = async (count: number) => {
    const chunks = Array.from({ length: count }, chunk);
    const failed: typeof chunks = [];
    for (const one of chunks) await queue.accept(one, false).catch(() => failed.push(one));
    return failed;
  };
  return { queue, key, nodeOf, whole, refused };
}

test('a shard whose node is away costs one chunk; the others go on, and it takes chunks again when it is back', async () => {
  const { queue, key, nodeOf, whole, refused } = open('away');
  await using _queue = queue;
  await whole();
  const node = await nodeOf(1);
  const has = ({ id }: { id: string }) => askRedis(node, (redis) => redis.exists(key(1, id)));
  let late = chunk();
  await until(async () => {
    await queue.accept((late = chunk()), false);
    return (await has(late)) === 1;
  });
  await node.kill();
  expect(await refused(60)).toHaveLength(1);
  queue.revoke(late, true);
  await queue.ping();
  await node.start();
  await cluster.agrees();
  await whole();
  await until(async () => (await has(late)) === 0);
});

test('a shard whose node keeps silent costs one chunk, which is taken back when it was refused', async () => {
  const { queue, key, nodeOf, whole, refused } = open('silent');
  await using _queue = queue;
  await whole();
  const node = await nodeOf(2);
  const info = await askRedis(node, (redis) => redis.info('server'));
  const added = () => askRedis(node, (redis) => redis.get(key(2, 'id')));
  const before = Number(await added());
  const pid = Number(/^process_id:(\d+)/m.exec(info)?.[1]);
  process.kill(pid, 'SIGSTOP');
  const [late, ...others] = await refused(60).finally(() => process.kill(pid, 'SIGCONT'));
  expect(others).toEqual([]);
  expect(late).toBeDefined();
  await until(async () => Number(await added()) === before + 1); // it had arrived all the same
  if (late) queue.revoke(late, true);
  await until(async () => (await askRedis(node, (redis) => redis.exists(key(2, late?.id ?? '')))) === 0);
  await whole();
});
