import { once } from 'node:events';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Lines } from '../src/shared/lines.js';
import { Batcher } from '../src/worker/batcher.js';
import { BatcherModel } from './batcher-model.js';
import { latch, turn } from './latch.js';
import { ManualClock } from './manual-clock.js';

type Step =
  | { readonly kind: 'add'; readonly lines: number; readonly waitMs: number }
  | { readonly kind: 'time passes'; readonly ms: number }
  | { readonly kind: 'a write ends'; readonly which: number }
  | { readonly kind: 'an alarm is early' | 'drain' };

const kind = <K extends string>(name: K) => fc.constant(name);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: kind('add'),
      lines: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 500 }), fc.constant(500)),
      waitMs: fc.oneof(fc.constantFrom(0, 250, 30_000), fc.nat({ max: 40_000 })),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: kind('time passes'), ms: fc.nat({ max: 31_000 }) }) },
  { weight: 6, arbitrary: fc.record({ kind: kind('a write ends'), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('an alarm is early') }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('drain') }) },
);
const options = fc.record({
  size: fc.oneof(fc.constant(500), fc.integer({ min: 1, max: 30 })),
  writers: fc.integer({ min: 1, max: 4 }),
});

async function take(model: BatcherModel, next: Step): Promise<void> {
  if (next.kind === 'add') model.add(next.lines, next.waitMs);
  else if (next.kind === 'time passes') model.clock.advance(next.ms);
  else if (next.kind === 'a write ends') await model.writeEnds(next.which);
  else if (next.kind === 'an alarm is early') model.clock.ringEarly();
  else model.drain();
  await model.check();
}

const reasons = (model: BatcherModel) =>
  model.batches.map(({ reason, segments }) => [
    reason,
    segments.flatMap(({ lines: { text } }) => text.split('\n')).length,
  ]);

