import { SECOND } from '../../shared/duration.js';
import { drill, type DrillOptions, type DrillResult } from '../drill.js';
import { PlanError, readPlan } from '../plan.js';
import { Random } from '../clients/random.js';
import type { Rung, Weakness } from './rungs.js';
import { openStores } from '../stores/open-stores.js';

type Taken =
  'apis' | 'workers' | 'connections' | 'seed' | 'probeMs' | 'lagMs' | 'signal' | 'say' | 'onProgress';

export interface LadderOptions extends Pick<DrillOptions, Taken> {
  readonly rungs: readonly Rung[];
  readonly environment: NodeJS.ProcessEnv;
}

/** What became of a rung. */
export interface Climbed {
  readonly rung: Rung;
  readonly result: DrillResult;
  readonly seen: readonly Weakness[];
  /** Tally holds, or the weakness that the rung is there to show was seen. */
  readonly asExpected: boolean;
}

/** A killed worker's chunks are back in 15 s; with a batch's time and what a busy machine needs. */
const SLOW_MS = 25 * SECOND;

/** Those that an environment could name: the ladder harms its servers. */
const STORES = ['REDIS_URL', 'DATABASE_URL', 'INFLUX_URL'];

/**
 * A drill for each rung, on stores of its own.
 *
 * @throws {Error} when a rung cannot be tried at all; an AbortError when `signal` is aborted.
 */
export async function climb(options: LadderOptions): Promise<readonly Climbed[]> {
  const climbed: Climbed[] = [];
  for (const rung of options.rungs) {
    options.say(`${rung.name}: ${rung.title}`);
    const result = await tryRung(rung, options);
    climbed.push(judgeRung(rung, result));
  }
  return climbed;
}

async function tryRung(rung: Rung, options: LadderOptions): Promise<DrillResult> {
  const { environment, say, onProgress } = options;
  const { name, plan, durationMs, settings = {}, lagMs, workers, changes = {}, prepare } = rung;
  const own = Object.fromEntries(Object.entries(environment).filter(([key]) => !STORES.includes(key)));
  await using stores = await openStores({ environment: own });
  await prepare?.(stores);
  return await drill({
    ...{ ...options, stores, durationMs, settings, changes },
    plan: readPlan(plan, new Random(options.seed)),
    lagMs: lagMs ?? options.lagMs,
    workers: workers ?? options.workers,
    say: (line) => say(`${name}: ${line}`),
    onProgress: (progress) => onProgress({ ...progress, happening: `${name}: ${progress.happening}` }),
  });
}

/** Holds what was seen of a rung against what is expected of it. */
export function judgeRung(rung: Rung, result: DrillResult): Climbed {
  const seen = weaknessesOf(result);
  const asExpected = rung.weakness
    ? seen.includes(rung.weakness)
    : result.judgement.verdict === 'pass' && seen.length === 0;
  return { rung, result, seen, asExpected };
}

function weaknessesOf({ judgement, events }: Pick<DrillResult, 'judgement' | 'events'>): readonly Weakness[] {
  const { requests, operations } = judgement;
  const found: readonly (readonly [Weakness, boolean])[] = [
    ['failed', requests.unexplained > 0],
    ['lost', operations.lost > 0],
    ['twice', operations.twice > 0],
    ['slow', slowestRecoveryMs({ events }) > SLOW_MS],
  ];
  return found.flatMap(([weakness, seen]) => (seen ? weakness : []));
}

/** Until all that was accepted before a fault was logged, at its longest; 0 where that cannot be told. */
export function slowestRecoveryMs({ events }: Pick<DrillResult, 'events'>): number {
  return events.reduce((most, { recoveryMs = 0 }) => Math.max(most, recoveryMs), 0);
}

/**
 * Rungs by their names, separated by commas.
 *
 * @throws {PlanError} that names what there is no rung for.
 */
export function chooseRungs(ladder: readonly Rung[], names: string | undefined): readonly Rung[] {
  const wanted = names?.split(',').map((name) => name.trim());
  const all = ladder.map(({ name }) => name);
  const unknown = wanted?.filter((name) => !all.includes(name)) ?? [];
  if (unknown.length > 0)
    throw new PlanError(`there is no rung "${unknown.join('", "')}"; there are ${all.join(', ')}`);
  return ladder.filter(({ name }) => !wanted || wanted.includes(name));
}
