import type { Clock } from './batcher.js';

/** The process's own time, which no adjustment of the wall clock moves. */
export const systemClock: Clock = {
  now: () => performance.now(),
  schedule: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
