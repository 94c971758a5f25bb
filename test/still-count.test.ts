import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { StillCount } from '../src/drill/ladder/still-count.js';
import { openRedis, openStores } from '../src/drill/stores/open-stores.js';
import { InfluxBucket } from './influx-bucket.js';

const STILL_MS = 1_000;

test('nothing is under way only when InfluxDB has got nothing for a while, and the queue is empty', async () => {
  await using stores = await openStores({ which: ['influxdb'], environment: { PATH: process.env['PATH'] } });
  await using redis = await openRedis();
  using bucket = new InfluxBucket(stores.influxdb);
  await bucket.create();
  const env = { ...stores.influxdb.environment, INFLUX_BUCKET: bucket.config.INFLUX_BUCKET };
  await using count = new StillCount({
    env: { ...env, REDIS_URL: redis.url },
    stillMs: STILL_MS,
    queue: { name: 'sums', prefix: 'test' },
  });

  const writing = (async () => {
    for (let at = 1; at <= 5; at++) {
      await bucket.write([`operation,instance=i,name=sum numbers=2i,result=${at} ${at}`]);
      await delay(STILL_MS / 2);
    }
  })();
  expect(await count.loggedUntil(Date.now(), 30_000)).toBe(true);
  expect(await bucket.count()).toBe(5);
  await writing;

  const connection = new Redis(redis.url);
  const queue = new Queue('sums', { connection, prefix: 'test' });
  const job = await queue.add('sum', {});
  expect(await count.loggedUntil(Date.now(), 2 * STILL_MS)).toBe(false);
  await job.remove();
  expect(await count.loggedUntil(Date.now(), 30_000)).toBe(true);
  await queue.close();
  connection.disconnect();
});
