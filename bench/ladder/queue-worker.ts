/**
 * A job puts its sum into the batch in memory and is done: BullMQ forgets it before the batch is written. SIGTERM writes
 * what is there.
 */
import { Worker } from 'bullmq';
import { BATCH_INTERVAL_MS, BATCH_SIZE, openWriteApi, pointOf } from './point.js';
import { onSigterm } from './process.js';
import { connection, LOCKS, openProbe, QUEUE } from './queue.js';
import type { Sum } from './sum-api.js';

const writeApi = openWriteApi({ batchSize: BATCH_SIZE, flushInterval: BATCH_INTERVAL_MS });
const worker = new Worker<Sum>(
  QUEUE,
  async ({ data }) => {
    writeApi.writePoint(pointOf(data));
  },
  { connection, concurrency: BATCH_SIZE, ...LOCKS },
);
await worker.waitUntilReady();
openProbe();
onSigterm(async () => {
  await worker.close();
  await writeApi.close();
});
