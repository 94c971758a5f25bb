import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Store } from '../src/drill/stores/store.js';
import { Bucket } from './bucket.js';
import { Child, peer, WORKER } from './child.js';
import { BenchQueue } from './queue.js';
import { atLeast, list, median, medianRatio, perSecond, ratio, type Figure } from './report.js';
import { environmentOf, openInflux, openRedis, type InfluxVersion } from './stores.js';

/**
 * Operations per second that a worker drains from a full queue, over what InfluxDB takes from writers that do nothing
 * else, and over the plain way, one job per operation. Each starts on an empty database.
 */
export async function draining(version: InfluxVersion, quick: boolean): Promise<Figure[]> {
  const operations = quick ? 200_000 : 800_000;
  const rounds = quick ? 2 : 3;
  await using redis = await openRedis();
  await using influx = await openInflux(version);
  await using queue = new BenchQueue(environmentOf(redis));
  const place = { redis, influx, queue };

  const [bare, by500, by50]: [number[], number[], number[]] = [[], [], []];
  await bareRate(place, operations / 4); // warms the server up
  for (let round = 0; round < rounds; round++) {
    bare.push(await bareRate(place, operations));
    by500.push(await tallyRate(place, operations, 500));
    by50.push(await tallyRate(place, operations, 50));
  }
  const plain = await plainRate(place, quick ? 20_000 : 50_000);
  const on = await Bucket.create(influx.environment).then(async (bucket) => {
    await using used = bucket;
    return `InfluxDB ${await used.version()}`;
  });
  const overBare = (size: number, rates: readonly number[], goal: number) => {
    const each = rates.map((rate, index) => rate / (bare[index] ?? NaN));
    const detail = `${perSecond(median(rates))} ÷ ${perSecond(median(bare))}; rounds ${list(each)}`;
    return ratio(
      `drained ÷ bare writers, chunks of ${size}, ${on}`,
      medianRatio(rates, bare),
      detail,
      atLeast(goal),
    );
  };
  const both = `${perSecond(median(by50))} ÷ ${perSecond(plain)}`;
  return [
    overBare(500, by500, 0.85),
    overBare(50, by50, 0.6),
    ratio(`drained ÷ bare writers, one job per operation, ${on}`, plain / median(bare), perSecond(plain)),
    ratio(`drained, chunks of 50 ÷ one job per operation, ${on}`, median(by50) / plain, both, atLeast(12)),
  ];
}

interface Place {
  readonly redis: Store;
  readonly influx: Store;
  readonly queue: BenchQueue;
}

async function bareRate({ influx }: Place, operations: number): Promise<number> {
  await using bucket = await Bucket.create(influx.environment);
  const args = [...peer('bare-writers'), String(operations)];
  const env = { PATH: process.env['PATH'], ...bucket.environment };
  const { stdout } = await promisify(execFile)(process.execPath, args, { env });
  await bucket.expect(operations);
  return operations / Number(stdout);
}

async function tallyRate({ redis, influx, queue }: Place, operations: number, size: number): Promise<number> {
  await using bucket = await Bucket.create(influx.environment);
  await queue.clear();
  await queue.fill(operations, size);
  await using worker = await Child.start(WORKER, { ...environmentOf(redis), ...bucket.environment });
  return await drainedRate(worker, bucket, operations, () => queue.untilEmpty());
}

async function plainRate({ redis, influx, queue }: Place, operations: number): Promise<number> {
  await using bucket = await Bucket.create(influx.environment);
  await queue.clear();
  await queue.fillPlain(operations);
  const environment = { ...environmentOf(redis), ...bucket.environment };
  await using worker = await Child.start(peer('plain-worker'), environment);
  return await drainedRate(worker, bucket, operations, () => queue.untilPlainEmpty());
}

/** From the worker being ready until its last job is complete, which is after InfluxDB has its lines. */
async function drainedRate(
  worker: Child,
  bucket: Bucket,
  operations: number,
  done: () => Promise<void>,
): Promise<number> {
  const started = performance.now();
  await worker.during(done());
  const seconds = (performance.now() - started) / 1_000;
  await worker.stop();
  await bucket.expect(operations);
  return operations / seconds;
}
