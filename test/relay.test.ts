import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openPostgres } from '../src/drill/stores/open-stores.js';
import type { Store } from '../src/drill/stores/store.js';
import type { Chunk } from '../src/shared/chunk.js';
import { Ledger, type RefusedLine } from '../src/shared/ledger.js';
import { Lines } from '../src/shared/lines.js';
import type { Postgres } from '../src/shared/postgres.js';
import { ENOUGH_LINES, type Outcome } from '../src/worker/consumer.js';
import { LedgerLink } from '../src/worker/ledger-link.js';
import { Relay, type RelayOptions } from '../src/worker/relay.js';
import { quiet } from './accepting-store.js';
import { latch, type Latch, until } from './latch.js';
import { openLedger } from './ledger-database.js';

let server: Store;
let postgres: Postgres;
let ledger: Ledger;
let link: LedgerLink;
const relays: Relay[] = [];
beforeAll(async () => {
  server = await openPostgres();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  postgres = await openLedger(server);
  ledger = new Ledger(postgres);
  link = new LedgerLink(postgres, quiet);
});
afterEach(async () => {
  await Promise.all(relays.splice(0).map((relay) => relay[Symbol.asyncDispose]()));
  link[Symbol.dispose]();
  await postgres[Symbol.asyncDispose]();
});

function chunk(n: number, operations = 1): Chunk {
  const lines = Array.from(
    { length: operations },
    (_, line) => `operation,instance=i r=1 ${n * 1_000 + line + 1}`,
  );
  return { id: `i.${n}`, lines: Lines.of(lines) };
}

/** A relay whose chunks the test settles, one latch each. */
function open(options: Partial<RelayOptions> = {}) {
  const taken = new Map<string, Latch<Outcome>>();
  const unreadable: RefusedLine[] = [];
  const relay = new Relay({
    link,
    queue: { away: false, holds: async () => new Set() },
    relayAfterMs: 90_000,
    settle: ({ id }) => {
      taken.set(id, latch<Outcome>());
      return taken.get(id)?.promise ?? Promise.reject(new Error('never'));
    },
    keepUnreadable: async (line) => void unreadable.push(line),
    log: quiet,
    ...options,
  });
  relays.push(relay);
  relay.start();
  return { relay, taken, unreadable };
}

const dueInMs = async (id: string) => {
  const [row] =
    await postgres.sql`SELECT extract(epoch FROM due_at - now()) * 1000 AS ms FROM chunks WHERE id = ${id}`;
  return Number(row?.['ms']);
};

