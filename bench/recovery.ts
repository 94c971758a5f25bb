import { setTimeout as delay } from 'node:timers/promises';
import { Bucket } from './bucket.js';
import { Child, WORKER } from './child.js';
import { makeChunks } from './operations.js';
import { atLeast, atMost, list, median, perSecond, type Figure } from './report.js';
import { onAllStores } from './stores.js';

/** One short of a batch, each in a chunk of its own: nothing makes them leave before the worker is killed. */
const IN_HAND = 499;

/** Locks are looked after every 5 s, so when a worker dies matters; the rounds spread over that. */
const PHASE_MS = 5_000;

/** From the kill of a worker with operations in hand until all of them are in InfluxDB, a second worker running. */
export async function workerKilled(quick: boolean): Promise<Figure[]> {
  const rounds = quick ? 2 : 5;
  return onAllStores('1.x', async (stores, influx) => {
    await using bucket = await Bucket.create(influx.environment);
    const environment = { ...stores.environment, ...bucket.environment };
    const seconds: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      await using killed = await Child.start(WORKER, environment);
      await stores.accept(IN_HAND, 1);
      while ((await killed.metric('tally_pending_lines')) < IN_HAND) await delay(20);
      await using second = await Child.start(WORKER, environment);
      await delay((PHASE_MS * round) / rounds);
      const started = performance.now();
      await killed.stop('SIGKILL');
      await second.during(bucket.untilStored(round * IN_HAND));
      seconds.push((performance.now() - started) / 1_000);
    }
    await stores.ledger.untilLogged();
    return [
      {
        figure: `kill -9 of a worker to all in InfluxDB, ${IN_HAND} operations in hand`,
        value: Math.max(...seconds),
        unit: 's',
        goal: atMost(15),
        detail: `the slowest of ${list(seconds, 1)} s`,
      },
    ];
  });
}

/** Instead of 90 s, which would be waited for in every round. */
const RELAY_AFTER_SECONDS = 5;

/** An idle relay has reached its longest pause between two looks after this long. */
const IDLE_MS = 8_000;

/** From FLUSHALL with a full queue until all of it is in InfluxDB, through the ledger. */
export async function redisFlushed(quick: boolean): Promise<Figure[]> {
  const rounds = quick ? 1 : 3;
  const operations = 100_000;
  return onAllStores('1.x', async (stores, influx) => {
    await using bucket = await Bucket.create(influx.environment);
    const environment = { ...stores.environment, ...bucket.environment };
    await using worker = await Child.start(WORKER, {
      ...environment,
      RELAY_AFTER: `${RELAY_AFTER_SECONDS}s`,
    });
    const seconds: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      await stores.queue.pause();
      await delay(IDLE_MS);
      await stores.accept(operations, 50, RELAY_AFTER_SECONDS * 1_000);
      const started = performance.now();
      await stores.queue.clear();
      await worker.during(bucket.untilStored(round * operations));
      seconds.push((performance.now() - started) / 1_000);
      await stores.ledger.untilLogged();
    }
    return [
      {
        figure: `FLUSHALL to all in InfluxDB, ${operations.toLocaleString('en')} operations queued`,
        value: Math.max(...seconds),
        unit: 's',
        goal: atMost(RELAY_AFTER_SECONDS + 15),
        detail: `the slowest of ${list(seconds, 1)} s, RELAY_AFTER ${RELAY_AFTER_SECONDS} s`,
      },
    ];
  });
}

/** Operations per second that one worker brings from the ledger into InfluxDB, with Redis gone for good. */
export async function redisGone(quick: boolean): Promise<Figure[]> {
  const rounds = quick ? 1 : 3;
  const operations = quick ? 100_000 : 500_000;
  return onAllStores('1.x', async (stores, influx) => {
    await stores.redis.kill();
    const figures: Figure[] = [];
    for (const size of [50, 500]) {
      const rates: number[] = [];
      for (let round = 0; round < rounds; round++) {
        await using bucket = await Bucket.create(influx.environment);
        await stores.ledger.clear();
        await stores.ledger.accept(makeChunks(operations, size), 0);
        await using worker = await Child.start(WORKER, { ...stores.environment, ...bucket.environment });
        const started = performance.now();
        await worker.during(stores.ledger.untilLogged());
        rates.push(operations / ((performance.now() - started) / 1_000));
        await worker.stop();
        await bucket.expect(operations);
      }
      figures.push({
        figure: `drained from the ledger, Redis gone, chunks of ${size}`,
        value: median(rates),
        unit: '/s',
        goal: atLeast(20_000),
        detail: `rounds ${rates.map(perSecond).join(' ')}`,
      });
    }
    return figures;
  });
}
