import { auditFaults, type Evidence, type Judgement } from './judgement.js';
import { endingFaults } from './endings.js';
import type { ToolReport } from '../clients/load-tool.js';

/** What a drill knows whose load comes from a tool: numbers, and no ids. */
export interface CountedEvidence extends Pick<Evidence, 'ended' | 'audit' | 'fresh'> {
  readonly tool: ToolReport;
  /** Operations in InfluxDB, of the tool's. */
  readonly stored: number;
}

/**
 * Holds the number of answers against the number in InfluxDB. A request that failed may have been stored all the same;
 * with none that failed, the two must be equal.
 */
export function judgeCounted({ tool, stored, ended, audit, fresh }: CountedEvidence): Judgement {
  const { sent, answered, refused } = tool;
  const failed = sent - answered;
  const lost = Math.max(0, answered - stored);
  const twice = Math.max(0, stored - sent);
  const claims: readonly (readonly [number, string])[] = [
    [failed, 'requests failed'],
    [lost, 'operations fewer are stored than were answered'],
    [twice, 'operations more are stored than were sent'],
    [answered > 0 ? 0 : 1, 'load: nothing was answered'],
    [fresh ? 0 : 1, 'operation was not answered when all was over'],
  ];
  const broken = [
    ...claims.flatMap(([count, what]) => (count > 0 ? `${count} ${what}` : [])),
    ...endingFaults(ended, new Map()),
    ...auditFaults({ audit, ended }),
  ];
  return {
    verdict: broken.length === 0 ? 'pass' : 'fail',
    broken,
    requests: {
      ...{ sent, answered, refused, reset: failed - refused, timedOut: 0 },
      ...{ killed: 0, excused: 0, unexplained: failed },
    },
    unexplained: [],
    operations: { acknowledged: answered, stored, lost, twice, wrong: 0, invented: 0 },
  };
}
