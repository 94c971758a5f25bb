import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import type { Store as Server } from '../src/drill/stores/store.js';
import { MINUTE, SECOND } from '../src/shared/duration.js';
import { Influx } from '../src/shared/influx.js';
import type { Ledger } from '../src/shared/ledger.js';
import { Lines } from '../src/shared/lines.js';
import type { Postgres } from '../src/shared/postgres.js';
import { LedgerWatch } from '../src/worker/ledger-watch.js';
import { quiet } from './accepting-store.js';
import { type InfluxBucket, lineAt } from './influx-bucket.js';
import { until } from './system/scene.js';
import { useStores } from './use-stores.js';

const UNACCOUNTED = 'tally_unaccounted_operations';
const AGE = 'tally_oldest_unlogged_operation_age_seconds';

let database: Server;
let bucket: InfluxBucket;
let postgres: Postgres & { readonly url: string };
let ledger: Ledger;
useStores((stores) => ({ bucket, postgres, ledger, database } = stores));

const startedAt = BigInt(Date.now() - MINUTE) * 1_000_000n;
const chunkOf = (seq: number) => ({
  id: `i.${seq}`,
  lines: Lines.of([lineAt(seq, { at: String(startedAt + BigInt(seq)) })]),
});
const log = async (...seqs: readonly number[]) => {
  await bucket.write(seqs.map((seq) => chunkOf(seq).lines.text));
  await ledger.addLogged(seqs.map(chunkOf));
};

interface WatchOptions {
  readonly application?: string;
  readonly influx?: Influx;
  readonly retentionMs?: number;
  readonly intervalMs?: number;
}

/** A watch that looks every 20 ms unless told otherwise, and what its worker exports. */
function watching(options: WatchOptions = {}) {
  const { application = 'watch', influx = bucket.influx } = options;
  const { retentionMs = 60 * MINUTE, intervalMs = 20 } = options;
  const registry = new Registry();
  const { config } = bucket;
  const watch = new LedgerWatch({
    ...{ url: postgres.url, application, influx, bucket: config, registry, retentionMs },
    ...{ log: quiet, intervalMs },
  });
  watch.start();
  const exported = async (name: string): Promise<number | undefined> =>
    (await registry.getSingleMetric(name)?.get())?.values[0]?.value;
  const exports = (name: string) => until(async () => (await exported(name)) !== undefined);
  return { watch, exported, exports, [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose]() };
}

/** The sessions of a watch, each with the statement it ended last. */
const sessionsOf = (application: string) => postgres.sql<{ pid: number; query: string }[]>`
  SELECT pid, query FROM pg_stat_activity
  WHERE application_name = ${application} AND datname = current_database() AND state = 'idle'`;

describe('the watch on the ledger', () => {
  test('exports what is unaccounted for, and the age of the oldest operation that is not logged', async () => {
    await log(0, 1);
    await using one = watching();
    await one.exports(UNACCOUNTED);
    expect([await one.exported(UNACCOUNTED), await one.exported(AGE)]).toEqual([0, 0]);
    await ledger.addLogged([chunkOf(2)]); // and InfluxDB has it not
    await until(async () => (await one.exported(UNACCOUNTED)) === 1);
    await ledger.add(chunkOf(3), MINUTE);
    await postgres.sql`UPDATE chunks SET accepted_at = now() - interval '1 hour' WHERE seq = 3`;
    await until(async () => ((await one.exported(AGE)) ?? 0) >= 3_600);
  });

  test('is kept by one worker at a time, and the others export nothing', async () => {
    await using one = watching();
    await one.exports(UNACCOUNTED);
    await using other = watching({ application: 'other' });
    await until(async () => (await sessionsOf('other')).some(({ query }) => query.includes('advisory_lock')));
    expect([await other.exported(UNACCOUNTED), await other.exported(AGE)]).toEqual([undefined, undefined]);
    await one.watch[Symbol.asyncDispose]();
    expect([await one.exported(UNACCOUNTED), await one.exported(AGE)]).toEqual([undefined, undefined]);
    await other.exports(UNACCOUNTED);
  });

  test('exports nothing from the moment it loses its connection', async () => {
    await using one = watching({ intervalMs: 60 * MINUTE });
    await one.exports(UNACCOUNTED);
    const [session] = await sessionsOf('watch');
    await postgres.sql`SELECT pg_terminate_backend(${session?.pid ?? 0})`;
    await until(async () => (await one.exported(UNACCOUNTED)) === undefined);
    expect(await one.exported(AGE)).toBeUndefined();
  });

  test('leads again when Postgres is back', async () => {
    await using one = watching();
    await one.exports(UNACCOUNTED);
    await database.kill();
    await until(async () => (await one.exported(UNACCOUNTED)) === undefined);
    await database.start();
    await one.exports(UNACCOUNTED);
    await one.exports(AGE);
  });

  test('exports no audit while InfluxDB is away, and deletes all the same what was logged long ago', async () => {
    await log(0, 1, 2);
    await postgres.sql`UPDATE chunks SET logged_at = now() - interval '2 minutes' WHERE seq < 2`;
    using influx = new Influx({ ...bucket.config, INFLUX_URL: 'http://127.0.0.1:1' });
    await using one = watching({ influx, retentionMs: MINUTE });
    await one.exports(AGE);
    await until(async () => (await postgres.sql`SELECT id FROM chunks`).length === 1);
    expect(await one.exported(UNACCOUNTED)).toBeUndefined();
  });

  test('audits as much of the last hour as the ledger keeps', async () => {
    await log(0, 1);
    await postgres.sql`UPDATE chunks SET logged_at = now() - interval '2 minutes'`;
    await ledger.forget(SECOND, 1);
    await using one = watching();
    await one.exports(UNACCOUNTED);
    expect(await one.exported(UNACCOUNTED)).toBe(0);
  });
});
