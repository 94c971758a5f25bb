import { EVENTS, eventNamed } from './events.js';
import type { Random } from './clients/random.js';
import type { Store, StoreName } from './stores/store.js';

/** Names of events that happen at the same time. */
export type Step = readonly string[];

/** A plan that cannot be understood. */
export class PlanError extends Error {
  readonly code = 'PLAN';
}

/** What a minute has room for. */
export const DEFAULT_PLAN = 'roll,kill-api,kill-redis,kill-postgres,outage-influxdb,kill-worker,roll';

const ALL_EVENTS: readonly string[] = [...EVENTS.keys()];

const RANDOM_EVENTS: readonly string[] = ALL_EVENTS.filter((name) => !eventNamed(name)?.onlyNamed);

/** One in so many random steps is of two events at once. */
const SECOND_IN = 3;

/**
 * Reads a plan: names of events separated by commas, `+` between those that happen at once, and `*N` behind a step that
 * is to be repeated; or a number of random steps, of those events that are `possible`.
 *
 * @throws {PlanError} that names what there is no event for.
 */
export function readPlan(text: string, random: Random, possible = RANDOM_EVENTS): readonly Step[] {
  if (/^\d+$/.test(text)) return Array.from({ length: Number(text) }, () => draw(random, possible));
  return text.split(',').flatMap((part) => {
    const [, names = '', times = '1'] = /^([^*]*)(?:\*(\d+))?$/.exec(part.trim()) ?? [];
    const step = names.split('+').map((name) => name.trim());
    const unknown = step.filter((name) => !eventNamed(name));
    if (unknown.length > 0)
      throw new PlanError(`there is no event "${unknown.join('", "')}"; there are ${ALL_EVENTS.join(', ')}`);
    if (step.length > 1 && !mayCoincide(step))
      throw new PlanError(`"${names}": these cannot happen at once, or lose what both stores had`);
    return Array.from({ length: Number(times) }, () => step);
  });
}

/** Events that can happen to these stores: a server that was there before is not harmed. */
export function eventsFor(stores: Readonly<Record<StoreName, Pick<Store, 'external'>>>): readonly string[] {
  return RANDOM_EVENTS.filter((name) => {
    const { harms, stalls } = eventNamed(name) ?? {};
    return ![harms, stalls].some((store) => store && stores[store].external);
  });
}

/** All that can happen, for people and as data. */
export function describePlan(): [text: string, list: readonly { name: string; summary: string }[]] {
  const list = [...EVENTS].map(([name, { summary }]) => ({ name, summary }));
  return [list.map(({ name, summary }) => `${name.padEnd(18)} ${summary}`).join('\n'), list];
}

function draw(random: Random, names: readonly string[]): Step {
  const first = random.pick(names);
  const seconds = names.filter((name) => mayCoincide([first, name]));
  return random.between(1, SECOND_IN) > 1 || seconds.length === 0 ? [first] : [first, random.pick(seconds)];
}

/**
 * Whether events may happen at the same time. What both stores lose together is lost, so Redis never forgets while
 * Postgres is away; and a worker that ends without Redis cannot account for all it held, which is right to say.
 */
function mayCoincide(step: Step): boolean {
  const events = step.flatMap((name) => eventNamed(name) ?? []);
  const hits = events.flatMap((event) => event.hits);
  if (new Set(hits).size < hits.length) return false;
  if (events.some(({ forgets }) => forgets) && hits.includes('postgres')) return false;
  const workersEnd = events.some(({ graceful, hits: own }) => graceful && own.includes('worker'));
  return !(workersEnd && (hits.includes('redis') || hits.includes('postgres')));
}
