import { stat } from 'node:fs/promises';
import fc from 'fast-check';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Lines } from '../src/shared/lines.js';
import { Acceptance } from '../src/api/acceptance.js';
import type { Chunk } from '../src/shared/chunk.js';
import { AcceptingStore, quiet } from './accepting-store.js';
import { turn } from './latch.js';

const chunk = (n: number): Chunk => ({ id: `i.${n}`, lines: Lines.of(['a line']) });

/** What a promise has come to by now. */
async function stateOf(decision: Promise<boolean>): Promise<boolean | 'undecided'> {
  return Promise.race([decision, turn().then(() => 'undecided' as const)]);
}

let queue: AcceptingStore;
let ledger: AcceptingStore;
let acceptance: Acceptance;

/** A deadline that no test reaches, unless it says so. */
function open(deadlineMs = 60_000) {
  queue = new AcceptingStore('queue');
  ledger = new AcceptingStore('ledger');
  acceptance = new Acceptance({ stores: [queue, ledger], log: quiet, deadlineMs, restMs: 1 });
}
beforeEach(() => open());
afterEach(() => acceptance[Symbol.dispose]());

/** Long enough for a store at rest to be asked whether it is back, several times. */
const severalRests = () => delay(30);

describe('a chunk', () => {
  test('goes to both stores at the same time', () => {
    void acceptance.accept(chunk(0));
    expect([queue.asked, ledger.asked]).toEqual([[chunk(0)], [chunk(0)]]);
    queue.has();
    ledger.has();
  });

  test('is accepted when both have it, and not while one of them may still get it', async () => {
    const decision = acceptance.accept(chunk(0));
    queue.has();
    expect(await stateOf(decision)).toBe('undecided');
    ledger.has();
    expect(await decision).toBe(true);
    expect([queue.revoked, ledger.revoked]).toEqual([[], []]);
  });

  test.each([
    ['the ledger', 'the queue', () => ({ has: queue, fails: ledger })],
    ['the queue', 'the ledger', () => ({ has: ledger, fails: queue })],
  ])('is accepted when %s failed and %s has it', async (_, __, stores) => {
    const { has, fails } = stores();
    const decision = acceptance.accept(chunk(0));
    fails.fails();
    expect(await stateOf(decision)).toBe('undecided');
    has.has();
    expect(await decision).toBe(true);
    expect([queue.revoked, ledger.revoked]).toEqual([[], []]);
  });

  test('is accepted when one has it and the other misses its deadline', async () => {
    open(20);
    const decision = acceptance.accept(chunk(0));
    queue.has();
    expect(await decision).toBe(true);
    expect(ledger.waiting).toBe(1);
    expect([queue.revoked, ledger.revoked]).toEqual([[], []]);
  });

  test('that neither has is refused, and taken back from both', async () => {
    const decision = acceptance.accept(chunk(0));
    queue.fails();
    expect(await stateOf(decision)).toBe('undecided');
    expect(queue.revoked).toEqual([]);
    ledger.fails();
    expect(await decision).toBe(false);
    expect([queue.revoked, ledger.revoked]).toEqual([[chunk(0)], [chunk(0)]]);
  });

  test('that both are late with is refused and taken back, although it may arrive later', async () => {
    open(20);
    expect(await acceptance.accept(chunk(0))).toBe(false);
    expect([queue.revoked, ledger.revoked]).toEqual([[chunk(0)], [chunk(0)]]);
    queue.has();
    await turn();
    expect(acceptance.open).toBe(false);
  });
});

test('a store that answered in time has answered, although this process was too busy to look before the deadline', async () => {
  open(20);
  // Done by another thread, and told to this one as a store's answer is.
  const accept = () => stat('.').then(() => undefined);
  const alone = new Acceptance({ stores: [Object.assign(queue, { accept })], log: quiet, deadlineMs: 20 });
  const decision = alone.accept(chunk(0));
  const busyUntil = performance.now() + 60;
  while (performance.now() < busyUntil);
  expect(await decision).toBe(true);
  expect(queue.revoked).toEqual([]);
});

