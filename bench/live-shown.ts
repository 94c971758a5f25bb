import type { Page } from 'playwright-core';
import { openBrowser, visit } from '../test/browser/browser.js';
import { Bucket } from './bucket.js';
import { API, Child } from './child.js';
import { atMost, list, type Figure } from './report.js';
import { onAllStores } from './stores.js';

/** From the answer to `POST /sum` until the live page, open in a real browser, shows one more accepted operation. */
export async function liveShown(quick: boolean): Promise<Figure[]> {
  const rounds = quick ? 5 : 20;
  return onAllStores('1.x', async (stores, influx) => {
    await using bucket = await Bucket.create(influx.environment);
    const environment = { ...stores.environment, ...bucket.environment, LIVE_PAGE: 'true' };
    await using api = await Child.start(API, environment);
    const browser = await openBrowser();
    try {
      await using visited = await visit(browser, api.port);
      // Its own sums would be shown as well.
      await visited.page.getByRole('button', { name: 'Pause' }).click();
      await accept(api.port);
      await shows(visited.page, await api.metric('tally_operations_total'));
      const seconds: number[] = [];
      for (let round = 0; round < rounds; round++) {
        await accept(api.port);
        const answered = performance.now();
        await shows(visited.page, await api.metric('tally_operations_total'));
        seconds.push((performance.now() - answered) / 1_000);
      }
      return [
        {
          figure: 'accepted → shown on the live page',
          value: Math.max(...seconds),
          unit: 's',
          goal: atMost(1.5),
          detail: `the slowest of ${list(seconds)} s`,
        },
      ];
    } finally {
      await browser.close();
    }
  });
}

async function accept(port: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/sum`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{"numbers":[1,2,3,4]}',
  });
  if (answer.status !== 200) throw new Error(`a sum was answered with ${answer.status}`);
  await answer.arrayBuffer();
}

async function shows(page: Page, accepted: number): Promise<void> {
  await page.locator('.accepted .value', { hasText: new RegExp(`^${accepted}$`) }).waitFor();
}
