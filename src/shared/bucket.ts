import { InfluxError, type Influx, type InfluxConfig } from './influx.js';
import { MEASUREMENT } from './operation.js';

/**
 * Makes the bucket (on 1.x and 3.x the database) if it is missing, without a limit of retention. Resolves with whether
 * it was made.
 *
 * @throws {InfluxError} with what InfluxDB said.
 */
export async function createBucket(
  influx: Influx,
  { INFLUX_BUCKET, INFLUX_ORG }: InfluxConfig,
): Promise<boolean> {
  const { generation } = await influx.server();
  if (generation === 1) return createDatabase1(influx, INFLUX_BUCKET);
  if (generation === 2) return createBucket2(influx, INFLUX_BUCKET, INFLUX_ORG);
  return createDatabase3(influx, INFLUX_BUCKET);
}

/**
 * Deletes every operation in the bucket.
 *
 * @throws {InfluxError} with what InfluxDB said.
 */
export async function clearOperations(
  influx: Influx,
  { INFLUX_BUCKET, INFLUX_ORG }: InfluxConfig,
): Promise<void> {
  const { generation } = await influx.server();
  if (generation === 1) {
    await influx.query(`DROP MEASUREMENT "${MEASUREMENT}"`, 'POST');
  } else if (generation === 2) {
    // On 2.x, InfluxQL's DROP MEASUREMENT does nothing and says nothing.
    const search = new URLSearchParams({
      bucket: INFLUX_BUCKET,
      ...(INFLUX_ORG !== '' && { org: INFLUX_ORG }),
    });
    const everything = { start: '1970-01-01T00:00:00Z', stop: '2262-01-01T00:00:00Z' };
    const body = { ...everything, predicate: `_measurement="${MEASUREMENT}"` };
    await influx.request('POST', `/api/v2/delete?${search}`, body);
  } else {
    const search = new URLSearchParams({ db: INFLUX_BUCKET, table: MEASUREMENT });
    await influx.request('DELETE', `/api/v3/configure/table?${search}`).catch(ignoreStatus(404));
  }
}

async function createDatabase1(influx: Influx, name: string): Promise<boolean> {
  const [databases] = await influx.query('SHOW DATABASES');
  if (databases?.values?.some(([existing]) => existing === name)) return false;
  await influx.query(`CREATE DATABASE "${name.replace(/["\\]/g, String.raw`\$&`)}"`, 'POST');
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
