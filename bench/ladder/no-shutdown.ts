/** Each sum is written before it is answered, and nobody thought of SIGTERM. */
import { openWriteApi, pointOf } from './point.js';
import { openSumApi } from './sum-api.js';

const writeApi = openWriteApi();
openSumApi(async (sum) => {
  writeApi.writePoint(pointOf(sum));
  await writeApi.flush();
});
