import { API, Child, peer } from './child.js';
import { load, type LoadOptions, type LoadResult } from './load.js';
import { atLeast, atMost, list, median, medianRatio, perSecond, ratio, type Figure } from './report.js';
import { BenchQueue } from './queue.js';
import { environmentOf, openRedis } from './stores.js';

interface Round {
  readonly tally: LoadResult;
  readonly unlogged: LoadResult;
}

/**
 * Requests per second and p99 of `POST /sum` with durable acceptance, over the same server without logging; and of the
 * plain way, one job per operation. All servers run all the time, and are loaded one after the other, in turns.
 */
export async function acceptance(quick: boolean): Promise<Figure[]> {
  const seconds = quick ? 2 : 3;
  const rounds = quick ? 3 : 5;
  await using redis = await openRedis();
  const environment = environmentOf(redis);
  await using unlogged = await Child.start(peer('unlogged-api'), environment);
  await using tally = await Child.start(API, environment);
  await using plain = await Child.start(peer('plain-api'), environment);
  await using queue = new BenchQueue(environment);

  for (const { port } of [unlogged, tally, plain])
    await load({ port, connections: 200, threads: 1, seconds });
  const measure = async (shape: Pick<LoadOptions, 'connections' | 'threads'>): Promise<Round[]> => {
    const measured: Round[] = [];
    for (let round = 0; round < rounds; round++) {
      await queue.clear();
      // Who goes first changes, so that what slows the machine down over time hits both.
      const inOrder = round % 2 === 0 ? [tally, unlogged] : [unlogged, tally];
      const results = new Map<Child, LoadResult>();
      for (const child of inOrder) results.set(child, await load({ port: child.port, ...shape, seconds }));
      measured.push({ tally: resultOf(results, tally), unlogged: resultOf(results, unlogged) });
    }
    return measured;
  };
  const few = await measure({ connections: 50, threads: 1 });
  const many = await measure({ connections: 200, threads: 1 });
  const twoThreads = quick ? [] : await measure({ connections: 200, threads: 2 });
  await queue.clear();
  const one = await load({ port: plain.port, connections: 200, threads: 1, seconds });
  await queue.clear();
  const base = median(many.map((round) => round.unlogged.requestsPerSecond));
  return [
    rates('requests/s ÷ without logging, 50 connections', few),
    rates('requests/s ÷ without logging, 200 connections', many),
    ...(quick ? [] : [rates('requests/s ÷ without logging, 200 connections, 2 threads of wrk', twoThreads)]),
    ratio(
      'requests/s ÷ without logging: one job per operation',
      one.requestsPerSecond / base,
      perSecond(one.requestsPerSecond),
    ),
    tails('p99 ÷ without logging, 200 connections', many),
  ];
}

function rates(figure: string, rounds: readonly Round[]): Figure {
  const over = rounds.map(({ tally }) => tally.requestsPerSecond);
  const under = rounds.map(({ unlogged }) => unlogged.requestsPerSecond);
  const each = over.map((value, index) => value / (under[index] ?? NaN));
  const detail = `${perSecond(median(over))} ÷ ${perSecond(median(under))}; rounds ${list(each)}`;
  return ratio(figure, medianRatio(over, under), detail, atLeast(0.9));
}

function tails(figure: string, rounds: readonly Round[]): Figure {
  const over = rounds.map(({ tally }) => tally.p99Ms);
  const under = rounds.map(({ unlogged }) => unlogged.p99Ms);
  const detail = `${list(over, 1)} ms ÷ ${list(under, 1)} ms`;
  return ratio(figure, medianRatio(over, under), detail, atMost(1.5));
}

function resultOf(results: ReadonlyMap<Child, LoadResult>, child: Child): LoadResult {
  const result = results.get(child);
  if (!result) throw new Error('a server was not measured');
  return result;
}
