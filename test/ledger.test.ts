import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { migrate } from '../src/cli/migrations.js';
import { openPostgres } from '../src/drill/stores/open-stores.js';
import type { Store } from '../src/drill/stores/store.js';
import type { Chunk } from '../src/shared/chunk.js';
import { Ledger, LEASE_MS } from '../src/shared/ledger.js';
import { Lines } from '../src/shared/lines.js';
import type { Postgres } from '../src/shared/postgres.js';
import { openLedger } from './ledger-database.js';

const HOUR = 3_600_000;

let server: Store;
let postgres: Postgres;
let ledger: Ledger;
beforeAll(async () => {
  server = await openPostgres();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  postgres = await openLedger(server);
  ledger = new Ledger(postgres);
});
afterEach(() => postgres[Symbol.asyncDispose]());

function chunk(n: number, operations = 3): Chunk {
  const at = (line: number) => 1_700_000_000_000_000_000n + BigInt(n * 1_000 + line);
  const lines = Array.from({ length: operations }, (_, line) => `operation,instance=i r=${line} ${at(line)}`);
  return { id: `i.${n}`, lines: Lines.of(lines) };
}

const rows = async () =>
  [
    ...(await postgres.sql`SELECT id, operations, logged_at IS NOT NULL AS logged FROM chunks ORDER BY seq`),
  ].map(({ id, operations, logged }) => [id, operations, logged] as unknown[]);

describe('a chunk', () => {
  test('is a row with its instance, its number, its range and its lines', async () => {
    await ledger.add(chunk(7), HOUR);
    const [row] = await postgres.sql`SELECT *, due_at - accepted_at AS waits FROM chunks`;
    expect(row).toMatchObject({
      id: 'i.7',
      instance: 'i',
      seq: '7',
      operations: 3,
      first_at: '1700000000000007000',
      last_at: '1700000000000007002',
      lines: chunk(7).lines.text,
      logged_at: null,
      waits: '01:00:00',
    });
  });

  test('that comes twice is there once, and stays logged', async () => {
    await ledger.add(chunk(0), 0);
    await ledger.markLogged(['i.0']);
    await ledger.add(chunk(0), 0);
    expect(await rows()).toEqual([['i.0', 3, true]]);
  });

  test('with an id of another kind has no place here', async () => {
    await expect(ledger.add({ ...chunk(0), id: 'nobody' }, 0)).rejects.toThrow('"nobody" is not a chunk');
    await ledger.addLogged([
      { ...chunk(0), id: 'nobody' },
      { id: 'i.5', lines: Lines.of(['no time']) },
      chunk(1),
    ]);
    expect(await rows()).toEqual([['i.1', 3, true]]);
  });

  test('counts any number of chunks of one instance', async () => {
    await ledger.add({ ...chunk(0), id: 'i.999999999999999' }, 0);
    expect(await rows()).toEqual([['i.999999999999999', 3, false]]);
  });
});

describe('a due chunk', () => {
  test('is claimed by one worker, oldest due first, and not before it is due', async () => {
    await ledger.add(chunk(0), HOUR);
    await ledger.add(chunk(1), 0);
    await ledger.add(chunk(2), 0);
    const [first, second] = [await ledger.claim(1), await ledger.claim(10)];
    expect([first, second].map((due) => due.map(({ id, operations }) => [id, operations]))).toEqual([
      [['i.1', 3]],
      [['i.2', 3]],
    ]);
    expect(await ledger.claim(10)).toHaveLength(0);
    expect(await ledger.anyDue()).toBe(false);
  });

  test('is never claimed by two at the same time', async () => {
    for (let n = 0; n < 60; n++) await ledger.add(chunk(n), 0);
    const claims = await Promise.all(Array.from({ length: 4 }, () => ledger.claim(30)));
    const ids = claims.flatMap((due) => due.map(({ id }) => id));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length + (await ledger.claim(60)).length).toBe(60);
  });

  test('is claimed around those that another transaction holds, without waiting', async () => {
    for (const n of [0, 1, 2]) await ledger.add(chunk(n), 0);
    await postgres.sql.begin(async (other) => {
      await other`SELECT id FROM chunks WHERE id = 'i.0' FOR UPDATE`;
      expect((await ledger.claim(10)).map(({ id }) => id).sort()).toEqual(['i.1', 'i.2']);
    });
  });

  test('is leased: after the lease, unless renewed, it is due again', async () => {
    await ledger.add(chunk(0), 0);
    await ledger.claim(1);
    const [row] = await postgres.sql`SELECT extract(epoch FROM due_at - now()) * 1000 AS lease FROM chunks`;
    expect(Number(row?.['lease'])).toBeGreaterThan(LEASE_MS - 5_000);
    await ledger.postpone(['i.0'], 0);
    expect(await ledger.claim(1)).toHaveLength(1);
  });

  test('is read with its lines, unless it was logged meanwhile', async () => {
    await ledger.add(chunk(0), 0);
    await ledger.add(chunk(1), 0);
    await ledger.markLogged(['i.0']);
    expect([...(await ledger.read(['i.0', 'i.1', 'i.2']))]).toEqual([
      { id: 'i.1', lines: chunk(1).lines.text },
    ]);
  });
});

