/** Each sum is written before it is answered; SIGTERM closes the server at once and lets it finish what it has. */
import { openWriteApi, pointOf } from './point.js';
import { onSigterm } from './process.js';
import { openSumApi } from './sum-api.js';

const writeApi = openWriteApi();
const api = openSumApi(async (sum) => {
  writeApi.writePoint(pointOf(sum));
  await writeApi.flush();
});
onSigterm(async () => {
  await api.close();
  await writeApi.close();
});
