/**
 * A job is done when its batch is written, so that a killed worker's sums come again; a point has the time at which it
 * is written, so that what was written already comes as another one. SIGTERM finishes what is there.
 */
import { Worker } from 'bullmq';
import { BATCH_INTERVAL_MS, BATCH_SIZE, openWriteApi, pointOf } from './point.js';
import { onSigterm } from './process.js';
import { connection, LOCKS, openProbe, QUEUE } from './queue.js';
import type { Sum } from './sum-api.js';

interface Waiting {
  readonly sum: Sum;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const writeApi = openWriteApi({ batchSize: BATCH_SIZE, maxRetries: 0 });
let batch: Waiting[] = [];

async function flush(): Promise<void> {
  const leaving = batch;
  batch = [];
  try {
    writeApi.writePoints(leaving.map(({ sum }) => pointOf(sum)));
    await writeApi.flush();
    for (const { resolve } of leaving) resolve();
  } catch (error) {
    for (const { reject } of leaving) reject(error);
  }
}

const worker = new Worker<Sum>(
  QUEUE,
  ({ data }) =>
    new Promise<void>((resolve, reject) => {
      batch.push({ sum: data, resolve, reject });
      if (batch.length >= BATCH_SIZE) void flush();
    }),
  { connection, concurrency: BATCH_SIZE, ...LOCKS },
);
setInterval(() => void flush(), BATCH_INTERVAL_MS);
await worker.waitUntilReady();
openProbe();
onSigterm(async () => {
  await worker.close();
});
