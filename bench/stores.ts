import { openInfluxDB1, openInfluxDB2 } from '../src/drill/stores/open-stores.js';
import type { Store } from '../src/drill/stores/store.js';

export { openRedis } from '../src/drill/stores/open-stores.js';

/** Which InfluxDB a figure is measured on. */
export type InfluxVersion = '1.x' | '2.x';

/** @throws {StoreError} `MISSING` when it is not to be had. */
export const openInflux = (version: InfluxVersion): Promise<Store> =>
  version === '1.x' ? openInfluxDB1() : openInfluxDB2();

/** Required by the configuration and not part of the figure; nothing listens there. */
const UNUSED = {
  DATABASE_URL: 'postgres://127.0.0.1:1/unused',
  INFLUX_URL: 'http://127.0.0.1:1',
  INFLUX_BUCKET: 'unused',
};

/** What Tally's processes need to start, with the stores that a figure uses. */
export const environmentOf = (...stores: readonly Pick<Store, 'environment'>[]): Record<string, string> =>
  Object.assign({ ...UNUSED }, ...stores.map(({ environment }) => environment)) as Record<string, string>;
