/**
 * The plain way with BullMQ: one job per operation, and one row of the ledger. Everything else is as in Tally's worker:
 * the same batches, the same way into InfluxDB; a job completes when its batch is stored and its row is marked, many rows
 * in one statement. It has as many jobs in hand as make it fastest.
 */
import { Worker } from 'bullmq';
import type * as BatcherModule from '../../src/worker/batcher.js';
import type * as ClockModule from '../../src/worker/clock.js';
import type * as ConfigModule from '../../src/worker/config.js';
import type * as InfluxModule from '../../src/shared/influx.js';
import type * as LedgerLinkModule from '../../src/worker/ledger-link.js';
import type * as LinesModule from '../../src/shared/lines.js';
import type * as MarkerModule from '../../src/worker/marker.js';
import type * as PostgresModule from '../../src/shared/postgres.js';
import type * as ProcessModule from '../../src/shared/process.js';
import type * as StoreModule from '../../src/worker/store.js';
import { built } from './built.js';
import { PLAIN_QUEUE, type PlainJob } from './plain-queue.js';

const { Batcher } = await built<typeof BatcherModule>('worker/batcher.js');
const { systemClock } = await built<typeof ClockModule>('worker/clock.js');
const { readConfig } = await built<typeof ConfigModule>('worker/config.js');
const { Influx } = await built<typeof InfluxModule>('shared/influx.js');
const { LedgerLink } = await built<typeof LedgerLinkModule>('worker/ledger-link.js');
const { Lines } = await built<typeof LinesModule>('shared/lines.js');
const { Marker } = await built<typeof MarkerModule>('worker/marker.js');
const { Postgres } = await built<typeof PostgresModule>('shared/postgres.js');
const { runProcess } = await built<typeof ProcessModule>('shared/process.js');
const { Store } = await built<typeof StoreModule>('worker/store.js');

await runProcess(async ({ env, start }) => {
  const config = readConfig(env);
  const { lifecycle, log } = await start('worker', config, config.SHUTDOWN_TIMEOUT);
  using influx = new Influx(config);
  await using postgres = new Postgres({ url: config.DATABASE_URL, application: 'plain-worker', log });
  using link = new LedgerLink(postgres, log);
  const marker = new Marker(link);
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
      const chunk = { id, lines: Lines.of([line]) };
      if ((await batcher.add(chunk, config.BATCH_INTERVAL)) === 'settled') await marker.mark(chunk);
    },
    { connection: { url: config.REDIS_URL }, concurrency: 4_000 },
  );
  await worker.waitUntilReady();
  lifecycle.ready();
  log.info('ready');
  await lifecycle.untilStop();
  batcher.drain();
  await worker.close();
  return { unaccounted: batcher.pendingLines };
});
