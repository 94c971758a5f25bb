import type { Store } from '../src/drill/stores/store.js';
import { API, Child, peer } from './child.js';
import { load, type LoadOptions, type LoadResult } from './load.js';
import { atLeast, atMost, list, median, medianRatio, perSecond, ratio, type Figure } from './report.js';
import { onAcceptingStores, type AcceptingStores } from './stores.js';

interface Round {
  readonly tally: LoadResult;
  readonly unlogged: LoadResult;
}

type Shape = Pick<LoadOptions, 'connections' | 'threads'>;

const FEW: Shape = { connections: 50, threads: 1 };
const MANY: Shape = { connections: 200, threads: 1 };
const TWO_THREADS: Shape = { connections: 200, threads: 2 };

/** Until the API leaves a store alone that was stopped. */
const NOTICE_SECONDS = 2;

/**
 * Requests per second and p99 of `POST /sum` with acceptance by queue and ledger, over the same server without logging;
 * with one of the two away; and of the plain way, one job per operation. Servers that are compared run at the same
 * time, and are loaded one after the other, in turns.
 */
export async function acceptance(quick: boolean): Promise<Figure[]> {
  return onAcceptingStores((stores) => new AcceptanceBench(stores, quick).measure());
}

class AcceptanceBench {
  readonly #stores: AcceptingStores;
  readonly #quick: boolean;
  readonly #seconds: number;

  constructor(stores: AcceptingStores, quick: boolean) {
    this.#stores = stores;
    this.#quick = quick;
    this.#seconds = quick ? 2 : 3;
  }

  async measure(): Promise<Figure[]> {
    const { redis, postgres, environment } = this.#stores;
    await using unlogged = await Child.start(peer('unlogged-api'), environment);
    await this.#warm(unlogged);
    const both = await this.#bothThere(unlogged);
    const ledgerAlone = await this.#away(redis, 'the ledger alone, Redis away', 0.8, unlogged);
    const queueAlone = await this.#away(postgres, 'the queue alone, Postgres away', 0.9, unlogged);
    return [...both, ...ledgerAlone, ...queueAlone];
  }

  async #bothThere(unlogged: Child): Promise<Figure[]> {
    const { environment } = this.#stores;
    await using tally = await Child.start(API, environment);
    await using plain = await Child.start(peer('plain-api'), environment);
    await this.#warm(tally);
    await this.#warm(plain);
    const few = await this.#rounds(tally, unlogged, FEW);
    const many = await this.#rounds(tally, unlogged, MANY);
    const twoThreads = this.#quick ? [] : await this.#rounds(tally, unlogged, TWO_THREADS);
    const inBoth = await this.#partInBoth(tally);
    await this.#stores.clear();
    const one = await load({ port: plain.port, ...MANY, seconds: this.#seconds });
    await this.#stores.clear();
    const base = median(many.map((round) => round.unlogged.requestsPerSecond));
    return [
      rates('50 connections', few),
      rates('200 connections', many),
      ...(this.#quick ? [] : [rates('200 connections, 2 threads of wrk', twoThreads)]),
      withNote(rates('queue and ledger, all rounds', [...few, ...many, ...twoThreads], 0.85), inBoth),
      ratio(
        'requests/s ÷ without logging: one job per operation',
        one.requestsPerSecond / base,
        perSecond(one.requestsPerSecond),
      ),
      tails('queue and ledger', many),
    ];
  }

  /** A store that misses its deadline is left alone for a while, and the figure is then not one of both. */
  async #partInBoth(tally: Child): Promise<string> {
    const chunks = await tally.metric('tally_chunk_operations_count');
    const { queue, ledger } = this.#stores;
    const [queued, recorded] = await Promise.all([queue.chunks(), ledger.chunks()]);
    return `${((100 * (queued + recorded - chunks)) / chunks).toFixed(1)} % of chunks in both`;
  }

  /** The store ends while the server runs, as it would. */
  async #away(store: Store, under: string, goal: number, unlogged: Child): Promise<Figure[]> {
    await using tally = await Child.start(API, this.#stores.environment);
    await this.#warm(tally);
    await store.stop();
    await load({ port: tally.port, ...MANY, seconds: NOTICE_SECONDS });
    const few = await this.#rounds(tally, unlogged, FEW);
    const many = await this.#rounds(tally, unlogged, MANY);
    await store.start();
    await this.#stores.clear();
    return [rates(`${under}, 50 and 200 connections`, [...few, ...many], goal), tails(under, many)];
  }

  #warm({ port }: Child): Promise<LoadResult> {
    return load({ port, ...MANY, seconds: this.#seconds });
  }

  async #rounds(tally: Child, unlogged: Child, shape: Shape): Promise<Round[]> {
    const measured: Round[] = [];
    for (let round = 0; round < (this.#quick ? 2 : 5); round++) {
      // Who goes first changes, so that what slows the machine down over time hits both.
      const inOrder = round % 2 === 0 ? [tally, unlogged] : [unlogged, tally];
      const results = new Map<Child, LoadResult>();
      for (const child of inOrder)
        results.set(child, await load({ port: child.port, ...shape, seconds: this.#seconds }));
      measured.push({ tally: resultOf(results, tally), unlogged: resultOf(results, unlogged) });
    }
    return measured;
  }
}

function rates(under: string, rounds: readonly Round[], goal?: number): Figure {
  const logged = rounds.map(({ tally }) => tally.requestsPerSecond);
  const unlogged = rounds.map((round) => round.unlogged.requestsPerSecond);
  const each = logged.map((value, index) => value / (unlogged[index] ?? NaN));
  const detail = `${perSecond(median(logged))} ÷ ${perSecond(median(unlogged))}; rounds ${list(each)}`;
  return ratio(
    `requests/s ÷ without logging, ${under}`,
    medianRatio(logged, unlogged),
    detail,
    goal === undefined ? undefined : atLeast(goal),
  );
}

const withNote = (figure: Figure, note: string): Figure => ({
  ...figure,
  detail: `${figure.detail}; ${note}`,
});

function tails(under: string, rounds: readonly Round[]): Figure {
  const over = rounds.map(({ tally }) => tally.p99Ms);
  const base = rounds.map(({ unlogged }) => unlogged.p99Ms);
  const detail = `${list(over, 1)} ms ÷ ${list(base, 1)} ms`;
  return ratio(
    `p99 ÷ without logging, ${under}, 200 connections`,
    medianRatio(over, base),
    detail,
    atMost(1.5),
  );
}

function resultOf(results: ReadonlyMap<Child, LoadResult>, child: Child): LoadResult {
  const result = results.get(child);
  if (!result) throw new Error('a server was not measured');
  return result;
}
