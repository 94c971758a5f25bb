import { SECOND } from './duration.js';
import { InfluxError, type Influx, type InfluxConfig } from './influx.js';
import { MEASUREMENT } from './operation.js';

/** Where the operations are. */
export type BucketName = Pick<InfluxConfig, 'INFLUX_BUCKET' | 'INFLUX_ORG'>;

/**
 * Makes the bucket (on 1.x and 3.x the database) if it is missing, without a limit of retention. Resolves with whether
 * it was made.
 *
 * @throws {InfluxError} with what InfluxDB said.
 */
export async function createBucket(
  influx: Influx,
  { INFLUX_BUCKET, INFLUX_ORG }: BucketName,
): Promise<boolean> {
  const { generation } = await influx.server();
  if (generation === 1) return createDatabase1(influx, INFLUX_BUCKET);
  if (generation === 2) return createBucket2(influx, INFLUX_BUCKET, INFLUX_ORG);
  return createDatabase3(influx, INFLUX_BUCKET);
}

/**
 * Deletes the operations in the bucket: every one, or those up to a time in Unix nanoseconds, inclusive. InfluxDB 3.x
 * deletes all or nothing.
 *
 * @throws {InfluxError} with what InfluxDB said.
 */
export async function clearOperations(influx: Influx, config: BucketName, until?: string): Promise<void> {
  const { generation } = await influx.server();
  if (generation === 1) {
    const statement = until === undefined ? 'DROP MEASUREMENT' : 'DELETE FROM';
    const condition = until === undefined ? '' : ` WHERE time <= ${until}`;
    await influx.query(`${statement} "${MEASUREMENT}"${condition}`, 'POST');
  } else if (generation === 2) {
    // On 2.x, InfluxQL's DROP MEASUREMENT does nothing and says nothing.
    const body = {
      start: '1970-01-01T00:00:00Z',
      stop: until === undefined ? '2262-01-01T00:00:00Z' : toRfc3339(until),
      predicate: `_measurement="${MEASUREMENT}"`,
    };
    await influx.request('POST', `/api/v2/delete?${bucketSearch('bucket', config)}`, body);
  } else {
    if (until !== undefined) throw new InfluxError('InfluxDB 3.x deletes all operations or none');
    const search = new URLSearchParams({ db: config.INFLUX_BUCKET, table: MEASUREMENT });
    await influx.request('DELETE', `/api/v3/configure/table?${search}`).catch(ignoreStatus(404));
  }
}

/**
 * How long the bucket keeps a point, in milliseconds; `Infinity` when it has no limit, or (3.x) does not say so.
 *
 * @throws {InfluxError} with what InfluxDB said.
 */
export async function bucketRetention(influx: Influx, config: BucketName): Promise<number> {
  const { generation } = await influx.server();
  if (generation === 1) return retention1(influx, config.INFLUX_BUCKET);
  if (generation === 2) return retention2(influx, config);
  return Infinity;
}

async function createDatabase1(influx: Influx, name: string): Promise<boolean> {
  const [databases] = await influx.query('SHOW DATABASES');
  if (databases?.values?.some(([existing]) => existing === name)) return false;
  await influx.query(`CREATE DATABASE "${escapeName(name)}"`, 'POST');
  return true;
}

async function createBucket2(influx: Influx, name: string, org: string): Promise<boolean> {
  if (org === '') throw new InfluxError('InfluxDB 2.x needs INFLUX_ORG to make a bucket');
  const search = new URLSearchParams({ name, org });
  const found = JSON.parse(await influx.request('GET', `/api/v2/buckets?${search}`).catch(noneFor404)) as {
    buckets?: readonly unknown[];
  };
  if (found.buckets?.length) return false;
  const { orgs } = JSON.parse(
    await influx.request('GET', `/api/v2/orgs?${new URLSearchParams({ org })}`),
  ) as {
    orgs: readonly { id: string }[];
  };
  await influx.request('POST', '/api/v2/buckets', { orgID: orgs[0]?.id, name, retentionRules: [] });
  return true;
}

/** Go's notation, such as `168h0m0s`; `0s` is no limit. */
const GO_DURATION = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/;

async function retention1(influx: Influx, name: string): Promise<number> {
  const [policies] = await influx.query(`SHOW RETENTION POLICIES ON "${escapeName(name)}"`);
  const { columns = [], values = [] } = policies ?? {};
  const policy = values.find((row) => String(row[columns.indexOf('default')]) === 'true');
  const [, hours = 0, minutes = 0, seconds = 0] =
    GO_DURATION.exec(String(policy?.[columns.indexOf('duration')])) ?? [];
  const ms = (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)) * SECOND;
  return ms === 0 ? Infinity : ms;
}

async function retention2(influx: Influx, config: BucketName): Promise<number> {
  const answer = await influx.request('GET', `/api/v2/buckets?${bucketSearch('name', config)}`);
  const { buckets = [] } = JSON.parse(answer) as {
    buckets?: readonly { retentionRules?: readonly { everySeconds?: number }[] }[];
  };
  const seconds = buckets[0]?.retentionRules?.[0]?.everySeconds ?? 0;
  return seconds === 0 ? Infinity : seconds * SECOND;
}

function bucketSearch(key: 'name' | 'bucket', { INFLUX_BUCKET, INFLUX_ORG }: BucketName): URLSearchParams {
  return new URLSearchParams({ [key]: INFLUX_BUCKET, ...(INFLUX_ORG !== '' && { org: INFLUX_ORG }) });
}

function toRfc3339(nanoseconds: string): string {
  const at = BigInt(nanoseconds);
  const seconds = new Date(Number(at / 1_000_000_000n) * SECOND).toISOString().slice(0, -'.000Z'.length);
  return `${seconds}.${String(at % 1_000_000_000n).padStart(9, '0')}Z`;
}

const escapeName = (name: string): string => name.replace(/["\\]/g, String.raw`\$&`);

async function createDatabase3(influx: Influx, name: string): Promise<boolean> {
  return influx.request('POST', '/api/v3/configure/database', { db: name }).then(
    () => true,
    (error: unknown) => {
      ignoreStatus(409)(error);
      return false;
    },
  );
}

const noneFor404 = (error: unknown): string => {
  ignoreStatus(404)(error);
  return '{}';
};

function ignoreStatus(status: number) {
  return (error: unknown): void => {
    if (!(error instanceof InfluxError) || error.status !== status) throw error;
  };
}
