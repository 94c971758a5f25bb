import type { CumulativeHistogram, Heartbeat } from '../../shared/heartbeats/heartbeat.js';
import type { LivePoint } from '../../shared/live.js';
import { MINUTE, SECOND } from '../../shared/duration.js';
import { quantilesOf, since, together } from './histogram.js';
import type { Heard } from './roster.js';

const MOST_POINTS = (5 * MINUTE) / SECOND;

const NOTHING = { answered: 0, rejected: 0, failed: 0, size: 0, interval: 0, drain: 0 };

type Numbers = typeof NOTHING;

/** What an instance has done up to now, or within a time. */
interface Done {
  readonly numbers: Numbers;
  readonly answerSeconds: CumulativeHistogram | undefined;
  readonly loggedSeconds: CumulativeHistogram | undefined;
}

/** The last five minutes, second by second, from what the instances have counted since their start. */
export class History {
  #points: readonly LivePoint[] = [];
  #before = new Map<string, Done>();

  /** Oldest first. */
  get points(): readonly LivePoint[] {
    return this.#points;
  }

  /**
   * Ends a second at `at`, which took `seconds`, and resolves with what happened in it. An instance that was at work
   * before it was first heard begins with what it had done by then.
   */
  add(
    heard: readonly Heard[],
    { at, seconds, backlog }: { at: number; seconds: number; backlog: number | null },
  ): LivePoint {
    const now = new Map(heard.map(({ heartbeat }) => [heartbeat.instance, doneBy(heartbeat)]));
    const grown = heard.flatMap(({ heartbeat: { instance }, fromStart }) => {
      const [before, done] = [this.#before.get(instance), now.get(instance)];
      return done && (before || fromStart) ? [difference(before, done)] : [];
    });
    this.#before = now;
    const sum = (name: keyof Numbers) => grown.reduce((total, { numbers }) => total + numbers[name], 0);
    const all = (name: 'answerSeconds' | 'loggedSeconds') =>
      together(grown.flatMap((done) => done[name] ?? []));
    const point: LivePoint = {
      at,
      answered: sum('answered') / seconds,
      rejected: sum('rejected') / seconds,
      failed: sum('failed') / seconds,
      latencyMs: quantilesOf(all('answerSeconds'), SECOND),
      backlog,
      loggedAfterSeconds: quantilesOf(all('loggedSeconds')),
      batches: { size: sum('size'), interval: sum('interval'), drain: sum('drain') },
    };
    this.#points = [...this.#points.slice(1 - MOST_POINTS), point];
    return point;
  }
}

function doneBy({ process, counts }: Heartbeat): Done {
  if (process === 'worker')
    return {
      numbers: { ...NOTHING, ...counts.batches },
      answerSeconds: undefined,
      loggedSeconds: counts.loggedSeconds,
    };
  const { answered, rejected, failed, answerSeconds } = counts;
  return { numbers: { ...NOTHING, answered, rejected, failed }, answerSeconds, loggedSeconds: undefined };
}

function difference(before: Done | undefined, now: Done): Done {
  const numbers = { ...NOTHING };
  for (const name of Object.keys(NOTHING) as (keyof Numbers)[])
    numbers[name] = Math.max(0, now.numbers[name] - (before?.numbers[name] ?? 0));
  return {
    numbers,
    answerSeconds: now.answerSeconds && since(before?.answerSeconds, now.answerSeconds),
    loggedSeconds: now.loggedSeconds && since(before?.loggedSeconds, now.loggedSeconds),
  };
}
