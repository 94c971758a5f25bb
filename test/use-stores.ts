import { afterAll, afterEach, beforeAll, beforeEach, inject } from 'vitest';
import { openPostgres } from '../src/drill/stores/open-stores.js';
import type { Store as Server } from '../src/drill/stores/store.js';
import { Ledger } from '../src/shared/ledger.js';
import type { Postgres } from '../src/shared/postgres.js';
import type { InfluxGeneration } from './global-setup.js';
import { InfluxBucket, openServer } from './influx-bucket.js';
import { openLedger } from './ledger-database.js';

/** What each test has for itself, and the Postgres that it shares with the others. */
interface Stores {
  readonly bucket: InfluxBucket;
  readonly postgres: Postgres & { readonly url: string };
  readonly ledger: Ledger;
  readonly database: Server;
}

/** Gives each test of this file, or of this `describe`, an empty bucket and an empty ledger on real servers that they share. */
export function useStores(take: (stores: Stores) => void, generation = anyGeneration()): void {
  let servers: readonly [Server, Server];
  let stores: Stores;
  beforeAll(async () => {
    servers = await Promise.all([openServer(generation), openPostgres()]);
  });
  afterAll(() => Promise.all(servers.map((server) => server[Symbol.asyncDispose]())));
  beforeEach(async () => {
    const [influxdb, database] = servers;
    await database.start();
    const bucket = new InfluxBucket(influxdb);
    await bucket.create();
    const postgres = await openLedger(database);
    stores = { bucket, postgres, ledger: new Ledger(postgres), database };
    take(stores);
  });
  afterEach(async () => {
    stores.bucket[Symbol.dispose]();
    await stores.postgres[Symbol.asyncDispose]();
  });
}

function anyGeneration(): InfluxGeneration {
  const [first = 1] = inject('influxGenerations');
  return first;
}