describe('a due chunk', () => {
  test('is taken with its lines, and is out of hand when it is settled', async () => {
    const seen: Chunk[] = [];
    const { relay, taken } = open({
      settle: async (given) => {
        seen.push(given);
        return 'settled';
      },
    });
    await ledger.add(chunk(0, 3), 0);
    await until(() => seen.length === 1);
    expect([seen[0]?.id, seen[0]?.lines.text]).toEqual(['i.0', chunk(0, 3).lines.text]);
    await until(() => relay.inHand === 0);
    expect(taken.size).toBe(0);
  });

  test('that the queue still holds is left to the consumer, and looked at again later', async () => {
    await ledger.add(chunk(0), 0);
    await ledger.add(chunk(1), 0);
    const { taken } = open({ queue: { away: false, holds: async () => new Set(['i.0']) } });
    await until(() => taken.has('i.1'));
    expect(taken.has('i.0')).toBe(false);
    expect(await dueInMs('i.0')).toBeGreaterThan(80_000);
  });

  test('is taken when nobody knows what the queue holds', async () => {
    await ledger.add(chunk(0), 0);
    const { taken } = open({
      queue: { away: true, holds: () => Promise.reject(new Error('redis is away')) },
    });
    await until(() => taken.has('i.0'));
  });

  test('that cannot be read is kept as it is, and is done with', async () => {
    await ledger.add(chunk(0), 0);
    await postgres.sql`UPDATE chunks SET lines = 'two' || chr(10) || chr(10) || 'empty'`;
    const { unreadable } = open();
    await until(() => unreadable.length === 1);
    expect(unreadable).toEqual([expect.objectContaining({ chunk: 'i.0', line: 'two\n\nempty', status: 0 })]);
    await until(async () => (await ledger.read(['i.0'])).length === 0);
  });

  test('is sent without the lines that were dropped, and not at all when all were', async () => {
    for (const n of [0, 1]) await ledger.add(chunk(n, 2), 0);
    const refused = [chunk(0, 2), chunk(1, 2)].flatMap(({ id, lines }) =>
      lines.text.split('\n').map((line) => ({ chunk: id, line, reason: 'x', status: 400 })),
    );
    await ledger.quarantine(refused);
    await postgres.sql`UPDATE quarantine SET dropped_at = now() WHERE chunk_id = 'i.0' OR line LIKE '% 1001'`;
    const sent: Chunk[] = [];
    const { unreadable } = open({ settle: async (given) => (sent.push(given), 'settled') });
    await until(async () => (await ledger.read(['i.0'])).length === 0);
    await until(() => sent.length > 0);
    expect(sent.map(({ id, lines }) => [id, lines.text])).toEqual([['i.1', refused[3]?.line]]);
    expect(unreadable).toEqual([]);
  });

  test('whose lines the ledger did not tell, or whose mark it did not take, is taken again at once', async () => {
    await ledger.add(chunk(0), 0);
    let failed = false;
    const flaky: RelayOptions['link'] = {
      tell: (statement) => link.tell(statement),
      ask: async (question) => {
        const answer = await link.ask(question);
        const lines = Array.isArray(answer) && answer.some((row: object) => 'lines' in row);
        if (!lines || failed) return answer;
        failed = true;
        return undefined;
      },
    };
    const { taken } = open({ link: flaky });
    await until(() => taken.has('i.0'));
    expect(failed).toBe(true);
    taken.get('i.0')?.resolve('unrecorded');
    taken.clear();
    await until(() => taken.has('i.0'));
  });

  test('whose settling failed is tried again after its lease', async () => {
    await ledger.add(chunk(0), 0);
    let tries = 0;
    open({ leaseMs: 200, settle: () => Promise.reject(new Error(`try ${++tries}`)) });
    await until(() => tries > 1);
  });
});

describe('the hands of a relay', () => {
  test('hold no more than keeps the writers busy', async () => {
    const enough = ENOUGH_LINES / 500;
    for (let n = 0; n < 2 * enough + 10; n++) await ledger.add(chunk(n, 500), 0);
    const { relay, taken } = open();
    await until(() => taken.size >= enough);
    await delay(300);
    expect(relay.inHand).toBe(enough);
    for (const settled of taken.values()) settled.resolve('settled');
    await until(() => taken.size === 2 * enough);
  });

  test('keep what waits for InfluxDB longer than the lease, and lose it only when they stop moving', async () => {
    await ledger.add(chunk(0), 0);
    const first = open({ leaseMs: 300 });
    await until(() => first.taken.has('i.0'));
    const second = open({ leaseMs: 300 });
    await delay(1_000);
    expect(second.taken.size).toBe(0);
    await first.relay[Symbol.asyncDispose](); // as a worker that is frozen or dead
    await until(() => second.taken.has('i.0'));
  });

  test('give back what was given up, so that it is due at once', async () => {
    await ledger.add(chunk(0), 0);
    const { relay, taken } = open();
    await until(() => taken.has('i.0'));
    relay.pause();
    taken.get('i.0')?.resolve('abandoned');
    await until(() => relay.inHand === 0);
    expect(await relay.release()).toBe(1);
    expect(await dueInMs('i.0')).toBeLessThanOrEqual(0);
    await delay(300);
    expect(taken.size).toBe(1);
    await relay.resume();
    taken.clear();
    await until(() => taken.has('i.0'));
  });
});

test('two relays share the work, and no chunk is in both', async () => {
  for (let n = 0; n < 200; n++) await ledger.add(chunk(n, 100), 0);
  const [first, second] = [open(), open()];
  await until(() => first.taken.size + second.taken.size === 200);
  expect(new Set([...first.taken.keys(), ...second.taken.keys()]).size).toBe(200);
});

test('a relay outlives a ledger that is away', async () => {
  const { taken } = open();
  await server.kill();
  await delay(200);
  await server.start();
  // The library answers the first statements with what broke their connections.
  await postgres.ping();
  await ledger.add(chunk(0), 0);
  await until(() => taken.has('i.0'));
});
