import { findStores, type Search } from './find.js';
import { SOURCES, type Source } from './sources.js';
import type { Environment, Store, StoreName } from './store.js';

type InfluxGeneration = '1' | '2' | 'any';

interface OpenOptions {
  /** Default: `process.env`. */
  readonly environment?: Environment | undefined;
  /** Told where each store comes from, and what is being installed. */
  readonly report?: ((line: string) => void) | undefined;
}

export interface OpenStoresOptions<N extends StoreName> extends OpenOptions {
  /** Default: all three. */
  readonly which?: readonly N[] | undefined;
  /** Default: any. */
  readonly influx?: InfluxGeneration | undefined;
}

/** Stores that answer. Disposing them all disposes each. */
export type Stores<N extends StoreName = StoreName> = Readonly<Record<N, Store>> &
  AsyncDisposable & {
    /** What Tally needs to use them all. */
    readonly environment: Readonly<Record<string, string>>;
  };

/**
 * Opens stores from where they can be had: the servers that `REDIS_URL`, `DATABASE_URL` and `INFLUX_URL` name, else
 * binaries on this machine, else Docker Compose, else Debian's packages, installed now.
 *
 * @throws {StoreError} when one of them is not to be had or does not start; none is left open then.
 */
export async function openStores<N extends StoreName = StoreName>({
  which = ['redis', 'postgres', 'influxdb'] as N[],
  influx = 'any',
  ...options
}: OpenStoresOptions<N> = {}): Promise<Stores<N>> {
  const sources = [...new Set<StoreName>(which)].map((name) =>
    name === 'influxdb' ? SOURCES.influxdb[influx] : SOURCES[name],
  );
  const stores = await openAll(sources, searchOf(options, true));
  return {
    ...(Object.fromEntries(stores.map((store) => [store.name, store])) as Record<N, Store>),
    environment: Object.assign({}, ...stores.map(({ environment }) => environment)) as Record<string, string>,
    [Symbol.asyncDispose]: () => disposeAll(stores),
  };
}

/** A Redis of our own: one that can be stopped and killed, whatever `REDIS_URL` says. */
export const openRedis = (options?: OpenOptions) => openOwn(SOURCES.redis, options);

/** A Postgres of our own, whatever `DATABASE_URL` says. */
export const openPostgres = (options?: OpenOptions) => openOwn(SOURCES.postgres, options);

/** An InfluxDB 1.x of our own, without a database. */
export const openInfluxDB1 = (options?: OpenOptions) => openOwn(SOURCES.influxdb['1'], options);

/** An InfluxDB 2.x of our own or, where there is no binary, a bucket of our own in that of `TALLY_INFLUX2_URL`. */
export const openInfluxDB2 = (options?: OpenOptions) => openOwn(SOURCES.influxdb['2'], options);

async function openOwn(source: Source, options: OpenOptions = {}): Promise<Store> {
  const [store] = await openAll([source], searchOf(options, false));
  return store as Store;
}

function searchOf(
  { environment = process.env, report = () => undefined }: OpenOptions,
  external: boolean,
): Search {
  return { environment, external, report };
}

async function openAll(sources: readonly Source[], search: Search): Promise<Store[]> {
  const found = await findStores(sources, search);
  const opened = await Promise.allSettled([...found.values()].map((way) => way.open()));
  const stores = opened.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
  try {
    raise(opened);
  } catch (error) {
    await disposeAll(stores);
    throw error;
  }
  return stores;
}

async function disposeAll(stores: readonly Store[]): Promise<void> {
  raise(await Promise.allSettled(stores.map((store) => store[Symbol.asyncDispose]())));
}

/** Throws what was rejected: the one reason, or all of them together. */
function raise(results: readonly PromiseSettledResult<unknown>[]): void {
  const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []));
  if (reasons.length === 1) throw reasons[0];
  if (reasons.length > 1) throw new AggregateError(reasons, reasons.map(({ message }) => message).join('\n'));
}
