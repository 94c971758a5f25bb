import { chooseRungs, climb, type Climbed } from '../drill/ladder/ladder.js';
import { describeLadder, describeRung, faultsOf } from '../drill/ladder/ladder-words.js';
import { readLadder } from '../drill/ladder/rungs.js';
import type { Terminal } from './command.js';
import { drillDocument } from './drill-document.js';
import { Screen } from './drill-screen.js';

interface LadderRun {
  /** Names of rungs, separated by commas; all of them when it is not given. */
  readonly names: string | undefined;
  readonly apis: number;
  readonly workers: number;
  readonly connections: number;
  readonly lagMs: number;
  readonly probeMs: number;
  readonly seed: number;
  readonly signal: AbortSignal;
}

/**
 * `tally drill --ladder`. Resolves with the exit code.
 *
 * @throws {PlanError} outside of a checkout, or when there is no such rung.
 */
export async function runLadder({ names, ...options }: LadderRun, { env, print }: Terminal): Promise<number> {
  const rungs = chooseRungs(readLadder(), names);
  const screen = new Screen(describeRung);
  screen.say(`seed ${options.seed}`);
  const { say, show } = screen;
  const climbed = await climb({ ...options, rungs, environment: env, say, onProgress: show }).finally(() =>
    screen.clear(),
  );
  const verdict = climbed.every(({ asExpected }) => asExpected) ? 'pass' : 'fail';
  const ladder = climbed.map((one) => inJson(one, options.seed));
  const { rung: _, ...tally } = ladder.find(({ rung }) => rung === 'tally') ?? { rung: undefined };
  print(`\n${describeLadder(climbed)}`, { ...tally, verdict, broken: climbed.flatMap(faultsOf), ladder });
  return verdict === 'pass' ? 0 : 1;
}

function inJson({ rung, result, seen, asExpected }: Climbed, seed: number) {
  const { name, title, plan, weakness = null } = rung;
  return { rung: name, title, plan, mustShow: weakness, seen, asExpected, ...drillDocument(result, seed) };
}
