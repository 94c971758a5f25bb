import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { DrillResult } from '../src/drill/drill.js';
import { judge, type Evidence } from '../src/drill/verdict/judgement.js';
import { describeLadder, faultsOf } from '../src/drill/ladder/ladder-words.js';
import { chooseRungs, judgeRung } from '../src/drill/ladder/ladder.js';
import { ofStrangers } from '../src/drill/ladder/peer-evidence.js';
import type { Happened } from '../src/drill/perform.js';
import { readPlan } from '../src/drill/plan.js';
import { Random } from '../src/drill/clients/random.js';
import type { FailedRequest } from '../src/drill/clients/record.js';
import { readLadder, type Rung, type Weakness } from '../src/drill/ladder/rungs.js';

const ladder = readLadder();

const acknowledged = new Map([
  ['1-a', 1],
  ['2-a', 2],
]);
const stored = [...acknowledged].map(([id, result]) => ({ id, result }));

const evidence = (given: Partial<Evidence> = {}): Evidence => ({
  ...{ sent: 2 + (given.failed?.length ?? 0), acknowledged, misanswered: 0, failed: [], stored },
  ...{ excuses: [], ended: [], fresh: true },
  ...given,
});

const kill = (recoveryMs: number) =>
  ({ what: 'kill-worker', target: 'w', graceful: false, recoveryMs }) as Happened;

/** As much of a drill's result as the ladder looks at. */
const resultOf = (given: Partial<Evidence>, events: readonly Happened[] = []) =>
  ({ judgement: judge(evidence(given)), events }) as DrillResult;

const failure: FailedRequest = {
  serial: 3,
  client: 'busy',
  kind: 'reset',
  reason: 'ECONNRESET',
  sentMs: 1,
  endedMs: 2,
  endpoint: 'a',
  earlier: 0,
  idleMs: 0,
};

const SHOWN: Readonly<Record<Weakness, DrillResult>> = {
  failed: resultOf({ failed: [failure] }),
  lost: resultOf({ stored: stored.slice(1) }),
  twice: resultOf({ stored: [...stored, { id: '3-a', result: 1 }] }),
  slow: resultOf({}, [kill(30_000)]),
};

const WEAKNESSES = Object.keys(SHOWN) as Weakness[];

const all = resultOf({}, [kill(12_000)]);

const rung = (weakness?: Weakness): Rung => ({
  ...{ name: weakness ?? 'whole', title: 'a rung', plan: 'roll', durationMs: 1_000 },
  ...(weakness && { weakness }),
});

describe('the rungs', () => {
  test('are what people build, Tally, and Tally without one thing, by names of their own', () => {
    const names = ladder.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining(['no-shutdown', 'batch', 'queue', 'tally', 'no-ledger']));
  });

  test('must each show something, but for Tally as it is', () => {
    const whole = ladder.filter(({ weakness }) => weakness === undefined);
    expect(whole.map(({ name }) => name)).toEqual(['tally', 'tally-harder']);
    expect(whole.every(({ changes, settings, prepare }) => !changes && !settings && !prepare)).toBe(true);
    expect(new Set(ladder.flatMap(({ weakness }) => weakness ?? []))).toEqual(new Set(WEAKNESSES));
  });

  test('that people build are tried with the plan that Tally is tried with', () => {
    const { plan } = ladder.find(({ name }) => name === 'tally') ?? {};
    const others = ladder.filter(({ changes }) => changes?.readEvidence);
    expect(others.length).toBeGreaterThanOrEqual(5);
    for (const other of others) expect(other.plan, other.name).toBe(plan);
  });

  test('that lack one thing are tried with what Tally as it is is tried with', () => {
    const steps = (plan: string) => readPlan(plan, new Random(1)).map((step) => step.join('+'));
    const whole = ladder.flatMap(({ weakness, plan }) => (weakness ? [] : steps(plan)));
    for (const { name, plan } of ladder) expect(whole, name).toEqual(expect.arrayContaining(steps(plan)));
  });

  test('have programs that there are', () => {
    const programs = ladder.flatMap(({ changes }) => Object.values(changes?.programs ?? {}));
    expect(programs.length).toBeGreaterThan(7);
    for (const program of programs) expect(existsSync(program.at(-1) ?? ''), program.at(-1)).toBe(true);
  });

  test('can be chosen by their names, and only by theirs', () => {
    expect(chooseRungs(ladder, undefined)).toEqual(ladder);
    expect(chooseRungs(ladder, 'tally, batch').map(({ name }) => name)).toEqual(['batch', 'tally']);
    expect(() => chooseRungs(ladder, 'batch,bach')).toThrow(
      'there is no rung "bach"; there are no-shutdown,',
    );
  });
});

