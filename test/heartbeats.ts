import type { Heartbeat } from '../src/shared/heartbeats/heartbeat.js';

const EMPTY = { bounds: [], counts: [0] };

type Common = Partial<Pick<Heartbeat, 'beat' | 'state' | 'away' | 'startedAt' | 'version' | 'commit'>>;

const common = {
  version: '1.2.3',
  commit: 'abc',
  startedAt: 1_000,
  state: 'ready',
  beat: 1,
  away: [],
} as const;

/** A heartbeat of an API as it could be, but for what is given. */
export function apiBeat(
  instance: string,
  { counts, ...given }: Common & { counts?: Partial<(Heartbeat & { process: 'api' })['counts']> } = {},
): Heartbeat & { process: 'api' } {
  const none = { accepted: 0, refused: 0, answered: 0, rejected: 0, failed: 0, answerSeconds: EMPTY };
  return { ...common, away: [], process: 'api', instance, ...given, counts: { ...none, ...counts } };
}

/** The same of a worker. */
export function workerBeat(
  instance: string,
  { counts, ...given }: Common & { counts?: Partial<(Heartbeat & { process: 'worker' })['counts']> } = {},
): Heartbeat & { process: 'worker' } {
  const batches = { size: 0, interval: 0, drain: 0 };
  const none = { logged: 0, quarantined: 0, batches, loggedSeconds: EMPTY };
  return { ...common, away: [], process: 'worker', instance, ...given, counts: { ...none, ...counts } };
}
