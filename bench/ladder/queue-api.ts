/** One BullMQ job per sum, added before it is answered. */
import { Queue } from 'bullmq';
import { SHUTDOWN_DELAY_MS } from './point.js';
import { onSigterm } from './process.js';
import { connection, QUEUE } from './queue.js';
import { openSumApi } from './sum-api.js';

const queue = new Queue(QUEUE, { connection });
const api = openSumApi(async (sum) => {
  await queue.add('sum', sum, { attempts: 1_000, backoff: 1_000, removeOnComplete: true });
});
onSigterm(async () => {
  await api.leave(SHUTDOWN_DELAY_MS);
  await api.close();
  await queue.close();
});
