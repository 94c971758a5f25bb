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
import { until } from './latch.js';
import { useStores } from './use-stores.js';

const UNACCOUNTED = 'tally_unaccounted_operations';
const AUDITED = 'tally_audited_operations';
const AGE = 'tally_oldest_unlogged_operation_age_seconds';
const UNLOGGED = 'tally_unlogged_operations';
const QUARANTINED = 'tally_quarantined_lines';

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
  const exported = async (name: string, state?: string): Promise<number | undefined> => {
    const metric = await registry.getSingleMetric(name)?.get();
    return metric?.values.find(({ labels }) => labels['state'] === state)?.value;
  };
  const exports = (name: string, state?: string) =>
    until(async () => (await exported(name, state)) !== undefined);
  return { watch, exported, exports, [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose]() };
}

/** The sessions of a watch, each with the statement it ended last. */
const sessionsOf = (application: string) => postgres.sql<{ pid: number; query: string }[]>`
  SELECT pid, query FROM pg_stat_activity
  WHERE application_name = ${application} AND datname = current_database() AND state = 'idle'`;

describe('the watch on the ledger', () => {
  test('exports what the audit finds, the backlog, and the age of the oldest operation in it', async () => {
    await log(0, 1);
    await using one = watching();
    await one.exports(AUDITED, 'missing');
    const found = ['accepted', 'logged', 'pending', 'missing', 'extra'];
    expect(await Promise.all(found.map((state) => one.exported(AUDITED, state)))).toEqual([2, 2, 0, 0, 0]);
    expect(await Promise.all([UNACCOUNTED, AGE, UNLOGGED].map((name) => one.exported(name)))).toEqual([
      0, 0, 0,
    ]);
    await ledger.addLogged([chunkOf(2)]); // and InfluxDB has it not
    await until(async () => (await one.exported(AUDITED, 'missing')) === 1);
    expect(await one.exported(UNACCOUNTED)).toBe(1);
    await ledger.add(chunkOf(3), MINUTE);
    await postgres.sql`UPDATE chunks SET accepted_at = now() - interval '1 hour' WHERE seq = 3`;
    await until(async () => ((await one.exported(AGE)) ?? 0) >= 3_600);
    expect(await one.exported(UNLOGGED)).toBe(1);
  });

  test('exports how many lines wait in quarantine, without those that were dropped', async () => {
    await using one = watching();
    const refused = ['a', 'b', 'c'].map((line) => ({ chunk: 'i.0', line, reason: 'why', status: 400 }));
    await ledger.quarantine(refused);
    await until(async () => (await one.exported(QUARANTINED)) === 3);
    await postgres.sql`UPDATE quarantine SET dropped_at = now() WHERE line = 'a'`;
    await until(async () => (await one.exported(QUARANTINED)) === 2);
  });

  test('exports what InfluxDB has beyond what was accepted', async () => {
    await log(0, 1);
    await using one = watching();
    await one.exports(AUDITED, 'extra');
    await bucket.write([lineAt(9, { at: String(startedAt + 1n), name: 'other' })]);
    await until(async () => (await one.exported(AUDITED, 'extra')) === 1);
    expect(await one.exported(UNACCOUNTED)).toBe(1);
  });

  test('is kept by one worker at a time, and the others export nothing', async () => {
    await using one = watching();
    await one.exports(AUDITED, 'missing');
    await using other = watching({ application: 'other' });
    await until(async () => (await sessionsOf('other')).some(({ query }) => query.includes('advisory_lock')));
    expect([await other.exported(AUDITED, 'missing'), await other.exported(AGE)]).toEqual([
      undefined,
      undefined,
    ]);
    await one.watch[Symbol.asyncDispose]();
    expect([await one.exported(AUDITED, 'missing'), await one.exported(AGE)]).toEqual([undefined, undefined]);
    await other.exports(AUDITED, 'missing');
  });

  test('exports nothing from the moment it loses its connection', async () => {
    await using one = watching({ intervalMs: 60 * MINUTE });
    await one.exports(AUDITED, 'missing');
    const [session] = await sessionsOf('watch');
    await postgres.sql`SELECT pg_terminate_backend(${session?.pid ?? 0})`;
    await until(async () => (await one.exported(AUDITED, 'missing')) === undefined);
    expect(await one.exported(UNACCOUNTED)).toBeUndefined();
    expect(await one.exported(AGE)).toBeUndefined();
  });

  test('leads again when Postgres is back', async () => {
    await using one = watching();
    await one.exports(AUDITED, 'missing');
    await database.kill();
    await until(async () => (await one.exported(AUDITED, 'missing')) === undefined);
    await database.start();
    await one.exports(AUDITED, 'missing');
    await one.exports(AGE);
  });

  test('exports no audit while InfluxDB is away, and deletes all the same what was logged long ago', async () => {
    await log(0, 1, 2);
    await postgres.sql`UPDATE chunks SET logged_at = now() - interval '2 minutes' WHERE seq < 2`;
    using influx = new Influx({ ...bucket.config, INFLUX_URL: 'http://127.0.0.1:1' });
    await using one = watching({ influx, retentionMs: MINUTE });
    await one.exports(AGE);
    await until(async () => (await postgres.sql`SELECT id FROM chunks`).length === 1);
    expect(await one.exported(AUDITED, 'missing')).toBeUndefined();
  });

  test('audits as much of the last hour as the ledger keeps', async () => {
    await log(0, 1);
    await postgres.sql`UPDATE chunks SET logged_at = now() - interval '2 minutes'`;
    await ledger.forget(SECOND, 1);
    await using one = watching();
    await one.exports(AUDITED, 'missing');
    expect(await one.exported(AUDITED, 'missing')).toBe(0);
  });
});
