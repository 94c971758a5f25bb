import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FailFastQueue } from '../../src/shared/fail-fast-queue.js';
import { openLog } from '../../src/shared/log.js';
import { Lines } from '../../src/shared/lines.js';
import { JOB_NAME, JOB_OPTIONS, QUEUE_NAME } from '../../src/shared/operation-queue.js';
import { shardOf } from '../../src/shared/queue-shards.js';
import { Consumer, ENOUGH_LINES } from '../../src/worker/consumer.js';
import { latch, until } from '../latch.js';
import { openServers, Scene, sum, type Servers } from './scene.js';

let servers: Servers;
beforeAll(async () => {
  servers = await openServers();
});
afterAll(() => servers[Symbol.asyncDispose]());

test('a worker that takes nothing while work waits reports itself dead, and one that works does not', async () => {
  await using scene = await Scene.open(servers);
  await using consumer = new Consumer({
    queue: { url: scene.env['REDIS_URL'] ?? '', prefix: scene.env['QUEUE_PREFIX'] ?? '' },
    shards: 1,
    instance: 'test',
    log: openLog('silent', 'test'),
    wedgedMs: 300,
    settle: async () => 'settled',
    keepUnreadable: async () => undefined,
  });
  await until(async () => (await consumer.hindrance()) === undefined);
  expect(await consumer.sickness()).toBeUndefined();
  await sum(await scene.api(), [1]);
  await until(async () => (await consumer.sickness()) !== undefined);
  expect(await consumer.sickness()).toMatch(/^1 chunks wait and none was taken/);
  consumer.start();
  await until(() => consumer.empty());
  expect(await consumer.sickness()).toBeUndefined();
});

test('the events of BullMQ, which nobody reads, take no memory beside the chunks', async () => {
  const url = servers.redis.url;
  const redis = new Redis(url);
  await using operations = new FailFastQueue({
    ...{ url, prefix: 'events', name: QUEUE_NAME },
    log: openLog('silent', 'test'),
  });
  const { queue } = operations;
  await until(async () => (await redis.exists(queue.toKey('meta'))) === 1);
  await queue.addBulk(Array.from({ length: 2_000 }, () => ({ name: JOB_NAME, data: {}, opts: JOB_OPTIONS })));
  expect(await redis.llen(queue.toKey('wait'))).toBe(2_000);
  expect(await redis.xlen(queue.toKey('events'))).toBeLessThan(250); // Redis cuts a stream a hundred at a time
  redis.disconnect();
});

test('of several shards it has about as many lines in hand as of one, and some of each', async () => {
  const log = openLog('silent', 'test');
  const queue = { url: servers.redis.url, prefix: 'hands' };
  const lines = Lines.of(Array.from({ length: 500 }, (_, n) => `operation r=1 ${n + 1}`)).text;
  const enough = ENOUGH_LINES / 500;
  const taken = new Map<string, number>();
  for (const shard of [0, 1, 2, 3]) {
    await using operations = new FailFastQueue({ ...shardOf(queue, shard), log });
    await until(() => !operations.away);
    const jobs = Array.from({ length: 60 }, (_, n) => ({
      name: JOB_NAME,
      data: { lines },
      opts: { ...JOB_OPTIONS, jobId: `${shard}.${n}` },
    }));
    await operations.queue.addBulk(jobs);
  }
  const letGo = latch<'settled'>();
  await using consumer = new Consumer({
    ...{ queue, shards: 4, instance: 'test', log },
    settle: ({ id }) => {
      const [shard = ''] = id.split('.');
      taken.set(shard, (taken.get(shard) ?? 0) + 1);
      return letGo.promise;
    },
    keepUnreadable: async () => undefined,
  });
  consumer.start();
  await until(() => consumer.inHand >= enough);
  for (let asked = 0; asked < 200; asked++) await consumer.hindrance(); // as long as it would take to take more
  expect(consumer.inHand).toBeLessThanOrEqual(enough + 3);
  expect([...taken.keys()].sort()).toEqual(['0', '1', '2', '3']);
  letGo.resolve('settled');
  await until(() => consumer.empty());
});