describe('whatever comes, in any order, the batcher', () => {
  test('writes each line once and in its order, and settles each chunk once, after its last line', async () => {
    await fc.assert(
      fc.asyncProperty(options, fc.array(step, { maxLength: 40 }), async (given, steps) => {
        const model = new BatcherModel(given);
        for (const next of steps) await take(model, next);
        model.drain();
        while (model.writesOnTheWay > 0) await model.writeEnds(0);
        await model.check();
        expect(model.settlements.every((settlement) => settlement === 'settled')).toBe(true);
        expect(model.pendingLines).toBe(0);
        expect(model.clock.pending).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  test('settles everything that is left as abandoned at once when it gives up, and writes nothing more', async () => {
    const late = fc.array(fc.oneof(step, fc.record({ kind: kind('drain') })), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(options, fc.array(step, { maxLength: 25 }), late, async (given, steps, later) => {
        const model = new BatcherModel(given);
        for (const next of steps) await take(model, next);
        const sent = model.batches.length;
        model.abandon();
        await model.check();
        expect(model.clock.pending).toBe(0);
        await model.writesAreCancelled();
        expect(model.pendingLines).toBe(0);
        for (const next of later) await take(model, next);
        expect(model.batches).toHaveLength(sent);
        expect(model.pendingLines).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});

describe('a batch leaves', () => {
  test('by size as soon as it is full, and exactly full, whatever the chunks are', async () => {
    const model = new BatcherModel({ size: 500, writers: 4 });
    model.add(499, 30_000);
    await model.check();
    expect(reasons(model)).toEqual([]);
    model.add(1, 30_000);
    model.add(500, 30_000);
    model.add(300, 30_000);
    model.add(300, 30_000);
    await model.check();
    expect(reasons(model)).toEqual([
      ['size', 500],
      ['size', 500],
      ['size', 500],
    ]);
    expect(model.pendingLines).toBe(1_600);
  });

  test('by interval when its first line has waited long enough, and not a millisecond before', async () => {
    const model = new BatcherModel({ size: 500, writers: 4 });
    model.add(10, 30_000);
    model.clock.advance(20_000);
    model.add(10, 30_000);
    model.clock.advance(9_999);
    await model.check();
    expect(reasons(model)).toEqual([]);
    model.clock.advance(1);
    await model.check();
    expect(reasons(model)).toEqual([['interval', 20]]);
  });

  test('by interval as soon as any chunk in it is due, also one that came later with less time', async () => {
    const model = new BatcherModel({ size: 500, writers: 4 });
    model.add(10, 30_000);
    model.clock.advance(1_000);
    model.add(5, 250);
    model.clock.advance(249);
    expect(reasons(model)).toEqual([]);
    model.clock.advance(1);
    expect(reasons(model)).toEqual([['interval', 15]]);
    await model.check();
  });

  test('by interval also when it holds the rest of a chunk that did not fit, at the time of that chunk', async () => {
    const model = new BatcherModel({ size: 500, writers: 4 });
    model.add(400, 30_000);
    model.clock.advance(10_000);
    model.add(400, 30_000);
    expect(reasons(model)).toEqual([['size', 500]]);
    model.clock.advance(29_999);
    expect(reasons(model)).toHaveLength(1);
    model.clock.advance(1);
    expect(reasons(model).slice(1)).toEqual([['interval', 300]]);
    await model.check();
  });

  test('by drain now, whatever its age, and from then on as soon as anything comes', async () => {
    const model = new BatcherModel({ size: 500, writers: 4 });
    model.add(499, 30_000);
    model.drain();
    model.add(1, 30_000);
    model.add(500, 30_000);
    expect(reasons(model)).toEqual([
      ['drain', 499],
      ['drain', 1],
      ['size', 500],
    ]);
    await model.check();
  });

  test('as soon as a writer is free again, and no sooner', async () => {
    const model = new BatcherModel({ size: 1, writers: 2 });
    for (let n = 0; n < 4; n++) model.add(1, 30_000);
    expect(model.batches).toHaveLength(2);
    await model.writeEnds(1);
    expect(model.batches).toHaveLength(3);
    expect(model.settlements).toEqual([undefined, 'settled', undefined, undefined]);
  });

  test('once the time is really up, when the timer rings a little early', () => {
    const model = new BatcherModel({ size: 500, writers: 4 });
    model.add(10, 30_000);
    model.clock.advance(29_999.5);
    model.clock.ringEarly();
    expect(reasons(model)).toEqual([]);
    model.clock.advance(0.5);
    expect(reasons(model)).toEqual([['interval', 10]]);
  });
});

describe('a chunk', () => {
  test('in several batches is settled after the last of them, in whatever order they end', async () => {
    const model = new BatcherModel({ size: 100, writers: 4 });
    model.add(300, 30_000);
    await model.writeEnds(2);
    await model.writeEnds(0);
    expect(model.settlements).toEqual([undefined]);
    await model.writeEnds(0);
    expect(model.settlements).toEqual(['settled']);
  });

  test('that comes after all was given up is abandoned and kept nowhere', async () => {
    const model = new BatcherModel({ size: 500, writers: 4 });
    model.abandon();
    model.add(500, 0);
    await model.check();
    expect(model.settlements).toEqual(['abandoned']);
    expect([model.pendingLines, model.batches.length]).toEqual([0, 0]);
  });

  test('whose write ends well in spite of its being given up stays abandoned', async () => {
    const end = latch();
    const batcher = new Batcher({ size: 1, writers: 1, clock: new ManualClock(), write: () => end.promise });
    const settlement = batcher.add({ id: 'c.0', lines: Lines.of(['a']) }, 0);
    batcher.abandon();
    end.resolve();
    expect(await settlement).toBe('abandoned');
    await turn();
    expect(batcher.pendingLines).toBe(0);
  });
});

test('as many writers as there are wait for InfluxDB without a warning of a leak', async () => {
  const warnings: Error[] = [];
  const warned = (warning: Error) => warnings.push(warning);
  process.on('warning', warned);
  const waiting: Promise<unknown>[] = [];
  const write = async (_: unknown, signal: AbortSignal) => {
    const aborted = once(signal, 'abort'); // as each does between two tries
    waiting.push(aborted);
    await aborted;
    signal.throwIfAborted();
  };
  const batcher = new Batcher({ size: 1, writers: 32, write, clock: new ManualClock() });
  const chunks = Array.from({ length: 32 }, (_, n) =>
    batcher.add({ id: `i.${n}`, lines: Lines.of(['a']) }, 0),
  );
  await turn();
  expect(waiting).toHaveLength(32);
  batcher.abandon();
  expect(new Set(await Promise.all(chunks))).toEqual(new Set(['abandoned']));
  process.off('warning', warned);
  expect(warnings).toEqual([]);
});
