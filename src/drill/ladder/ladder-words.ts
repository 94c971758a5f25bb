import { slowestRecoveryMs, type Climbed } from './ladder.js';
import type { Weakness } from './rungs.js';
import type { Progress } from '../watch.js';

const HEAD = ['', 'rung', 'requests', 'failed', 'lost', 'twice', 'logged after', 'must show'];

/** Columns of numbers. */
const RIGHT = new Set([2, 3, 4, 5, 6]);

const MEANING: Readonly<Record<Weakness, string>> = {
  failed: 'no request failed without a reason',
  lost: 'nothing was lost',
  twice: 'nothing was counted twice',
  slow: 'all was logged again in time',
};

/** The ladder for a terminal. */
export function describeLadder(climbed: readonly Climbed[]): string {
  const rows = [HEAD, ...climbed.map(rowOf)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const table = rows.map((row) =>
    row
      .map((cell, column) => pad(cell, column, widths))
      .join('  ')
      .trimEnd(),
  );
  const legend = climbed.map(({ rung: { name, title, plan } }) => `  ${name.padEnd(15)} ${title} (${plan})`);
  const faults = climbed.flatMap(faultsOf);
  return [
    table.join('\n'),
    legend.join('\n'),
    faults.length === 0
      ? 'PASS: Tally holds, and every other rung shows what it lacks.'
      : `FAIL:\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
  ].join('\n\n');
}

function rowOf({ rung, result, asExpected }: Climbed): readonly string[] {
  const { requests, operations } = result.judgement;
  const recoveryMs = slowestRecoveryMs(result);
  return [
    asExpected ? ' ' : '✗',
    rung.name,
    ...[requests.sent, requests.unexplained, operations.lost, operations.twice].map(thousands),
    recoveryMs === 0 ? '' : recoveryMs === Infinity ? 'never' : `${(recoveryMs / 1_000).toFixed(1)} s`,
    rung.weakness ?? 'nothing',
  ];
}

/** Why the ladder does not hold. */
export function faultsOf({ rung, result, seen, asExpected }: Climbed): readonly string[] {
  if (asExpected) return [];
  if (rung.weakness) return [`${rung.name} should show "${rung.weakness}", and ${MEANING[rung.weakness]}`];
  const { broken } = result.judgement;
  return [...broken, ...(seen.includes('slow') ? ['it took too long until all was logged again'] : [])].map(
    (fault) => `${rung.name}: ${fault}`,
  );
}

/** How a rung goes, in a line. */
export function describeRung({ ms, answered, inFlight, failed, happening }: Progress): string {
  const seconds = (ms / 1_000).toFixed(0).padStart(4);
  return `${seconds} s  ${thousands(answered)} answered, ${inFlight} in flight, ${failed} failed; ${happening}`;
}

function pad(cell: string, column: number, widths: readonly number[]): string {
  const width = widths[column] ?? 0;
  return RIGHT.has(column) ? cell.padStart(width) : cell.padEnd(width);
}

const thousands = (value: number) => value.toLocaleString('en');
