import type { Audit } from '../../shared/audit/audit.js';
import { endingFaults, type JudgedEnd } from './endings.js';
import type { FailedRequest } from '../clients/record.js';
import { judgeOperations, type StoredOperation } from './verdict.js';

/** Why a request may fail; times are milliseconds of the drill. */
export type Excuse =
  /** It was on its way to a process that was killed, or was sent there before the balancer had heard of it. */
  | {
      readonly why: 'killed';
      readonly endpoint: string;
      readonly fromMs: number;
      readonly goneMs: number;
      readonly toMs: number;
    }
  /** Neither store was there: what cannot be kept is refused, and with nothing ready nothing is reached. */
  | { readonly why: 'no store'; readonly fromMs: number; readonly toMs: number };

export type Audited = Pick<Audit, 'accepted' | 'logged' | 'missing' | 'extra' | 'gaps'>;

/** All that a drill has seen, and what the stores hold after it. */
export interface Evidence {
  readonly sent: number;
  /** Serials by the id they were answered with. */
  readonly acknowledged: ReadonlyMap<string, number>;
  /** Answered with 200 and another result than asked for. */
  readonly misanswered: number;
  readonly failed: readonly FailedRequest[];
  readonly stored: readonly StoredOperation[];
  readonly excuses: readonly Excuse[];
  readonly ended: readonly JudgedEnd[];
  /** What `tally audit` says when all is over; without a ledger there is none. */
  readonly audit?: Audited | undefined;
  /** Commands that were run and did not end with exit code 0, in a sentence each. */
  readonly failedCommands?: readonly string[];
  /** Whether a last operation, sent when all was over, was answered. */
  readonly fresh: boolean;
}

interface Requests {
  readonly sent: number;
  readonly answered: number;
  readonly refused: number;
  readonly reset: number;
  readonly timedOut: number;
  /** Of those that failed: on their way to a process when it was killed. */
  readonly killed: number;
  /** Sent to a killed process before the balancer had heard of it, or while there was no store. */
  readonly excused: number;
  /** Of those that failed: nothing was wrong that explains it. Must be 0. */
  readonly unexplained: number;
}

interface Operations {
  readonly acknowledged: number;
  readonly stored: number;
  readonly lost: number;
  readonly twice: number;
  readonly wrong: number;
  /** Stored, and nobody asked for it. */
  readonly invented: number;
}

export interface Judgement {
  readonly verdict: 'pass' | 'fail';
  /** What does not hold, each in a sentence. */
  readonly broken: readonly string[];
  readonly requests: Requests;
  /** Failed requests that nothing explains. */
  readonly unexplained: readonly FailedRequest[];
  readonly operations: Operations;
}

/** Holds what was promised against what is there. Pure: all that it knows is in the evidence. */
export function judge(evidence: Evidence): Judgement {
  const requests = judgeRequests(evidence);
  const operations = judgeStored(evidence);
  const { lost, twice, wrong, invented } = operations;
  const claims: readonly (readonly [number, string])[] = [
    [lost, 'acknowledged operations are not stored'],
    [twice, 'operations are stored more than once'],
    [wrong, 'operations have another result than was asked for'],
    [invented, 'operations are stored that nobody asked for'],
    [requests.unexplained, 'requests failed although nothing explains it'],
    [withoutOutcome(evidence), 'requests have no outcome'],
    [evidence.fresh ? 0 : 1, 'operation was not answered when all was over'],
  ];
  const broken = [
    ...claims.flatMap(([count, what]) => (count > 0 ? `${count} ${what}` : [])),
    ...endingFaults(evidence.ended, answeredBy(evidence.acknowledged)),
    ...auditFaults(evidence),
    ...(evidence.failedCommands ?? []),
  ];
  const unexplained = evidence.failed.filter((failure) => excuseOf(failure, evidence.excuses) === undefined);
  return { verdict: broken.length === 0 ? 'pass' : 'fail', broken, requests, unexplained, operations };
}

