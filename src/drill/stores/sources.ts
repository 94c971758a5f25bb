import { containedStore } from './containers.js';
import {
  externalInfluxDB,
  generationOf,
  influx2OfEnvironment,
  influxOfEnvironment,
} from './external-influxdb.js';
import { externalPostgres } from './external-postgres.js';
import { externalRedis } from './external-redis.js';
import { localInfluxDB1 } from './influxdb1.js';
import { localInfluxDB2 } from './influxdb2.js';
import { openOwnStore, type Recipe } from './own-store.js';
import { localPostgres } from './postgres.js';
import { localRedis } from './redis.js';
import type { Environment, Store, StoreName } from './store.js';

/** A store that was found, and is opened later. */
export interface Way {
  readonly origin: string;
  open(): Promise<Store>;
}

/** One store, and everywhere it can come from. */
export interface Source {
  readonly name: StoreName;
  readonly label: string;
  /** The variable that names one that exists. */
  readonly variable: string;
  readonly debianPackage?: string;
  readonly brewFormula: string;
  /** One that the environment names. `suffix` is random and keeps us apart from what is there. */
  external(environment: Environment, suffix: string): Promise<Way | undefined>;
  /** A new one from binaries of this machine. */
  local(environment: Environment): Promise<Way | undefined>;
  /** One that is named for the case that there are no binaries. */
  existing?(environment: Environment, suffix: string): Way | undefined;
  /** A new one as a container. */
  readonly contained?: (environment: Environment) => Way;
}

function own(recipe: Recipe): Way;
function own(recipe: Recipe | undefined): Way | undefined;
function own(recipe: Recipe | undefined): Way | undefined {
  return recipe && { origin: recipe.origin, open: () => openOwnStore(recipe) };
}

const redis: Source = {
  name: 'redis',
  label: 'Redis',
  variable: 'REDIS_URL',
  debianPackage: 'redis-server',
  brewFormula: 'redis',
  external: ({ REDIS_URL: url }, suffix) =>
    Promise.resolve(url ? { origin: 'REDIS_URL', open: () => externalRedis(url, suffix) } : undefined),
  local: (environment) => Promise.resolve(own(localRedis(environment))),
  contained: (environment) => own(containedStore('redis', environment)),
};

const postgres: Source = {
  name: 'postgres',
  label: 'Postgres',
  variable: 'DATABASE_URL',
  debianPackage: 'postgresql',
  brewFormula: 'postgresql@17',
  external: ({ DATABASE_URL: url }, suffix) =>
    Promise.resolve(url ? { origin: 'DATABASE_URL', open: () => externalPostgres(url, suffix) } : undefined),
  local: async (environment) => own(await localPostgres(environment)),
  contained: (environment) => own(containedStore('postgres', environment)),
};

const anyInfluxDB: Source = {
  name: 'influxdb',
  label: 'InfluxDB',
  variable: 'INFLUX_URL',
  debianPackage: 'influxdb',
  brewFormula: 'influxdb@2',
  external: (environment, suffix) => {
    const target = influxOfEnvironment(environment, suffix);
    return Promise.resolve(target && { origin: target.origin, open: () => externalInfluxDB(target) });
  },
  // A 2.x that was named on purpose comes before a 1.x that happens to be installed.
  local: async (environment) =>
    own(
      (!environment['TALLY_INFLUXD2'] && (await localInfluxDB1(environment))) ||
        (await localInfluxDB2(environment)),
    ),
  contained: (environment) => own(containedStore('influxdb', environment)),
};

const influxDB1: Source = {
  name: 'influxdb',
  label: 'InfluxDB 1.x',
  variable: 'INFLUX_URL',
  debianPackage: 'influxdb',
  brewFormula: 'influxdb@1',
  external: (environment, suffix) => externalOfGeneration(1, environment, suffix),
  local: async (environment) => own(await localInfluxDB1(environment)),
};

const influxDB2: Source = {
  name: 'influxdb',
  label: 'InfluxDB 2.x',
  variable: 'TALLY_INFLUXD2 (a binary) or TALLY_INFLUX2_URL',
  brewFormula: 'influxdb@2',
  external: (environment, suffix) => externalOfGeneration(2, environment, suffix),
  local: async (environment) => own(await localInfluxDB2(environment)),
  existing: (environment, suffix) => {
    const target = influx2OfEnvironment(environment, suffix);
    return target && { origin: target.origin, open: () => externalInfluxDB(target) };
  },
  contained: (environment) => own(containedStore('influxdb', environment)),
};

/** `INFLUX_URL`, where the server behind it is of the generation that is asked for. */
async function externalOfGeneration(
  generation: 1 | 2,
  environment: Environment,
  suffix: string,
): Promise<Way | undefined> {
  const target = influxOfEnvironment(environment, suffix);
  if (target === undefined || (await generationOf(target)) !== generation) return undefined;
  return { origin: target.origin, open: () => externalInfluxDB(target) };
}

export const SOURCES = { redis, postgres, influxdb: { any: anyInfluxDB, '1': influxDB1, '2': influxDB2 } };
