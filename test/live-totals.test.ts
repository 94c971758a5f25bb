import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { Audits } from '../src/api/live/audits.js';
import { QuarantineView } from '../src/api/live/quarantine-view.js';
import { Totals } from '../src/api/live/totals.js';
import type { Store as Server } from '../src/drill/stores/store.js';
import { Influx } from '../src/shared/influx.js';
import type { Ledger } from '../src/shared/ledger.js';
import { Lines } from '../src/shared/lines.js';
import type { LiveQuarantine, LiveTotals } from '../src/shared/live.js';
import type { Postgres } from '../src/shared/postgres.js';
import { quiet } from './accepting-store.js';
import { lineAt, type InfluxBucket } from './influx-bucket.js';
import { until } from './latch.js';
import { useStores } from './use-stores.js';

let postgres: Postgres & { readonly url: string };
let ledger: Ledger;
let database: Server;
let bucket: InfluxBucket;
useStores((stores) => ({ postgres, ledger, database, bucket } = stores));

let totals: Totals;
beforeEach(() => {
  totals = new Totals({ quick: postgres, slow: postgres, log: quiet });
});

const chunkOf = (seq: number, operations = 3) => ({
  id: `i.${seq}`,
  lines: Lines.of(Array.from({ length: operations }, (_, n) => lineAt(1_000 * seq + n))),
});

const lineOf = (seq: number, n: number) => lineAt(1_000 * seq + n);

/** What is counted from nothing, by what the words mean. */
async function truth(): Promise<Omit<LiveTotals, 'at' | 'oldestPendingSeconds'>> {
  const [row] = await postgres.sql<[{ accepted: number; unlogged: number }]>`
    SELECT coalesce(sum(operations), 0)::float8 AS accepted,
           coalesce(sum(operations) FILTER (WHERE logged_at IS NULL), 0)::float8 AS unlogged FROM chunks`;
  const lines = await postgres.sql<{ dropped: boolean; operations: number; logged: boolean }[]>`
    SELECT dropped_at IS NOT NULL AS dropped, chunks.logged_at IS NOT NULL AS logged,
           CASE WHEN chunks.operations = 0 THEN 0 WHEN status > 0 THEN 1 WHEN line = lines THEN operations ELSE 0 END AS operations
    FROM quarantine JOIN chunks ON chunks.id = chunk_id`;
  const sum = (which: readonly (typeof lines)[number][]) =>
    which.reduce((total, { operations }) => total + operations, 0);
  const quarantined = sum(lines.filter(({ dropped }) => !dropped));
  const dropped = sum(lines.filter((line) => line.dropped));
  const pending = row.unlogged - sum(lines.filter(({ logged }) => !logged));
  const { accepted } = row;
  return { accepted, quarantined, dropped, pending, logged: accepted - quarantined - dropped - pending };
}

async function refreshed(): Promise<LiveTotals | null> {
  await totals.refresh(true);
  return totals.latest;
}

/** As if all that is there had happened so long ago that it is counted once. */
const longAgo = () => postgres.sql`
  UPDATE chunks SET accepted_at = accepted_at - interval '1 minute', logged_at = logged_at - interval '50 seconds'`;

