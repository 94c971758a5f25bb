import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Store } from '../src/drill/stores/store.js';
import { Bucket } from './bucket.js';
import { Child, peer, WORKER } from './child.js';
import { atLeast, list, median, medianRatio, perSecond, ratio, type Figure } from './report.js';
import { onAllStores, type AcceptingStores, type InfluxVersion } from './stores.js';

/**
 * Operations per second that a worker drains from a full queue, with the ledger marked, over what InfluxDB takes from
 * writers that do nothing else, and over the plain way, one job per operation. Each starts on an empty database and has
 * warmed up before it is timed: the first half of the operations does not count, for Node compiles for seconds.
 */
export async function draining(version: InfluxVersion, quick: boolean): Promise<Figure[]> {
  return onAllStores(version, (stores, influx) => measure({ stores, influx }, quick));
}

async function measure(place: Place, quick: boolean): Promise<Figure[]> {
  const operations = quick ? 200_000 : 4_000_000;
  const rounds = quick ? 2 : 3;
  const bare: number[] = [];
  const by500: number[] = [];
  const by50: number[] = [];
  const plain: number[] = [];
  await bareRate(place, operations / 8); // warms the server up
  for (let round = 0; round < rounds; round++) {
    bare.push(await bareRate(place, operations));
    by500.push(await tallyRate(place, operations, 500));
    by50.push(await tallyRate(place, operations, 50));
    plain.push(await plainRate(place, quick ? 20_000 : 100_000));
  }
  const on = await Bucket.create(place.influx.environment).then(async (bucket) => {
    await using used = bucket;
    return `InfluxDB ${await used.version()}`;
  });
  const over = (name: string, of: readonly number[], base: readonly number[], goal?: number) => {
    const each = of.map((rate, index) => rate / (base[index] ?? NaN));
    const detail = `${perSecond(median(of))} ÷ ${perSecond(median(base))}; rounds ${list(each)}`;
    return ratio(`${name}, ${on}`, medianRatio(of, base), detail, goal === undefined ? goal : atLeast(goal));
  };
  return [
    over('drained ÷ bare writers, chunks of 500', by500, bare, 0.85),
    over('drained ÷ bare writers, chunks of 50', by50, bare, 0.6),
    over('drained ÷ bare writers, one job per operation', plain, bare),
    over('drained, chunks of 50 ÷ one job per operation', by50, plain, 12),
  ];
}

interface Place {
  readonly stores: AcceptingStores;
  readonly influx: Store;
}

async function bareRate({ influx }: Place, operations: number): Promise<number> {
  await using bucket = await Bucket.create(influx.environment);
  const args = [...peer('bare-writers'), String(operations)];
  const env = { PATH: process.env['PATH'], ...bucket.environment };
  const { stdout } = await promisify(execFile)(process.execPath, args, { env });
  await bucket.expect(operations);
  return warmed(operations) / Number(stdout);
}

async function tallyRate({ stores, influx }: Place, operations: number, size: number): Promise<number> {
  await using bucket = await Bucket.create(influx.environment);
  await stores.clear();
  await stores.accept(operations, size);
  await using worker = await Child.start(WORKER, { ...stores.environment, ...bucket.environment });
  const rate = await drainedRate(worker, bucket, operations, (left) => stores.queue.untilLeft(left / size));
  await stores.ledger.expect(operations);
  return rate;
}

async function plainRate({ stores, influx }: Place, operations: number): Promise<number> {
  await using bucket = await Bucket.create(influx.environment);
  await stores.clear();
  await stores.acceptPlain(operations);
  const environment = { ...stores.environment, ...bucket.environment };
  await using worker = await Child.start(peer('plain-worker'), environment);
  const rate = await drainedRate(worker, bucket, operations, (left) => stores.queue.untilPlainLeft(left));
  await stores.ledger.expect(operations);
  return rate;
}

/** Until the worker's last job is complete: InfluxDB has its lines, and the ledger its mark. */
async function drainedRate(
  worker: Child,
  bucket: Bucket,
  operations: number,
  untilLeft: (operations: number) => Promise<void>,
): Promise<number> {
  await worker.during(untilLeft(warmed(operations)));
  const started = performance.now();
  await worker.during(untilLeft(0));
  const seconds = (performance.now() - started) / 1_000;
  await worker.stop();
  await bucket.expect(operations);
  return warmed(operations) / seconds;
}

/** Of so many operations those that count. */
const warmed = (operations: number) => operations / 2;
