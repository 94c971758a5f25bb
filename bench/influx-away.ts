import { setTimeout as delay } from 'node:timers/promises';
import type { Store } from '../src/drill/stores/store.js';
import { Bucket } from './bucket.js';
import { Child, WORKER } from './child.js';
import { InfluxProxy } from './influx-proxy.js';
import { atMost, list, median, ratio, type Figure } from './report.js';
import { onAllStores, type AcceptingStores } from './stores.js';

const MB = 1024 * 1024;

/** Instead of 90 s, so that all chunks become due several times within a short outage. */
const RELAY_AFTER_MS = 5_000;

/** Growth beyond this is no longer what a collector leaves lying about. */
const FLAT_MB = 10;

/**
 * A worker while InfluxDB is away for longer than RELAY_AFTER, and after its return: its memory with a long queue, and
 * whether what queue and ledger both hold is sent by both ways. Chunks of 500 are the most to hold, chunks of 50 the
 * most to look up.
 */
export async function influxAway(quick: boolean): Promise<Figure[]> {
  const operations = quick ? 200_000 : 1_000_000;
  const awayMs = quick ? 12_000 : 35_000;
  return onAllStores('1.x', async (stores, influx) => {
    const figures: Figure[] = [];
    for (const size of [500, 50]) {
      await stores.clear();
      figures.push(...(await outage({ stores, influx, operations, size, awayMs })));
    }
    return figures;
  });
}

interface Outage {
  readonly stores: AcceptingStores;
  readonly influx: Store;
  readonly operations: number;
  readonly size: number;
  readonly awayMs: number;
}

async function outage({ stores, influx, operations, size, awayMs }: Outage): Promise<Figure[]> {
  const { queue, ledger } = stores;
  await using bucket = await Bucket.create(influx.environment);
  await using proxy = await InfluxProxy.open(influx.url);
  await influx.kill();
  await stores.accept(operations, size, RELAY_AFTER_MS);
  await using worker = await Child.start(WORKER, {
    ...stores.environment,
    ...bucket.environment,
    ...proxy.environment,
    RELAY_AFTER: `${RELAY_AFTER_MS}ms`,
  });
  const away = await memoryWhile(worker, delay(awayMs));
  const held = await worker.metric('tally_pending_lines');
  await influx.start();
  const drained = queue.untilLeft(0).then(() => ledger.untilLogged());
  const after = await memoryWhile(worker, worker.during(drained));
  await worker.stop();
  await bucket.expect(operations);
  await ledger.expect(operations);

  const third = Math.floor(away.length / 3);
  const [first, last] = [median(away.slice(third, 2 * third)), median(away.slice(2 * third))];
  const over = `${operations.toLocaleString('en')} queued in chunks of ${size}, InfluxDB away`;
  const outageSaid = `away for ${awayMs / 1_000} s, RELAY_AFTER ${RELAY_AFTER_MS / 1_000} s`;
  return [
    {
      figure: `worker memory, ${over}`,
      value: Math.max(...away, ...after),
      unit: 'MB',
      goal: atMost(250),
      detail: `${Math.max(...away).toFixed(0)} MB meanwhile, ${Math.max(...after).toFixed(0)} MB after; ${held.toLocaleString('en')} lines in hand`,
    },
    {
      figure: `worker memory growth, ${over}`,
      value: last - first,
      unit: 'MB',
      goal: atMost(FLAT_MB),
      detail: `medians of the middle and the last third: ${list([first, last], 1)} MB`,
    },
    ratio(
      `lines sent ÷ operations, ${over} and back`,
      proxy.lines / operations,
      `${proxy.lines.toLocaleString('en')} lines; ${outageSaid}`,
      atMost(1.1),
    ),
  ];
}

/** Samples of the worker's memory in MB, from now until `work` is done. */
async function memoryWhile(worker: Child, work: Promise<unknown>): Promise<number[]> {
  const over = new AbortController();
  const settled = work.finally(() => over.abort());
  settled.catch(() => undefined); // awaited below
  const samples: number[] = [];
  while (!over.signal.aborted) {
    samples.push((await worker.residentBytes()) / MB);
    await delay(100);
  }
  await settled;
  return samples;
}
