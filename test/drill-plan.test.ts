import { describe, expect, test } from 'vitest';
import { EVENTS, eventNamed } from '../src/drill/events.js';
import { DEFAULT_PLAN, eventsFor, readPlan } from '../src/drill/plan.js';
import { Random } from '../src/drill/clients/random.js';
import { restingStores } from '../src/drill/processes/resting-stores.js';

const read = (text: string, seed = 1) => readPlan(text, new Random(seed));

describe('a plan', () => {
  test('is events one after the other, at once, or repeated', () => {
    expect(read('roll, kill-api+kill-redis,roll-worker*2')).toEqual([
      ['roll'],
      ['kill-api', 'kill-redis'],
      ['roll-worker'],
      ['roll-worker'],
    ]);
  });

  test('scales to any number and back', async () => {
    expect(read('scale-api:5,roll')).toEqual([['scale-api:5'], ['roll']]);
    expect(() => read('scale-api:0')).toThrow('there is no event');
    const scaled: number[] = [];
    const fleet = { replicas: 13, scale: async (replicas: number) => void scaled.push(replicas) };
    await eventNamed('scale-api:5')?.run({ apis: fleet } as never);
    expect(scaled).toEqual([5, 13]);
  });

  test('of nobody is made of events that there are', () => {
    expect(
      read(DEFAULT_PLAN)
        .flat()
        .every((name) => EVENTS.has(name)),
    ).toBe(true);
  });

  test('is random by its number, and the same for the same seed', () => {
    expect(read('40')).toHaveLength(40);
    expect(read('40', 7)).toEqual(read('40', 7));
    expect(read('40', 7)).not.toEqual(read('40', 8));
  });

  test('at random has every event but those for which it must be named, and some at once', () => {
    const plan = read('400');
    const onlyNamed = new Set(['lost-answer', 'redis-alone']);
    expect(new Set(plan.flat())).toEqual(new Set([...EVENTS.keys()].filter((name) => !onlyNamed.has(name))));
    expect(read([...onlyNamed].join())).toEqual([['lost-answer'], ['redis-alone']]);
    expect(plan.some((step) => step.length === 2)).toBe(true);
  });

  test('at random harms no server that was there before', () => {
    const own = { external: false };
    const possible = eventsFor({ redis: { external: true }, postgres: own, influxdb: own });
    const names = new Set(readPlan('400', new Random(1), possible).flat());
    expect([...names].filter((name) => name.includes('redis'))).toEqual([]);
    expect(names).toContain('kill-postgres');
  });

  test('lets Redis forget nothing that Postgres missed, neither at random', () => {
    for (const [, ...others] of read('2000').filter(([first]) => first === 'flush-redis'))
      expect(others.join()).not.toContain('postgres');
    expect(() => read('flush-redis+kill-postgres')).toThrow('cannot happen at once');
  });

  test.each(['', 'rol', 'roll,,kill-api', 'roll*', 'roll*x', 'kill-api+kill-cat'])(
    'that nobody can follow is refused: "%s"',
    (text) => {
      expect(() => read(text)).toThrow('there is no event');
    },
  );

  test('with the same thing hit twice at once is refused', () => {
    expect(() => read('kill-redis+stall-redis')).toThrow('cannot happen at once');
  });
});

test('a store rests from the chunk that it did not accept until it answers again', () => {
  const failed = { msg: 'a store did not accept the chunk' };
  const back = { msg: 'a store answers again' };
  const [queue, ledger] = [{ store: 'queue' }, { store: 'ledger' }];
  expect([...restingStores([{ ...failed, ...queue }])]).toEqual(['queue']);
  const log = [queue, ledger, queue].map((store) => ({ ...failed, ...store }));
  expect([...restingStores([...log, { ...back, ...queue }])]).toEqual(['ledger']);
});
