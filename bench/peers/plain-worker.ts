/**
 * The plain way with BullMQ: one job per operation. Everything else is as in Tally's worker: 1,000 jobs in hand, the same
 * batches, the same way into InfluxDB; a job completes when its batch is stored.
 */
import { Worker } from 'bullmq';
import type * as BatcherModule from '../../src/worker/batcher.js';
import type * as ClockModule from '../../src/worker/clock.js';
import type * as ConfigModule from '../../src/worker/config.js';
import type * as InfluxModule from '../../src/shared/influx.js';
import type * as LinesModule from '../../src/shared/lines.js';
import type * as ProcessModule from '../../src/shared/process.js';
import type * as StoreModule from '../../src/worker/store.js';
import { built } from './built.js';
import { PLAIN_QUEUE, type PlainJob } from './plain-queue.js';

const { Batcher } = await built<typeof BatcherModule>('worker/batcher.js');
const { systemClock } = await built<typeof ClockModule>('worker/clock.js');
const { readConfig } = await built<typeof ConfigModule>('worker/config.js');
const { Influx } = await built<typeof InfluxModule>('shared/influx.js');
const { Lines } = await built<typeof LinesModule>('shared/lines.js');
const { runProcess } = await built<typeof ProcessModule>('shared/process.js');
const { Store } = await built<typeof StoreModule>('worker/store.js');

await runProcess(async ({ env, start }) => {
  const config = readConfig(env);
  const { lifecycle, log } = await start('worker', config, config.SHUTDOWN_TIMEOUT);
  using influx = new Influx(config);
  const store = new Store({
    post: (lines) => influx.write(lines),
    onAnswer: () => undefined,
  });
  const batcher = new Batcher({
    size: config.BATCH_SIZE,
    writers: 32,
    write: async ({ segments }, signal) => {
      const refusals = await store.store(Lines.concat(segments.map(({ lines }) => lines)), signal);
      for (const refusal of refusals) log.error(refusal, 'refused');
    },
    clock: systemClock,
  });
  const worker = new Worker<PlainJob>(
    PLAIN_QUEUE,
    async ({ id = '', data: { line } }) => {
      await batcher.add({ id, lines: Lines.of([line]) }, config.BATCH_INTERVAL);
    },
    { connection: { url: config.REDIS_URL }, concurrency: 1_000 },
  );
  await worker.waitUntilReady();
  lifecycle.ready();
  log.info('ready');
  await lifecycle.untilStop();
  batcher.drain();
  await worker.close();
  return { unaccounted: batcher.pendingLines };
});