function judgeRequests({ sent, acknowledged, failed, excuses }: Evidence): Requests {
  const count = (kind: FailedRequest['kind']) => failed.filter((failure) => failure.kind === kind).length;
  const found = failed.map((failure) => excuseOf(failure, excuses));
  return {
    sent,
    answered: acknowledged.size,
    refused: count('refused'),
    reset: count('reset'),
    timedOut: count('timedOut'),
    killed: found.filter((excuse) => excuse === 'in flight').length,
    excused: found.filter((excuse) => excuse === 'too late' || excuse === 'no store').length,
    unexplained: found.filter((excuse) => excuse === undefined).length,
  };
}

const withoutOutcome = ({ sent, acknowledged, failed }: Evidence) => sent - acknowledged.size - failed.length;

/** Why a request may have failed, if it may. */
function excuseOf(
  { kind, endpoint, sentMs, endedMs }: FailedRequest,
  excuses: readonly Excuse[],
): 'in flight' | 'too late' | 'no store' | undefined {
  for (const excuse of excuses) {
    if (sentMs > excuse.toMs || endedMs < excuse.fromMs) continue;
    const notReached = kind === 'reset' && endpoint === undefined;
    if (excuse.why === 'no store' && (kind === 'refused' || notReached)) return 'no store';
    if (excuse.why === 'killed' && kind === 'reset' && excuse.endpoint === endpoint)
      return sentMs <= excuse.goneMs ? 'in flight' : 'too late';
  }
  return undefined;
}

/**
 * An operation without an acknowledgement may be stored once: its request got no answer, or a refusal when it could not
 * be taken back any more. More than once is twice; with a result that no such request asked for, it is invented.
 */
function judgeStored({ acknowledged, misanswered, failed, stored }: Evidence): Operations {
  const { lost, twice, wrong } = judgeOperations(acknowledged, stored);
  const unanswered = new Set(failed.map(({ serial }) => serial));
  const logged = new Set(stored.flatMap(({ id, result }) => (acknowledged.get(id) === result ? result : [])));
  const invented = stored.filter(
    ({ id, result }) => !acknowledged.has(id) && !unanswered.has(result) && !logged.has(result),
  ).length;
  return {
    acknowledged: acknowledged.size,
    stored: stored.length,
    ...{ lost, twice, invented },
    wrong: wrong + misanswered,
  };
}

/** Operations by the instance that answered. */
function answeredBy(acknowledged: Evidence['acknowledged']): ReadonlyMap<string, number> {
  const answered = new Map<string, number>();
  for (const id of acknowledged.keys()) {
    const instance = id.slice(id.indexOf('-') + 1);
    answered.set(instance, (answered.get(instance) ?? 0) + 1);
  }
  return answered;
}

/** A number that nobody has is no loss where a killed process may have had it in hand. */
export function auditFaults({ audit, ended }: Pick<Evidence, 'audit' | 'ended'>): string[] {
  if (!audit) return [];
  const killed = new Set(ended.flatMap(({ why, instance }) => (why === 'killed' ? instance : [])));
  const gaps = audit.gaps.filter(({ instance }) => !killed.has(instance)).length;
  return [
    ...(audit.missing > 0 ? [`the audit misses ${audit.missing} operations`] : []),
    ...(audit.extra > 0 ? [`the audit finds ${audit.extra} operations too many`] : []),
    ...(gaps > 0 ? [`the ledger lacks chunk numbers in ${gaps} places`] : []),
  ];
}

/** The least value that so much of all (0 to 1) is not above; 0 when there is nothing. Values ascend. */
export function percentile(
  share: number,
  values: readonly { readonly ms: number; readonly operations: number }[],
): number {
  const all = values.reduce((sum, { operations }) => sum + operations, 0);
  let seen = 0;
  for (const { ms, operations } of values) {
    seen += operations;
    if (seen >= share * all) return ms;
  }
  return 0;
}
