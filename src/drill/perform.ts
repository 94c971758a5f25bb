import { setTimeout as delay } from 'node:timers/promises';
import { SECOND } from '../shared/duration.js';
import { LOGGED_MS } from './verdict/backlog.js';
import type { BalancerOptions } from './processes/balancer.js';
import { eventNamed, type Scenery } from './events.js';
import { restingStores } from './processes/resting-stores.js';
import type { Step } from './plan.js';

/** An event that happened. Times are milliseconds of the drill. */
export interface Happened {
  readonly what: string;
  readonly target: string;
  readonly graceful: boolean;
  /** ISO 8601. */
  readonly at: string;
  readonly fromMs: number;
  /** When all that it took was back. */
  readonly healedMs: number;
  /** From then on until all that was accepted before was logged; faults alone. */
  readonly recoveryMs: number | undefined;
}

export interface Performance extends BalancerOptions {
  readonly plan: readonly Step[];
  /** The steps happen one after the other, and again from the first, until this resolves. */
  readonly until?: Promise<unknown> | undefined;
  /** How long it takes at the least; the steps happen at even distances. */
  readonly durationMs: number;
  readonly signal: AbortSignal;
  /** Told what happens. */
  readonly say: (line: string) => void;
  /** Told what happens now, and nothing when all is well. */
  readonly onStep: (happening: string) => void;
}

/** A store that failed is asked once a second whether it is back: long after it is, even where every second answer is late. */
const FOUND_MS = 10 * SECOND;

const LOOK_MS = 50;

/** Between two steps while a tool loads. */
const PAUSE_MS = SECOND;

/**
 * Lets each step happen in its time or, when that is past, as soon as the one before it is over. Adds to `events` what
 * has happened.
 */
export async function perform(performance: Performance, scenery: Scenery, events: Happened[]): Promise<void> {
  const { plan, durationMs, signal, onStep } = performance;
  if (performance.until) return performUntil(performance.until, performance, scenery, events);
  const { now } = scenery;
  const until = (ms: number) => delay(Math.max(0, ms - now()), undefined, { signal });
  const began = now();
  const apart = durationMs / (plan.length + 1);
  for (const [index, step] of plan.entries()) {
    onStep('load alone');
    await until(began + apart * (index + 1));
    onStep(step.join(' and '));
    events.push(...(await happen(step, scenery, performance)));
  }
  onStep('load alone');
  await until(began + durationMs);
}

async function performUntil(
  end: Promise<unknown>,
  performance: Performance,
  scenery: Scenery,
  events: Happened[],
): Promise<void> {
  const { plan, signal, onStep } = performance;
  const over = new AbortController();
  const ended = end.finally(() => over.abort());
  ended.catch(() => undefined); // is awaited in the end
  for (let index = 0; ; index++) {
    onStep('load alone');
    await delay(PAUSE_MS, undefined, { signal: AbortSignal.any([over.signal, signal]) }).catch(
      () => undefined,
    );
    const step = plan[index % plan.length];
    if (over.signal.aborted || signal.aborted || !step) break;
    onStep(step.join(' and '));
    events.push(...(await happen(step, scenery, performance)));
  }
  await ended;
}

async function happen(
  step: Step,
  scenery: Scenery,
  { say, probeMs, lagMs }: Performance,
): Promise<Happened[]> {
  const { now, backlog, excuse, signal } = scenery;
  const chosen = step.flatMap((what) => {
    const event = eventNamed(what);
    return event ? { what, event } : [];
  });
  say(chosen.map(({ what, event }) => `${what}: ${event.summary}`).join('; '));
  const hits = chosen.flatMap(({ event }) => event.hits);
  const [fromMs, at] = [now(), new Date().toISOString()];
  const done = await Promise.all(
    chosen.map(async ({ what, event }) => {
      const target = await event.run(scenery);
      const graceful = event.graceful === true;
      return { what, target, graceful, at, fromMs, healedMs: now(), recoveryMs: undefined };
    }),
  );
  const [healedMs, healedAt] = [now(), Date.now()];
  if (hits.includes('redis') || hits.includes('postgres')) await untilFound(scenery);
  if (hits.includes('redis') && hits.includes('postgres'))
    excuse({ why: 'no store', fromMs, toMs: now() + probeMs + lagMs });
  if (backlog.blind || chosen.every(({ event }) => event.graceful)) return done;
  const recovered = await backlog.loggedUntil(healedAt, LOGGED_MS, signal);
  const recoveryMs = recovered ? now() - healedMs : Infinity;
  return done.map((one) => (one.graceful ? one : { ...one, recoveryMs }));
}

/** Resolves when no API leaves a store alone any more: with one that is not found yet, the next event could take the last. */
async function untilFound({ apis, now, signal }: Scenery): Promise<void> {
  const resting = () => apis.running.some(({ log }) => restingStores(log).size > 0);
  for (const deadline = now() + FOUND_MS; resting() && now() < deadline;)
    await delay(LOOK_MS, undefined, { signal });
}
