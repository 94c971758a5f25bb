import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Paced } from '../src/api/live/paced.js';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** Work that takes so long each time. */
function working(tookMs: number) {
  let begun = 0;
  const paced = new Paced(() => {
    begun++;
    return new Promise((resolve) => setTimeout(resolve, tookMs));
  });
  return { paced, begun: () => begun };
}

test('work is begun at once, and then as often as it may be', async () => {
  const { paced, begun } = working(1);
  for (let ms = 0; ms < 10_000; ms += 100) {
    void paced.begin(1_000);
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(begun()).toBe(10);
});

test('is not begun while it is under way, and who asks for it then waits for it', async () => {
  const { paced, begun } = working(500);
  const done: string[] = [];
  void paced.begin(0).then(() => done.push('one'));
  await vi.advanceTimersByTimeAsync(400);
  void paced.begin(0).then(() => done.push('other'));
  expect([begun(), paced.underWayMs]).toEqual([1, 400]);
  await vi.advanceTimersByTimeAsync(100);
  expect([done, paced.underWayMs]).toEqual([['one', 'other'], 0]);
});

test('takes a twentieth of the time at the most', async () => {
  const { paced, begun } = working(500);
  for (let ms = 0; ms < 100_000; ms += 100) {
    void paced.begin(100);
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(begun() * 500).toBeLessThanOrEqual(100_000 / 20);
  expect(begun()).toBeGreaterThanOrEqual(9);
});
