/** As `batch.ts`, and what is still in memory is written on SIGTERM. */
import { BATCH_INTERVAL_MS, BATCH_SIZE, openWriteApi, pointOf, SHUTDOWN_DELAY_MS } from './point.js';
import { onSigterm } from './process.js';
import { openSumApi } from './sum-api.js';

const writeApi = openWriteApi({ batchSize: BATCH_SIZE, flushInterval: BATCH_INTERVAL_MS });
const api = openSumApi((sum) => writeApi.writePoint(pointOf(sum)));
onSigterm(async () => {
  await api.leave(SHUTDOWN_DELAY_MS);
  await api.close();
  await writeApi.close();
});
