import type { LogLine } from './tally-process.js';

/** Stores that an API leaves alone since they failed, by its log: those that it has not found again. */
export function restingStores(log: readonly LogLine[]): ReadonlySet<unknown> {
  const resting = new Set<unknown>();
  for (const { msg, store } of log) {
    if (msg === 'a store did not accept the chunk') resting.add(store);
    if (msg === 'a store answers again') resting.delete(store);
  }
  return resting;
}