describe('the totals', () => {
  test('of an empty ledger are nothing, and in one with everything each operation is in one state', async () => {
    expect(await refreshed()).toMatchObject({
      accepted: 0,
      logged: 0,
      quarantined: 0,
      dropped: 0,
      pending: 0,
    });
    await ledger.add(chunkOf(0), 0);
    await ledger.addLogged([chunkOf(1), chunkOf(2), chunkOf(3, 5)]);
    await ledger.writeOff(chunkOf(4));
    await ledger.quarantine([
      { chunk: 'i.0', line: lineOf(0, 1), reason: 'no', status: 400 },
      { chunk: 'i.1', line: lineOf(1, 0), reason: 'no', status: 422 },
      { chunk: 'i.1', line: lineOf(1, 1), reason: 'no', status: 422 },
      { chunk: 'i.2', line: chunkOf(2).lines.text, reason: 'not a chunk', status: 0 },
      { chunk: 'i.9', line: 'of a chunk that nobody has', reason: 'no', status: 400 },
    ]);
    await postgres.sql`UPDATE quarantine SET dropped_at = now() WHERE line = ${lineOf(1, 1)}`;
    await until(async () => (await refreshed())?.accepted === 14);
    const counts = { accepted: 14, logged: 6, quarantined: 5, dropped: 1, pending: 2 };
    expect(totals.latest).toMatchObject(counts);
    expect(await truth()).toEqual(counts);
  });

  test('say how old the oldest is that is pending', async () => {
    await ledger.addLogged([chunkOf(0)]);
    await until(async () => (await refreshed())?.accepted === 3);
    expect(totals.latest?.oldestPendingSeconds).toBe(0);
    await ledger.add(chunkOf(1), 0);
    await postgres.sql`UPDATE chunks SET accepted_at = now() - interval '1 hour' WHERE seq = 1`;
    await until(async () => (await refreshed())?.pending === 3);
    expect(totals.latest?.oldestPendingSeconds).toBeGreaterThanOrEqual(3_600);
  });

  test('count what was settled long ago once, and it stays right when some of it is sent again', async () => {
    await ledger.addLogged([chunkOf(0), chunkOf(1)]);
    await longAgo();
    await until(async () => (await refreshed())?.accepted === 6);
    await postgres.sql`UPDATE chunks SET logged_at = NULL, due_at = now() WHERE seq = 1`;
    await until(async () => (await refreshed())?.pending === 3);
    expect(totals.latest).toMatchObject({ accepted: 6, logged: 3 });
    await ledger.markLogged(['i.1']);
    await until(async () => (await refreshed())?.pending === 0);
    expect(totals.latest).toMatchObject({ accepted: 6, logged: 6 });
  });

  test('are counted anew, so that what was deleted is not counted for ever', async () => {
    await ledger.addLogged([chunkOf(0), chunkOf(1)]);
    await longAgo();
    totals = new Totals({ quick: postgres, slow: postgres, log: quiet, recountMs: 20 });
    await until(async () => (await refreshed())?.accepted === 6);
    await postgres.sql`DELETE FROM chunks WHERE seq = 0`;
    await until(async () => (await refreshed())?.accepted === 3);
    expect(totals.latest).toMatchObject({ accepted: 3, logged: 3, pending: 0 });
  });

  test('are unknown while the ledger is away, and known when it is back', async () => {
    await ledger.addLogged([chunkOf(0)]);
    await until(async () => (await refreshed())?.accepted === 3);
    await database.kill();
    await until(async () => (await refreshed()) === null);
    await database.start();
    await until(async () => (await refreshed())?.accepted === 3);
  });

  test('are those of a count from nothing, whatever happens in whatever order', async () => {
    const seq = fc.integer({ min: 0, max: 5 });
    const step = fc.oneof(
      fc.record({ add: seq }),
      fc.record({ log: seq }),
      fc.record({ retry: seq }),
      fc.record({ refuse: seq, n: fc.integer({ min: 0, max: 2 }) }),
      fc.constant('look' as const),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
        await postgres.sql`TRUNCATE chunks, quarantine`;
        // Each look counts what is there for good, and nothing is ever counted anew.
        const options = { settledMs: 0, recountMs: Infinity };
        const looking = new Totals({ quick: postgres, slow: postgres, log: quiet, ...options });
        await looking.refresh(true);
        for (const one of steps) {
          if (one === 'look') await anotherLook(looking);
          else if ('add' in one) await ledger.add(chunkOf(one.add), 0);
          else if ('log' in one) await ledger.addLogged([chunkOf(one.log)]);
          else if ('retry' in one)
            await postgres.sql`UPDATE chunks SET logged_at = NULL WHERE seq = ${one.retry} AND operations > 0`;
          else
            await ledger.quarantine([
              { chunk: `i.${one.refuse}`, line: lineOf(one.refuse, one.n), reason: 'no', status: 400 },
            ]);
        }
        const wanted = JSON.stringify(await truth());
        await until(async () => {
          await looking.refresh(true);
          const { at: _at, oldestPendingSeconds: _seconds, ...found } = looking.latest as LiveTotals;
          return JSON.stringify(sorted(found)) === JSON.stringify(sorted(JSON.parse(wanted)));
        });
      }),
      { numRuns: 10 },
    );
  });
});