describe('the ladder holds when', () => {
  test.each(WEAKNESSES)('a rung shows that it is there for: %s', (weakness) => {
    const climbed = judgeRung(rung(weakness), SHOWN[weakness]);
    expect([climbed.seen, climbed.asExpected, faultsOf(climbed)]).toEqual([[weakness], true, []]);
  });

  test('nothing of it is seen of Tally', () => {
    const climbed = judgeRung(rung(), all);
    expect([climbed.seen, climbed.asExpected]).toEqual([[], true]);
    expect(describeLadder([climbed, judgeRung(rung('lost'), SHOWN.lost)])).toContain('PASS');
  });
});

describe('the ladder fails when', () => {
  test.each(WEAKNESSES)('a rung should show "%s" and does not, whatever else it shows', (weakness) => {
    const others = WEAKNESSES.filter((other) => other !== weakness).map((other) => SHOWN[other]);
    for (const result of [all, ...others]) {
      const climbed = judgeRung(rung(weakness), result);
      expect(climbed.asExpected).toBe(false);
      expect(describeLadder([judgeRung(rung(), all), climbed])).toMatch(
        new RegExp(`FAIL:\n  ${weakness} should show "${weakness}", and`),
      );
    }
  });

  test.each(WEAKNESSES)('it is seen of Tally: %s', (weakness) => {
    const climbed = judgeRung(rung(), SHOWN[weakness]);
    expect(climbed.asExpected).toBe(false);
    expect(faultsOf(climbed)).toHaveLength(1);
    expect(describeLadder([climbed])).toContain('FAIL:\n  whole: ');
  });

  test('Tally fails in any other way', () => {
    const climbed = judgeRung(rung(), resultOf({ fresh: false }));
    expect([climbed.seen, climbed.asExpected]).toEqual([[], false]);
    expect(faultsOf(climbed)).toEqual(['whole: 1 operation was not answered when all was over']);
  });
});

describe('of programs that give ids of their own', () => {
  const ids = new Map([
    ['x', 1],
    ['y', 2],
  ]);
  const judged = (given: Partial<Evidence>) =>
    judge(ofStrangers(evidence({ acknowledged: ids, ...given }))).operations;

  test('a result names its request', () => {
    expect(judged({})).toMatchObject({ acknowledged: 2, stored: 2, lost: 0, twice: 0, invented: 0 });
  });

  test('losses, doubles and inventions are seen', () => {
    expect(judged({ stored: stored.slice(1) })).toMatchObject({ lost: 1, twice: 0 });
    expect(judged({ stored: [...stored, { id: '9-a', result: 2 }] })).toMatchObject({ twice: 1, lost: 0 });
    expect(judged({ stored: [...stored, { id: '9-a', result: 7 }] })).toMatchObject({
      invented: 1,
      twice: 0,
    });
  });

  test('no receipt is asked for, and none may end by itself', () => {
    const ending = { code: 1, signal: null, receipt: undefined, ms: 9_000 };
    const end = { kind: 'api', instance: 'a', ending, from: 0, to: 9_000, limitMs: 1_000 } as const;
    const broken = (why: 'asked' | 'by itself') =>
      judge(ofStrangers(evidence({ acknowledged: ids, ended: [{ ...end, why }] }))).broken;
    expect(broken('asked')).toEqual([]);
    expect(broken('by itself')[0]).toContain('ended by itself with exit code 1');
  });
});
