import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Arena } from './arena.js';
import { FAULTS } from './faults.js';
import { Judge } from './judge.js';
import { full, generations, seed } from './options.js';
import { Random } from '../../src/drill/clients/random.js';
import { suffer } from './sequence.js';

const CASES = FAULTS.filter(({ drawnOnly, takes }) => !drawnOnly && (full || !takes)).map(
  (fault) => [fault.name, fault] as const,
);

describe.each(generations())('on InfluxDB %s.x nothing is lost, invented or wrong after', (generation) => {
  let arena: Arena;
  let judge: Judge;
  beforeAll(async () => {
    arena = await Arena.open(generation);
    judge = new Judge(arena);
  });
  afterAll(() => arena[Symbol.asyncDispose]());

  test.each(CASES)('%s', { timeout: 300_000 }, async (_name, fault) => {
    await arena.startLoad();
    await arena.answersMore(100);
    await suffer(arena, [fault], new Random(seed));
    await arena.answersMore(50);
    const { acknowledged } = await judge.check();
    expect(acknowledged).toBeGreaterThan(150);
  });
});
