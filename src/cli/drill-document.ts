import type { DrillResult } from '../drill/drill.js';

/** Failed requests that nothing explains, in the document. */
const FAILURES_NAMED = 100;

/** A drill's result as `--json` prints it. */
export function drillDocument({ judgement, events, ended, audit }: DrillResult, seed: number) {
  const { verdict, broken, requests, operations, unexplained } = judgement;
  return {
    ...{ verdict, seed, requests, operations, broken },
    ...(audit && {
      audit: { accepted: audit.accepted, logged: audit.logged, missing: audit.missing, extra: audit.extra },
    }),
    unexplained: unexplained.slice(0, FAILURES_NAMED),
    events: events.map(({ at, what, target, fromMs, healedMs, recoveryMs }) => ({
      ...{ at, what, target },
      backMs: Math.round(healedMs - fromMs),
      ...(recoveryMs !== undefined && { loggedMs: recoveryMs === Infinity ? null : Math.round(recoveryMs) }),
    })),
    ended: ended.map(({ kind, instance, why, limitMs, ending: { code, signal, ms, receipt } }) => ({
      ...{
        kind,
        instance,
        why,
        code,
        signal,
        ms: Math.round(ms),
        limitMs: limitMs === undefined ? null : Math.round(limitMs),
        receipt: receipt ?? null,
      },
    })),
  };
}
