import { Influx, InfluxError, type InfluxConfig } from '../../shared/influx.js';
import { ExternalStore } from './external.js';
import { StoreError, type Environment, type Store } from './store.js';

interface Target extends InfluxConfig {
  /** The variable that names it. */
  readonly origin: string;
}

/** What `INFLUX_URL` and its companions name; `undefined` when it is not set. */
export function influxOfEnvironment(environment: Environment, suffix: string): Target | undefined {
  const { INFLUX_URL, INFLUX_TOKEN = '', INFLUX_ORG = '', INFLUX_BUCKET = 'tally' } = environment;
  if (!INFLUX_URL) return undefined;
  const bucket = `${INFLUX_BUCKET || 'tally'}-demo-${suffix}`;
  return { origin: 'INFLUX_URL', INFLUX_URL, INFLUX_TOKEN, INFLUX_ORG, INFLUX_BUCKET: bucket };
}

/** The InfluxDB 2.x that `TALLY_INFLUX2_URL` and its companions name, for tests; `undefined` when it is not set. */
export function influx2OfEnvironment(environment: Environment, suffix: string): Target | undefined {
  const { TALLY_INFLUX2_URL, TALLY_INFLUX2_TOKEN = '', TALLY_INFLUX2_ORG = '' } = environment;
  if (!TALLY_INFLUX2_URL) return undefined;
  return {
    origin: 'TALLY_INFLUX2_URL',
    INFLUX_URL: TALLY_INFLUX2_URL,
    INFLUX_TOKEN: TALLY_INFLUX2_TOKEN,
    INFLUX_ORG: TALLY_INFLUX2_ORG,
    INFLUX_BUCKET: `tally-demo-${suffix}`,
  };
}

/** Which generation answers there. Rejects when nothing does. */
export async function generationOf({ origin, ...config }: Target): Promise<1 | 2 | 3> {
  using influx = new Influx(config);
  const { generation } = await influx.server().catch((cause: unknown) => {
    throw new StoreError('START', `${origin}: ${(cause as Error).message}`, { cause });
  });
  return generation;
}

/**
 * An InfluxDB that exists, with a bucket or database of our own. As with ours, the bucket of a 2.x is there and the
 * database of a 1.x or 3.x is left to `tally setup`; disposing deletes it.
 */
export async function externalInfluxDB({ origin, ...config }: Target): Promise<Store> {
  const generation = await generationOf({ origin, ...config });
  if (generation === 2) await createBucket(config);
  const { INFLUX_URL, INFLUX_TOKEN, INFLUX_ORG, INFLUX_BUCKET } = config;
  return new ExternalStore({
    name: 'influxdb',
    origin,
    url: INFLUX_URL,
    environment: { INFLUX_URL, INFLUX_TOKEN, INFLUX_ORG, INFLUX_BUCKET },
    cleanUp: () => deleteBucket(config, generation),
  });
}

async function createBucket(config: InfluxConfig): Promise<void> {
  using influx = new Influx(config);
  const search = new URLSearchParams({ org: config.INFLUX_ORG });
  const answer = await influx.request('GET', `/api/v2/orgs?${search}`);
  const { orgs } = JSON.parse(answer) as { orgs: readonly { id: string }[] };
  await influx.request('POST', '/api/v2/buckets', {
    orgID: orgs[0]?.id,
    name: config.INFLUX_BUCKET,
    retentionRules: [],
  });
}

async function deleteBucket(config: InfluxConfig, generation: 1 | 2 | 3): Promise<void> {
  using influx = new Influx(config);
  const { INFLUX_BUCKET: bucket, INFLUX_ORG: org } = config;
  if (generation === 1) {
    await influx.query(`DROP DATABASE "${bucket.replaceAll(/["\\]/g, '\\$&')}"`, 'POST');
  } else if (generation === 3) {
    const search = new URLSearchParams({ db: bucket });
    await influx.request('DELETE', `/api/v3/configure/database?${search}`).catch((error: unknown) => {
      // Nobody made it.
      if (!(error instanceof InfluxError && error.status === 404)) throw error;
    });
  } else {
    const search = new URLSearchParams({ org, name: bucket });
    const { buckets } = JSON.parse(await influx.request('GET', `/api/v2/buckets?${search}`)) as {
      buckets: readonly { id: string }[];
    };
    for (const { id } of buckets) await influx.request('DELETE', `/api/v2/buckets/${id}`);
  }
}
