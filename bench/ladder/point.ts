import { InfluxDB, Point, type WriteApi, type WriteOptions } from '@influxdata/influxdb-client';
import { instance } from './process.js';
import type { Sum } from './sum-api.js';

/** The operation as a point of the same shape as Tally's. The client gives it its time when it is written. */
export const pointOf = ({ numbers, result }: Sum): Point =>
  new Point('operation')
    .tag('instance', instance)
    .tag('name', 'sum')
    .intField('numbers', numbers)
    .floatField('result', result);

/** The official client's way to write. */
export function openWriteApi(options?: Partial<WriteOptions>): WriteApi {
  const {
    INFLUX_URL: url = '',
    INFLUX_TOKEN: token = '',
    INFLUX_ORG: org = '',
    INFLUX_BUCKET = '',
  } = process.env;
  const writeApi = new InfluxDB({ url, token }).getWriteApi(org, INFLUX_BUCKET, 'ns', options);
  // InfluxDB before 1.8 takes the same lines elsewhere.
  if (org === '') writeApi.path = `/write?db=${INFLUX_BUCKET}&precision=ns`;
  return writeApi;
}

const duration = (name: string, otherwise: number): number => {
  const [, amount, unit] = /^([\d.]+)(ms|s)$/.exec(process.env[name] ?? '') ?? [];
  return amount === undefined ? otherwise : Number(amount) * (unit === 's' ? 1_000 : 1);
};

/** 500 or 30 s; a drill shortens the interval, for Tally too. */
export const BATCH_SIZE = 500;
export const BATCH_INTERVAL_MS = duration('BATCH_INTERVAL', 30_000);

export const SHUTDOWN_DELAY_MS = duration('SHUTDOWN_DELAY', 5_000);
