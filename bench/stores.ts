import { openInfluxDB1, openInfluxDB2, openPostgres, openRedis } from '../src/drill/stores/open-stores.js';
import type { Store } from '../src/drill/stores/store.js';
import { BenchLedger } from './ledger.js';
import { makeChunks } from './operations.js';
import { BenchQueue } from './queue.js';

/** Which InfluxDB a figure is measured on. */
export type InfluxVersion = '1.x' | '2.x';

/** @throws {StoreError} `MISSING` when it is not to be had. */
const openInflux = (version: InfluxVersion): Promise<Store> =>
  version === '1.x' ? openInfluxDB1() : openInfluxDB2();

/** Required by the configuration of processes that a figure runs without; nothing listens there. */
const UNUSED = {
  INFLUX_URL: 'http://127.0.0.1:1',
  INFLUX_BUCKET: 'unused',
};

/** As the default of `RELAY_AFTER`. */
const RELAY_AFTER_MS = 90_000;

/** The stores in which an operation is accepted, of a measurement's own. */
export class AcceptingStores {
  readonly redis: Store;
  readonly postgres: Store;
  readonly queue: BenchQueue;
  readonly ledger: BenchLedger;
  /** What Tally's processes need to start; it names no InfluxDB that is there. */
  readonly environment: Readonly<Record<string, string>>;

  constructor(
    { redis, postgres }: { redis: Store; postgres: Store },
    { queue, ledger }: { queue: BenchQueue; ledger: BenchLedger },
  ) {
    this.redis = redis;
    this.postgres = postgres;
    this.queue = queue;
    this.ledger = ledger;
    this.environment = { ...UNUSED, ...redis.environment, ...postgres.environment };
  }

  async clear(): Promise<void> {
    await Promise.all([this.queue.clear(), this.ledger.clear()]);
  }

  /** Has operations accepted by queue and ledger, which are what the API would have made of them. */
  async accept(operations: number, chunkSize: number, relayAfterMs = RELAY_AFTER_MS): Promise<void> {
    const chunks = [...makeChunks(operations, chunkSize)];
    await Promise.all([this.queue.accept(chunks), this.ledger.accept(chunks, relayAfterMs)]);
  }

  /** The same, the plain way: one job and one row for each operation. */
  async acceptPlain(operations: number): Promise<void> {
    const chunks = [...makeChunks(operations, 1)];
    await Promise.all([this.queue.acceptPlain(chunks), this.ledger.accept(chunks, RELAY_AFTER_MS)]);
  }
}

/** Queue and ledger on servers that run until `measure` is done. */
export async function onAcceptingStores<T>(measure: (stores: AcceptingStores) => Promise<T>): Promise<T> {
  await using redis = await openRedis();
  await using postgres = await openPostgres();
  await using queue = new BenchQueue(redis);
  await using ledger = await BenchLedger.open(postgres);
  return await measure(new AcceptingStores({ redis, postgres }, { queue, ledger }));
}

/** All three stores, on servers that run until `measure` is done. */
export async function onAllStores<T>(
  version: InfluxVersion,
  measure: (stores: AcceptingStores, influx: Store) => Promise<T>,
): Promise<T> {
  await using influx = await openInflux(version);
  return await onAcceptingStores((stores) => measure(stores, influx));
}
