/**
 * Sums are answered at once and gathered in memory: the official client writes them 500 at a time, or when the interval
 * is over. SIGTERM is waited out until load balancers know, the server is closed, and the batch is forgotten.
 */
import { BATCH_INTERVAL_MS, BATCH_SIZE, openWriteApi, pointOf, SHUTDOWN_DELAY_MS } from './point.js';
import { onSigterm } from './process.js';
import { openSumApi } from './sum-api.js';

const writeApi = openWriteApi({ batchSize: BATCH_SIZE, flushInterval: BATCH_INTERVAL_MS });
const api = openSumApi((sum) => writeApi.writePoint(pointOf(sum)));
onSigterm(async () => {
  await api.leave(SHUTDOWN_DELAY_MS);
  await api.close();
});
