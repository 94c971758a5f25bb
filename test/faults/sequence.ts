import { setTimeout as delay } from 'node:timers/promises';
import type { Arena } from './arena.js';
import { CATCHING_UP_MS, FAULTS, type Fault } from './faults.js';
import type { Random } from '../../src/drill/clients/random.js';

const DRAWN = FAULTS.filter(({ takes }) => takes !== 'endless');

/** One in so many rounds has a second fault beside the first. */
const SECOND_IN = 3;

/** Whether two faults may be there at the same time. */
function mayCoincide(one: Fault, other: Fault): boolean {
  if (one.hits.some((part) => other.hits.includes(part))) return false;
  const both = [one, other];
  // What both stores lose together is lost: Redis never forgets while Postgres is away.
  return !(both.some(({ forgets }) => forgets) && both.some(({ hits }) => hits.includes('postgres')));
}

/** The faults of one round: one, or two that may coincide. */
export function draw(random: Random): readonly Fault[] {
  const first = random.pick(DRAWN);
  const others = DRAWN.filter((other) => mayCoincide(first, other));
  if (random.between(1, SECOND_IN) > 1 || others.length === 0) return [first];
  const second = random.pick(others);
  // What forgets comes first: the ledger could not catch up while the other lasts.
  return second.forgets ? [second, first] : [first, second];
}

/** Injects faults one after the other at moments that `random` decides, lets them last and heals them all. */
export async function suffer(arena: Arena, faults: readonly Fault[], random: Random): Promise<void> {
  try {
    for (const fault of faults) {
      await delay(random.between(0, 500));
      // Nor before the ledger knows of all that Redis alone was given while Postgres was away.
      if (fault.forgets && !(await arena.ledgerCatchesUp(CATCHING_UP_MS)))
        throw new Error('the ledger does not catch up');
      await fault.inject(arena, random);
      await delay(random.between(...fault.lasts));
    }
  } finally {
    for (const fault of faults) await fault.heal(arena);
  }
}
