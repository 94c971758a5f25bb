import { judgeOperations, type StoredOperation } from '../../src/drill/verdict/verdict.js';
import { FIRST_SERIAL, type Failure, type RequestRecord } from './record.js';
import type { Kill } from './watch.js';

/** Why a request may fail. */
export type Excuse =
  /** It was on its way to a pod that was killed, or went there before the Service knew. */
  | 'killed'
  /** A store that acceptance needs was away. */
  | 'no store';

/** Until a Service has forgotten a killed pod, and a process has found a store that is back. */
const LAG_MS = 5_000;

/** A watch and the clocks of two machines are not exact. */
const EARLY_MS = 1_000;

/** All numbers but the first four must be 0. */
export interface Findings {
  readonly answered: number;
  readonly killed: number;
  readonly refused: number;
  readonly stored: number;
  readonly unexplained: number;
  readonly lost: number;
  readonly twice: number;
  readonly wrong: number;
  /** Stored, and nobody asked for it. */
  readonly invented: number;
}

/** Holds what the load saw against what InfluxDB holds. Pure. */
export function judge(
  { acknowledged, failed, wrong: misanswered }: RequestRecord,
  all: readonly StoredOperation[],
  kills: readonly Kill[],
): Findings {
  const stored = all.filter(({ result }) => result >= FIRST_SERIAL);
  const { lost, twice, wrong } = judgeOperations(acknowledged, stored);
  const unanswered = new Set(failed.map(({ serial }) => serial));
  const logged = new Set(stored.flatMap(({ id, result }) => (acknowledged.get(id) === result ? result : [])));
  const excuses = failed.map((failure) => excuseOf(failure, kills));
  const count = (excuse: Excuse | undefined) => excuses.filter((one) => one === excuse).length;
  return {
    answered: acknowledged.size,
    killed: count('killed'),
    refused: count('no store'),
    stored: stored.length,
    unexplained: count(undefined),
    ...{ lost, twice, wrong: wrong + misanswered },
    invented: stored.filter(
      ({ id, result }) => !acknowledged.has(id) && !unanswered.has(result) && !logged.has(result),
    ).length,
  };
}

/** Why a request may have failed, if it may. */
export function excuseOf(failure: Failure, kills: readonly Kill[]): Excuse | undefined {
  const during = ({ atMs }: Kill, untilMs: number) =>
    failure.sentMs <= untilMs + LAG_MS && failure.endedMs >= atMs - EARLY_MS;
  for (const kill of kills) {
    const { component, pod, atMs, backMs } = kill;
    const reachedIt = failure.by === undefined || failure.by.startsWith(`${pod}-`);
    if (component === 'api' && failure.status === undefined && reachedIt && during(kill, atMs))
      return 'killed';
    const isStore = component === 'redis' || component === 'postgres';
    if (isStore && failure.status === 503 && during(kill, backMs)) return 'no store';
  }
  return undefined;
}
