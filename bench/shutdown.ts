import { setTimeout as delay } from 'node:timers/promises';
import { Bucket } from './bucket.js';
import { Child, WORKER } from './child.js';
import { atMost, list, type Figure } from './report.js';
import { onAllStores } from './stores.js';

/** One short of a batch, each in a chunk of its own: nothing but the drain can make them leave. */
const IN_HAND = 499;

/** From SIGTERM to the exit of a worker with operations in hand, all of which it stores. */
export async function shutdown(quick: boolean): Promise<Figure[]> {
  const rounds = quick ? 3 : 7;
  return onAllStores('1.x', async (stores, influx) => {
    await using bucket = await Bucket.create(influx.environment);
    const seconds: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      await using worker = await Child.start(WORKER, { ...stores.environment, ...bucket.environment });
      await stores.accept(IN_HAND, 1);
      while ((await worker.metric('tally_pending_lines')) < IN_HAND) await delay(20);
      const ending = await worker.stop();
      if (ending.code !== 0) throw new Error(`the worker ended with code ${ending.code}`);
      await bucket.expect(round * IN_HAND);
      await stores.ledger.expect(round * IN_HAND);
      seconds.push(ending.seconds);
    }
    return [
      {
        figure: `SIGTERM to exit of a worker, ${IN_HAND} operations in hand`,
        value: Math.max(...seconds),
        unit: 's',
        goal: atMost(1),
        detail: `the slowest of ${list(seconds)} s`,
      },
    ];
  });
}