describe('a logged chunk', () => {
  test('is never due again', async () => {
    await ledger.add(chunk(0), 0);
    expect(await ledger.markLogged(['i.0', 'i.1'])).toEqual(new Set(['i.0']));
    expect(await ledger.postpone(['i.0'], 0)).toBe(0);
    expect(await ledger.claim(1)).toHaveLength(0);
  });

  test('that the ledger never saw is added', async () => {
    await ledger.addLogged([chunk(0), chunk(1)]);
    await ledger.add(chunk(0), 0); // the API's own row comes late
    expect(await rows()).toEqual([
      ['i.0', 3, true],
      ['i.1', 3, true],
    ]);
    expect(await ledger.claim(10)).toHaveLength(0);
  });

  test('is forgotten after its time, in steps; one that is not logged, or has a line in quarantine, never', async () => {
    for (let n = 0; n < 10; n++) await ledger.add(chunk(n), 0);
    await ledger.markLogged(Array.from({ length: 9 }, (_, n) => `i.${n}`));
    await ledger.quarantine([{ chunk: 'i.0', line: 'x', reason: 'y', status: 400 }]);
    expect(await ledger.forget(HOUR, 5)).toBe(0);
    expect([await ledger.forget(-1_000, 5), await ledger.forget(-1_000, 5)]).toEqual([5, 3]);
    expect(await rows()).toEqual([
      ['i.0', 3, true],
      ['i.9', 3, false],
    ]);
  });
});

describe('a refused chunk', () => {
  test('is written off: it holds nothing, and is never due', async () => {
    await ledger.add(chunk(0), 0);
    await ledger.writeOff(chunk(0));
    await ledger.writeOff(chunk(1));
    await ledger.add(chunk(1), 0); // the row was on its way
    expect(await rows()).toEqual([
      ['i.0', 0, true],
      ['i.1', 0, true],
    ]);
    expect(await ledger.claim(10)).toHaveLength(0);
  });

  test('that was logged all the same counts, whatever came first', async () => {
    await ledger.add(chunk(0), 0);
    await ledger.markLogged(['i.0']);
    await ledger.writeOff(chunk(0));
    await ledger.writeOff(chunk(1));
    expect(await ledger.markLogged(['i.1'])).toEqual(new Set());
    await ledger.addLogged([chunk(1)]);
    expect(await rows()).toEqual([
      ['i.0', 3, true],
      ['i.1', 3, true],
    ]);
  });
});

describe('the quarantine', () => {
  test('keeps a line once, whatever it holds', async () => {
    const line = { chunk: 'i.0', line: '"\\\u2028 é\t', reason: 'no\nreason', status: 422 };
    await ledger.quarantine([line, { ...line, chunk: 'i.1' }]);
    await ledger.quarantine([line]);
    const kept =
      await postgres.sql`SELECT chunk_id AS chunk, line, reason, status FROM quarantine ORDER BY id`;
    expect([...kept]).toEqual([line, { ...line, chunk: 'i.1' }]);
  });

  test('keeps lines of any length', async () => {
    const line = 'x'.repeat(100_000);
    await ledger.quarantine([{ chunk: 'i.0', line, reason: 'too long', status: 400 }]);
    expect((await postgres.sql`SELECT line FROM quarantine`)[0]?.['line']).toBe(line);
  });
});

describe('the tables', () => {
  test('are made once, however many set up at the same time', async () => {
    await postgres.sql`DROP TABLE chunks, quarantine, forgotten, heartbeats, ledger_migrations`;
    const steps = await Promise.all([1, 2, 3].map(() => migrate(postgres.sql)));
    expect(steps.filter((count) => count > 0)).toHaveLength(1);
    expect(await migrate(postgres.sql)).toBe(0);
  });

  test("may have a newer version's columns", async () => {
    await postgres.sql`ALTER TABLE chunks ADD COLUMN shard integer NOT NULL DEFAULT 0, ADD COLUMN note text`;
    await postgres.sql`ALTER TABLE quarantine ADD COLUMN note text`;
    await ledger.add(chunk(0), 0);
    await ledger.addLogged([chunk(1)]);
    await ledger.quarantine([{ chunk: 'i.0', line: 'x', reason: 'y', status: 400 }]);
    expect(await ledger.claim(1)).toEqual([{ id: 'i.0', operations: 3 }]);
    expect(await rows()).toHaveLength(2);
  });
});
