import { setTimeout as delay } from 'node:timers/promises';
import { Bucket } from './bucket.js';
import { API, Child, peer } from './child.js';
import { load } from './load.js';
import { atLeast, list, median, medianRatio, perSecond, ratio, type Figure, type Goal } from './report.js';
import { onAllStores } from './stores.js';

const SHAPE = { connections: 200, threads: 1 };

/** Until pages that were opened or closed are on their way, or forgotten. */
const SETTLED_MS = 1_000;

/** Requests per second in each round. */
interface Rates {
  readonly watched: number[];
  readonly alone: number[];
  readonly without: number[];
}

/**
 * Requests per second of `POST /sum` with ten live pages open and metrics scraped every second over the same API with
 * none; and of that over one without a live page. Servers run at the same time, and are loaded in turns.
 */
export async function live(quick: boolean): Promise<Figure[]> {
  return onAllStores('1.x', async (stores, influx) => {
    await using bucket = await Bucket.create(influx.environment);
    const environment = { ...stores.environment, ...bucket.environment };
    await using shown = await Child.start(API, { ...environment, LIVE_PAGE: 'true' });
    await using hidden = await Child.start(API, environment);
    const seconds = quick ? 2 : 4;
    const rates: Rates = { watched: [], alone: [], without: [] };
    const rate = async ({ port }: Child) => (await load({ port, ...SHAPE, seconds })).requestsPerSecond;
    const turns = [
      async () => rates.watched.push(await watched(shown, () => rate(shown))),
      async () => rates.alone.push(await rate(shown)),
      async () => rates.without.push(await rate(hidden)),
    ];
    for (const child of [shown, hidden]) await rate(child);
    for (let round = 0; round < (quick ? 2 : 8); round++) {
      // Who goes first changes, so that what slows the machine down over time hits all.
      for (const turn of [...turns.slice(round % 3), ...turns.slice(0, round % 3)]) {
        await stores.clear(); // a backlog that no worker takes would grow from turn to turn
        await delay(SETTLED_MS);
        await turn();
      }
    }
    return [
      figure('ten live pages and a scrape a second ÷ none', rates.watched, rates.alone, atLeast(0.97)),
      figure('LIVE_PAGE=true, nobody watches ÷ LIVE_PAGE=false', rates.alone, rates.without),
    ];
  });
}

/** @throws when a page's stream broke, or told nothing: then the rate is not one of ten pages. */
async function watched<T>(api: Child, work: () => Promise<T>): Promise<T> {
  await using pages = await Child.start([...peer('live-pages'), String(api.port), String(api.adminPort)], {});
  await delay(SETTLED_MS);
  const result = await work();
  const { code } = await pages.stop();
  if (code !== 0) throw new Error('a live page was cut off');
  return result;
}

function figure(what: string, over: readonly number[], under: readonly number[], goal?: Goal): Figure {
  const each = over.map((rate, round) => rate / (under[round] ?? NaN));
  const detail = `${perSecond(median(over))} ÷ ${perSecond(median(under))}; rounds ${list(each)}`;
  return ratio(`requests/s, ${what}`, medianRatio(over, under), detail, goal);
}
