import { describe, expect, test } from 'vitest';
import { Arena } from './arena.js';
import type { Fault } from './faults.js';
import { Judge } from './judge.js';
import { generations, rounds, seed } from './options.js';
import { Random } from '../../src/drill/clients/random.js';
import { draw, suffer } from './sequence.js';

/** Rounds that follow each other at once before everything is settled and checked. */
const ROUNDS_BETWEEN_CHECKS = 5;

const ROUND_MS = 60_000;

const say = (line: string) => void process.stdout.write(`${line}\n`);

describe.each(generations())('on InfluxDB %s.x nothing is lost, invented or wrong', (generation) => {
  test(`by ${rounds} rounds of faults of seed ${seed}`, { timeout: rounds * ROUND_MS }, async () => {
    await using arena = await Arena.open(generation);
    const random = new Random(seed);
    const judge = new Judge(arena);
    let acknowledged = 0;
    for (let round = 1; round <= rounds;) {
      const suffered: string[] = [];
      try {
        await arena.startLoad();
        await arena.answersMore(100);
        do {
          const faults = draw(random);
          suffered.push(`round ${round}: ${names(faults)}`);
          await suffer(arena, faults, random);
        } while (round++ % ROUNDS_BETWEEN_CHECKS !== 0 && round <= rounds);
        const findings = await judge.check();
        acknowledged += findings.acknowledged;
        say([...suffered, JSON.stringify(findings)].join('\n'));
      } catch (error) {
        const again = `npm run test:faults -- sequence --seed ${seed} --rounds ${rounds} --influx ${generation}`;
        throw new Error([(error as Error).message, ...suffered, `Again: ${again}`].join('\n'), {
          cause: error,
        });
      }
    }
    expect(acknowledged).toBeGreaterThan(100 * Math.ceil(rounds / ROUNDS_BETWEEN_CHECKS));
  });
});

const names = (faults: readonly Fault[]) => faults.map(({ name }) => name).join(', with ');
