import type { Evidence } from '../verdict/judgement.js';

/**
 * What a drill has seen of programs other than Tally. The ids that they answer with are not in what they store, but every
 * request sends numbers that sum to its own serial: the result names it. Receipts and times to end are not asked for.
 */
export function ofStrangers(evidence: Evidence): Evidence {
  const { acknowledged, stored, ended } = evidence;
  return {
    ...evidence,
    acknowledged: new Map([...acknowledged.values()].map((serial) => [String(serial), serial])),
    stored: stored.map(({ result }) => ({ id: String(result), result })),
    ended: ended.filter(({ why }) => why === 'by itself'),
  };
}
