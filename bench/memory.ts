import { setTimeout as delay } from 'node:timers/promises';
import { Child, WORKER } from './child.js';
import { BenchQueue } from './queue.js';
import { atMost, list, median, type Figure } from './report.js';
import { environmentOf, openInflux, openRedis } from './stores.js';

const MB = 1024 * 1024;

/** Memory that Redis needs for an operation in the queue. */
export async function redisMemory(quick: boolean): Promise<Figure[]> {
  const operations = quick ? 100_000 : 500_000;
  await using redis = await openRedis();
  await using queue = new BenchQueue(environmentOf(redis));
  await queue.fill(50, 50); // what there is once, however long the queue: its own keys, scripts
  const before = await queue.usedMemory();
  await queue.fill(operations, 50);
  const after = await queue.usedMemory();
  return [
    {
      figure: 'Redis memory per queued operation, chunks of 50',
      value: (after - before) / operations,
      unit: 'bytes',
      goal: atMost(150),
      detail: `${((after - before) / MB).toFixed(1)} MB for ${operations.toLocaleString('en')} operations`,
    },
  ];
}

const OPERATIONS = 1_000_000;

/** Growth beyond this is no longer what a collector leaves lying about. */
const FLAT_MB = 10;

/** A worker's memory while the queue is long and InfluxDB away; in chunks of 500, which are the most to hold. */
export async function workerMemory(quick: boolean): Promise<Figure[]> {
  const seconds = quick ? 10 : 35;
  await using redis = await openRedis();
  await using influx = await openInflux('1.x');
  await influx.kill();
  const environment = environmentOf(redis, influx);
  await using queue = new BenchQueue(environment);
  await queue.fill(OPERATIONS, 500);
  await using worker = await Child.start(WORKER, environment);
  const samples: number[] = [];
  const end = Date.now() + seconds * 1_000;
  while (Date.now() < end) {
    samples.push((await worker.residentBytes()) / MB);
    await delay(100);
  }
  const held = await worker.metric('tally_pending_lines');
  const third = Math.floor(samples.length / 3);
  const [first, last] = [median(samples.slice(third, 2 * third)), median(samples.slice(2 * third))];
  const over = `${OPERATIONS.toLocaleString('en')} operations queued, InfluxDB away`;
  return [
    {
      figure: `worker memory, ${over}`,
      value: Math.max(...samples),
      unit: 'MB',
      goal: atMost(250),
      detail: `most of ${samples.length} samples in ${seconds} s; ${held.toLocaleString('en')} lines in hand`,
    },
    {
      figure: `worker memory growth, ${over}`,
      value: last - first,
      unit: 'MB',
      goal: atMost(FLAT_MB),
      detail: `medians of the middle and the last third: ${list([first, last], 1)} MB`,
    },
  ];
}
