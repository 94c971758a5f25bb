import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { History } from '../src/api/live/history.js';
import { quantile, since, together } from '../src/api/live/histogram.js';
import type { CumulativeHistogram } from '../src/shared/heartbeats/heartbeat.js';
import { apiBeat, workerBeat } from './heartbeats.js';

const BOUNDS = [0.1, 0.5, 1];

/** As Prometheus keeps it. */
function histogramOf(values: readonly number[], bounds: readonly number[] = BOUNDS): CumulativeHistogram {
  const counts = [...bounds, Infinity].map((bound) => values.filter((value) => value <= bound).length);
  return { bounds: [...bounds], counts };
}

const api = (answered: number, values: readonly number[] = []) =>
  apiBeat('a', { counts: { answered, answerSeconds: histogramOf(values) } });

const second = { at: 1_000, seconds: 1, backlog: 0 };

describe('a second', () => {
  test('has what was done in it, of all instances together', () => {
    const history = new History();
    const worker = (batches: { size: number; interval: number; drain: number }, values: readonly number[]) =>
      workerBeat('w', { counts: { batches, loggedSeconds: histogramOf(values) } });
    history.add(
      [
        { heartbeat: api(1_000, [0.05]), fromStart: false },
        { heartbeat: worker({ size: 5, interval: 5, drain: 5 }, [0.3]), fromStart: false },
      ],
      second,
    );
    const other = apiBeat('b', { counts: { answered: 10, rejected: 2, failed: 1 } });
    const point = history.add(
      [
        { heartbeat: api(1_030, [0.05, 0.2, 0.4]), fromStart: false },
        { heartbeat: other, fromStart: true },
        { heartbeat: worker({ size: 7, interval: 6, drain: 5 }, [0.3, 0.7, 0.7]), fromStart: false },
      ],
      { at: 2_000, seconds: 2, backlog: 12 },
    );
    expect(point).toEqual({
      ...{ at: 2_000, answered: 20, rejected: 1, failed: 0.5, backlog: 12 },
      latencyMs: { p50: expect.closeTo(300), p99: expect.closeTo(496) },
      loggedAfterSeconds: { p50: 0.75, p99: expect.closeTo(0.995) },
      batches: { size: 2, interval: 1, drain: 0 },
    });
  });

  test('has nothing of what was done before an instance was first heard, unless it began then', () => {
    const history = new History();
    expect(history.add([{ heartbeat: api(1_000), fromStart: false }], second).answered).toBe(0);
    expect(history.add([{ heartbeat: api(1_007), fromStart: false }], second).answered).toBe(7);
    expect(new History().add([{ heartbeat: api(9), fromStart: true }], second).answered).toBe(9);
  });

  test('has no latency where nothing was answered, and never less than nothing', () => {
    const history = new History();
    history.add([{ heartbeat: api(10, [0.2, 0.2]), fromStart: true }], second);
    const point = history.add([{ heartbeat: api(5, [0.2]), fromStart: true }], { ...second, backlog: null });
    expect(point).toMatchObject({ answered: 0, latencyMs: null, loggedAfterSeconds: null, backlog: null });
  });

  test('is kept for five minutes', () => {
    const history = new History();
    for (let n = 1; n <= 400; n++) history.add([], { at: n * 1_000, seconds: 1, backlog: 0 });
    expect(history.points.map(({ at }) => at)).toEqual(
      Array.from({ length: 300 }, (_, n) => (n + 101) * 1_000),
    );
  });
});

describe('a quantile', () => {
  test('is what histogram_quantile of Prometheus makes of it', () => {
    // promtool test rules has the same: rank 0.5 × 4 = 2 is the end of the bucket up to 0.5.
    expect(quantile(0.5, { bounds: BOUNDS, counts: [1, 2, 3, 4] })).toBe(0.5);
    expect(quantile(0.75, { bounds: BOUNDS, counts: [0, 0, 4, 4] })).toBe(0.875);
    expect(quantile(0.5, { bounds: BOUNDS, counts: [4, 4, 4, 4] })).toBe(0.05);
    expect(quantile(0.99, { bounds: BOUNDS, counts: [0, 0, 0, 4] })).toBe(1);
  });

  const bounds = fc
    .uniqueArray(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 12 })
    .map((numbers) => numbers.sort((a, b) => a - b));
  const values = fc.array(fc.double({ min: 0, max: 1_200, noNaN: true }), { minLength: 1, maxLength: 50 });
  const part = fc.double({ min: 0.01, max: 1, noNaN: true });

  test('lies in the bucket of the value that has that rank, and grows with the part', () => {
    fc.assert(
      fc.property(bounds, values, part, part, (limits, observed, one, other) => {
        const histogram = histogramOf(observed, limits);
        const found = quantile(one, histogram);
        const ranked = observed.toSorted((a, b) => a - b)[Math.ceil(one * observed.length) - 1] ?? 0;
        const bucket = limits.findIndex((bound) => ranked <= bound);
        const slack = 1e-6;
        if (bucket === -1) expect(found).toBe(limits.at(-1));
        else {
          expect(found).toBeGreaterThanOrEqual((limits[bucket - 1] ?? 0) - slack);
          expect(found).toBeLessThanOrEqual((limits[bucket] ?? 0) + slack);
        }
        const [low, high] = [Math.min(one, other), Math.max(one, other)];
        expect(quantile(low, histogram)).toBeLessThanOrEqual(quantile(high, histogram) + slack);
      }),
    );
  });

  test('of several processes with the same buckets is that of all their values', () => {
    fc.assert(
      fc.property(bounds, values, values, (limits, one, other) => {
        const both = together([histogramOf(one, limits), histogramOf(other, limits)]);
        expect(both).toEqual(histogramOf([...one, ...other], limits));
        expect(since(histogramOf(one, limits), both)).toEqual(histogramOf(other, limits));
      }),
    );
  });

  test('of processes with other buckets, as beside another version, loses no value', () => {
    fc.assert(
      fc.property(bounds, bounds, values, values, (limits, others, one, other) => {
        const both = together([histogramOf(one, limits), histogramOf(other, others)]);
        expect(both.counts.at(-1)).toBe(one.length + other.length);
        expect(both.counts.every((count, n) => n === 0 || count >= (both.counts[n - 1] ?? 0) - 1e-9)).toBe(
          true,
        );
      }),
    );
  });
});