describe('a store that failed', () => {
  beforeEach(async () => {
    const decision = acceptance.accept(chunk(0));
    ledger.fails();
    queue.has();
    await decision;
  });

  test('is left alone until it answers, while the other one decides alone, and is told so', async () => {
    ledger.refusesPings();
    await severalRests();
    const decision = acceptance.accept(chunk(1));
    queue.has();
    expect(await decision).toBe(true);
    expect(ledger.asked).toEqual([chunk(0)]);
    expect(queue.askedAlone).toEqual([chunk(1)]);
  });

  test('costs the other one no word more than that it has the chunk alone', () => {
    expect([queue.hasAlone, ledger.hasAlone, queue.askedAlone]).toEqual([[chunk(0)], [], []]);
  });

  test('is asked again when it answers', async () => {
    ledger.answersPings();
    await severalRests();
    const decision = acceptance.accept(chunk(1));
    expect(ledger.asked).toEqual([chunk(0), chunk(1)]);
    queue.has();
    expect(await stateOf(decision)).toBe('undecided');
    ledger.has();
    expect(await decision).toBe(true);
    expect([queue.hasAlone, ledger.askedAlone]).toEqual([[chunk(0)], []]);
  });

  test('has nothing taken back that it was never asked for, but is told whose number is used up', async () => {
    const decision = acceptance.accept(chunk(1));
    queue.fails();
    expect(await decision).toBe(false);
    expect([queue.revoked, ledger.revoked]).toEqual([[chunk(1)], []]);
    expect([queue.refusedElsewhere, ledger.refusedElsewhere]).toEqual([[], [chunk(1)]]);
  });

  test('leaves acceptance open until the other one rests too', async () => {
    expect(acceptance.open).toBe(true);
    const decision = acceptance.accept(chunk(1));
    queue.fails();
    await decision;
    await severalRests();
    expect(acceptance.open).toBe(false);
    ledger.answersPings();
    await vi.waitUntil(() => acceptance.open);
  });
});

test('a store at rest whose pings stay unanswered has its connections given up, again and again', async () => {
  open(20);
  const decision = acceptance.accept(chunk(0));
  queue.has();
  await decision;
  await vi.waitUntil(() => ledger.resets > 1);
  expect(queue.resets).toBe(0);
});

test('with every store at rest a chunk is refused without asking any of them', async () => {
  const decision = acceptance.accept(chunk(0));
  queue.fails();
  ledger.fails();
  await decision;
  expect(await acceptance.accept(chunk(1))).toBe(false);
  expect([queue.asked, ledger.asked]).toEqual([[chunk(0)], [chunk(0)]]);
  expect([queue.revoked, ledger.revoked]).toEqual([[chunk(0)], [chunk(0)]]);
});

test('one store alone decides as the rule has it', async () => {
  const alone = new Acceptance({ stores: [queue], log: quiet });
  const [first, second] = [alone.accept(chunk(0)), alone.accept(chunk(1))];
  queue.has();
  queue.fails();
  expect([await first, await second]).toEqual([true, false]);
  expect(queue.revoked).toEqual([chunk(1)]);
});

describe('a first meeting', () => {
  test('waits for every store, so that the first chunk finds them all connected', async () => {
    const met = acceptance.meet();
    ledger.answersPings();
    expect(await stateOf(met)).toBe('undecided');
    queue.answersPings();
    expect(await met).toBe(true);
  });

  test('waits no longer than the deadline, and says whether any store answered', async () => {
    open(20);
    expect(await acceptance.meet()).toBe(false);
    ledger.answersPings();
    expect(await acceptance.meet()).toBe(true);
  });
});

describe('whether any store answers', () => {
  test('is true as soon as one does, however long the other takes', async () => {
    ledger.answersPings();
    expect(await acceptance.answers()).toBe(true);
  });

  test('is true also when the other one says no first', async () => {
    queue.refusesPings();
    const answers = acceptance.answers();
    await turn();
    ledger.answersPings();
    expect(await answers).toBe(true);
  });

  test('is false when none does within the deadline', async () => {
    open(20);
    expect(await acceptance.answers()).toBe(false);
  });
});

test('over any sequence of answers, accepted is exactly what a store has, and refused is exactly what is taken back', async () => {
  const answer = fc.constantFrom('has', 'fails');
  const round = fc.record({ queue: answer, ledger: answer, recovers: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(round, { maxLength: 20 }), async (rounds) => {
      open();
      for (const [n, next] of rounds.entries()) {
        if (next.recovers) await recovered();
        const wasOpen = acceptance.open;
        const decision = acceptance.accept(chunk(n));
        const asked = [queue, ledger].filter((store) => store.waiting > 0);
        expect(wasOpen).toBe(asked.length > 0);
        const has = (store: AcceptingStore) => next[store.name as 'queue' | 'ledger'] === 'has';
        for (const store of asked) store[next[store.name as 'queue' | 'ledger']]();
        const accepted = asked.some(has);
        expect(await decision).toBe(accepted);
        for (const store of [queue, ledger]) {
          const of = (chunks: readonly Chunk[]) => chunks.some(({ id }) => id === `i.${n}`);
          expect(of(store.revoked)).toBe(!accepted && asked.includes(store));
          expect(of(store.refusedElsewhere)).toBe(!accepted && !asked.includes(store));
          expect(of(store.hasAlone)).toBe(asked.length === 2 && has(store) && !asked.every(has));
          expect(of(store.askedAlone)).toBe(asked.length === 1 && asked.includes(store));
        }
      }
      acceptance[Symbol.dispose]();
    }),
  );
});

/** Both stores answer until nobody rests any more. */
async function recovered(): Promise<void> {
  for (const store of [queue, ledger]) store.answersPings();
  await delay(10);
  for (const store of [queue, ledger]) store.hangsAgain();
}
