import { describe, expect, test } from 'vitest';
import { overruns, withLimits } from '../src/drill/verdict/endings.js';
import type { Ended } from '../src/drill/processes/fleet.js';

const BEGAN = 1_000_000;

const ended = (changed: Partial<Ended> = {}): Ended => ({
  kind: 'api',
  instance: 'a',
  why: 'asked',
  ending: { code: 0, signal: null, receipt: undefined, ms: 3_000 },
  from: BEGAN + 10_000,
  to: BEGAN + 13_000,
  ...changed,
});

/** Requests by the instance that answered, when they were sent, and what they took. */
function record(requests: readonly [instance: string, sentMs: number, tookMs: number][]) {
  return {
    began: BEGAN,
    acknowledged: new Map(requests.map(([instance], index) => [`${index}-${instance}`, index + 1])),
    sentMs: requests.map(([, sentMs]) => sentMs),
    tookMs: requests.map(([, , tookMs]) => tookMs),
  };
}

function limitOf(one: Ended, requests: Parameters<typeof record>[0] = [], faults = [] as [number, number][]) {
  const spans = faults.map(([fromMs, toMs]) => ({ fromMs, toMs }));
  const [judged] = withLimits([one], { record: record(requests), faults: spans, shutdownDelayMs: 2_000 });
  return judged?.limitMs;
}

describe('a process may take to end', () => {
  test('an API: SHUTDOWN_DELAY, the longest request that was on its way, and a second', () => {
    expect(limitOf(ended())).toBe(3_000);
    const requests: Parameters<typeof record>[0] = [
      ['a', 9_990, 30],
      ['a', 9_950, 60],
      ['a', 9_000, 900], // was over before
      ['b', 9_990, 700],
    ];
    expect(limitOf(ended(), requests)).toBe(3_060);
  });

  test('a worker: a second', () => {
    expect(limitOf(ended({ kind: 'worker' }))).toBe(1_000);
  });

  test('as long as it likes when it was killed, or while something is broken', () => {
    expect(limitOf(ended({ why: 'killed' }))).toBeUndefined();
    expect(limitOf(ended({ why: 'by itself' }))).toBeUndefined();
    expect(limitOf(ended(), [], [[12_000, 20_000]])).toBeUndefined();
    expect(limitOf(ended(), [], [[0, Infinity]])).toBeUndefined();
    expect(limitOf(ended(), [], [[0, 9_999]])).toBe(3_000);
  });
});

test('a machine that is overrun makes nobody late, from a minute before on', () => {
  const samples = [0, 4, 4.5].map((pressure, index) => ({ ms: 100_000 * index, pressure }));
  expect(overruns(samples)).toEqual([{ fromMs: 140_000, toMs: 201_000 }]);
});
