import { afterAll, beforeAll, expect, test } from 'vitest';
import { MAX_SHARDS, queueBeside, shardOf } from '../src/shared/queue-shards.js';
import { askRedis, RedisCluster } from './system/redis-servers.js';

const CLUSTER = 'redis+cluster://127.0.0.1:7000,127.0.0.1:7001';
const SLOTS = 16_384;
const counts = Array.from({ length: MAX_SHARDS }, (_, n) => n + 1);

let cluster: RedisCluster;
beforeAll(async () => {
  cluster = await RedisCluster.open(1);
});
afterAll(() => cluster[Symbol.asyncDispose]());

test.each(['tally', 'another-prefix', '{braces}', 'ü'])(
  'as many shards as nodes of a cluster are one on each, however many they are: prefix %s',
  async (prefix) => {
    const [node = { url: '' }] = cluster.nodes;
    const keys = counts.map((n) => {
      const shard = shardOf({ url: CLUSTER, prefix }, n - 1);
      return ['wait', 'active', 'i.0'].map((type) => `${shard.prefix}:${shard.name}:${type}`);
    });
    const slots = await askRedis(node, (asked) =>
      Promise.all(keys.flat().map(async (key) => Number(await asked.call('CLUSTER', 'KEYSLOT', key)))),
    );
    const slotOf = (shard: number) => {
      const own = slots.slice(3 * shard, 3 * shard + 3);
      expect(new Set(own).size, 'the keys of a shard are in one slot').toBe(1);
      return own[0] ?? 0;
    };
    for (const count of counts) {
      // As redis-cli --cluster create cuts them.
      const nodes = counts.slice(0, count).map((n) => Math.floor((slotOf(n - 1) * count) / SLOTS));
      expect(new Set(nodes).size, `${count} shards on ${count} nodes`).toBe(count);
    }
  },
);

test('a single Redis keeps the names it always had, so that old and new versions run side by side', () => {
  const queue = { url: 'redis://127.0.0.1', prefix: 'tally' };
  expect(shardOf(queue, 0)).toEqual({ ...queue, name: 'operations' });
  expect(shardOf(queue, 1)).toEqual({ ...queue, name: 'operations-1' });
  expect(queueBeside(queue, 'quarantine')).toEqual({ ...queue, name: 'quarantine' });
});