/** It does not look again at once. */
async function anotherLook(looking: Totals): Promise<void> {
  const before = looking.latest;
  await until(async () => {
    await looking.refresh(true);
    return looking.latest !== before;
  });
}

const sorted = (counts: object) =>
  Object.fromEntries(Object.entries(counts).sort(([one], [other]) => one.localeCompare(other)));

describe('the quarantine', () => {
  const refuse = (...lines: readonly string[]) =>
    ledger.quarantine(lines.map((line) => ({ chunk: 'i.0', line, reason: `no: ${line}`, status: 400 })));

  function viewing() {
    const seen: LiveQuarantine[] = [];
    const view = new QuarantineView({
      postgres,
      log: quiet,
      onChange: (quarantine) => void seen.push(quarantine),
    });
    return { view, seen };
  }

  test('is told when it has changed, with the latest lines, none of them endless', async () => {
    const { view, seen } = viewing();
    await refuse(...Array.from({ length: 30 }, (_, n) => `line ${n}`), 'x'.repeat(100_000));
    await view.refresh();
    expect(view.latest.total).toBe(31);
    expect(view.latest.lines).toHaveLength(20);
    expect(view.latest.lines[0]).toMatchObject({ chunk: 'i.0', line: 'x'.repeat(2_000), status: 400 });
    expect(view.latest.lines[0]?.reason).toHaveLength(2_000);
    expect(view.latest.lines[1]).toMatchObject({ line: 'line 29', reason: 'no: line 29' });
    expect(Date.parse(view.latest.lines[1]?.refusedAt ?? '')).toBeGreaterThan(0);
    expect(seen).toEqual([view.latest]);
    await postgres.sql`UPDATE quarantine SET dropped_at = now() WHERE length(line) > 1000`;
    await until(async () => {
      await view.refresh();
      return seen.length === 2;
    });
    expect(view.latest).toMatchObject({ total: 30 });
  });

  test('stays as it was last seen while the ledger is away', async () => {
    const { view, seen } = viewing();
    await refuse('line');
    await view.refresh();
    await database.kill();
    await view.refresh();
    await database.start();
    expect([view.latest.total, seen.length]).toEqual([1, 1]);
  });
});

describe('everything accepted is logged', () => {
  test('when nothing was pending, and an audit that began after that found nothing missing', async () => {
    const audits = new Audits({ postgres, influx: bucket.influx, bucket: bucket.config }, quiet);
    const totalsAt = (at: number, pending: number) => ({ at, pending }) as LiveTotals;
    audits.see(totalsAt(10, 0));
    audits.see(totalsAt(20, 3));
    audits.see(null);
    await audits.refresh();
    expect([audits.latest?.balanced, audits.completeAt]).toEqual([true, 10]);

    await ledger.addLogged([chunkOf(0)]);
    audits.see(totalsAt(30, 0));
    await until(async () => {
      await audits.refresh();
      return audits.latest?.missing === 3;
    });
    expect(audits.completeAt).toBe(10);
    expect(audits.latest).toMatchObject({ balanced: false, accepted: 3, logged: 0, extra: 0 });

    await bucket.write([chunkOf(0).lines.text]);
    await until(async () => {
      await audits.refresh();
      return audits.latest?.missing === 0;
    });
    expect([audits.latest?.logged, audits.completeAt]).toEqual([3, 30]);
  });

  test('is not known to be so again while a store is away', async () => {
    using influx = new Influx({ ...bucket.config, INFLUX_URL: 'http://127.0.0.1:1' });
    const audits = new Audits({ postgres, influx, bucket: bucket.config }, quiet);
    audits.see({ at: 10, pending: 0 } as LiveTotals);
    await audits.refresh();
    expect([audits.latest, audits.completeAt]).toEqual([null, null]);
  });
});
