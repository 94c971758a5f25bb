import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../latch.js';
import { openBrowser, visit } from './browser.js';
import { instance, point, Telling } from './telling.js';

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

/** Whatever of it ran would end in an error or a change of the title. */
const HOSTILE = `"><img src=x onerror="document.title='run'"><script>document.title='run'</script>`;

/** In the browser: while its next question is on its way, nothing else happens for two seconds. */
const STAND_STILL = `new Promise((resolve) => {
  const ask = fetch;
  fetch = (...question) => {
    fetch = ask;
    const answer = ask(...question);
    for (const until = Date.now() + 2_000; Date.now() < until;);
    resolve();
    return answer;
  };
})`;

const states = (page: Page) =>
  page
    .locator('tbody tr')
    .evaluateAll((rows) => rows.map(({ dataset: { instance: name, state } }) => `${name} ${state}`));

/** A number of the legend under what is seen from outside. */
const legend = async (page: Page, name: string) =>
  Number(await page.locator('.outside .legend li', { hasText: name }).locator('b').textContent());

/** Resolves when the page has asked for a while, and knows whose answers those are. */
const hasAsked = (page: Page) =>
  until(
    async () =>
      (await page.locator('.outside .legend li').count()) === 3 && (await legend(page, '1.2.3')) > 4,
  );

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

describe('what is told', () => {
  test('is shown as text and runs nothing, whatever it is', async () => {
    await using telling = await Telling.open({
      state: {
        at: Date.now(),
        servedBy: HOSTILE,
        totals: null,
        audit: null,
        completeAt: null,
        instances: [instance(HOSTILE, { version: HOSTILE, commit: HOSTILE })],
        away: [HOSTILE],
      },
      quarantine: {
        total: 1,
        lines: [
          {
            id: 1,
            chunk: HOSTILE,
            line: HOSTILE,
            reason: HOSTILE,
            status: 400,
            refusedAt: new Date().toISOString(),
          },
        ],
      },
    });
    await using visited = await visit(browser, telling.port);
    const { page, faults } = visited;
    await page.locator('.refused .reason').waitFor();
    expect(await page.locator('.refused .reason').textContent()).toBe(HOSTILE);
    expect(await page.locator('.refused code').textContent()).toBe(HOSTILE);
    expect(await page.locator('tbody .who b').textContent()).toBe(HOSTILE);
    expect(await page.locator('.away').textContent()).toBe(`Away: ${HOSTILE}`);
    expect(await page.locator('.top').textContent()).toContain(HOSTILE);
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.locator('script').count()).toBe(1);
    expect(await page.title()).toBe('Tally, live');
    expect(await page.context().cookies()).toEqual([]);
    expect(faults).toEqual([]);
  });

  test('is marked as not live when nothing comes any more, and live again when it does', async () => {
    const telling = await Telling.open();
    await using visited = await visit(browser, telling.port);
    const { page } = visited;
    await page.locator('body[data-stream=live]').waitFor();
    await telling[Symbol.asyncDispose]();
    await page.locator('body[data-stream=away]').waitFor();
    expect(await page.locator('.stream').textContent()).toMatch(/^▲ No data: all below is of \d\d:\d\d:\d\d/);
  });

  test('comes from the next server as soon as one says that it drains', async () => {
    await using telling = await Telling.open();
    await using visited = await visit(browser, telling.port);
    const { page } = visited;
    await page.locator('body[data-stream=live]').waitFor();
    telling.tell('moving', {});
    await until(() => telling.asked === 2 && telling.streams === 1);
    expect(await page.locator('.stream').textContent()).toBe('● Live');
  });

  test('of instances is kept when another server knows nothing of them, and who is not told of any more is gone', async () => {
    const state = { at: Date.now(), servedBy: 'told', totals: null, audit: null, completeAt: null, away: [] };
    const [one, other] = [instance('one'), instance('other')];
    await using telling = await Telling.open({ state: { ...state, instances: [one, other] } });
    await using visited = await visit(browser, telling.port);
    const { page } = visited;
    await page.locator('tr[data-instance=other][data-state=ready]').waitFor();
    const ticking = setInterval(
      () => telling.tell('state', { ...state, at: Date.now(), instances: [one] }),
      500,
    );
    await page.locator('tr[data-instance=other][data-state=gone]').waitFor();
    clearInterval(ticking);
    expect(await states(page)).toEqual(['one ready', 'other gone']);
  });

  test('missing operations are red, and none are green', async () => {
    const audit = {
      at: Date.now(),
      balanced: true,
      accepted: 5,
      logged: 5,
      quarantined: 0,
      dropped: 0,
      pending: 0,
    };
    const totals = { at: Date.now(), accepted: 5, logged: 5, quarantined: 0, dropped: 0, pending: 0 };
    const state = {
      ...{ at: Date.now(), servedBy: 'told', completeAt: Date.now(), instances: [], away: [] },
      totals: { ...totals, oldestPendingSeconds: 0 },
    };
    await using telling = await Telling.open({
      state: { ...state, audit: { ...audit, missing: 0, extra: 0 } },
    });
    await using visited = await visit(browser, telling.port);
    const { page } = visited;
    await page.locator('.missing[data-state=good]').waitFor();
    expect(await page.locator('.missing .value').textContent()).toBe('0');
    expect(await page.locator('.totals .verdict').textContent()).toMatch(
      /^Everything accepted is logged, as of /,
    );
    const at = new Date(2026, 0, 1, 12, 30, 45).getTime();
    telling.tell('state', {
      ...state,
      audit: { ...audit, missing: 0, extra: 0 },
      totals: { ...totals, at, accepted: 7, pending: 2, oldestPendingSeconds: 5.2 },
    });
    const onTheWay = '2 operations on the way to InfluxDB. Everything accepted until 12:30:39 is logged.';
    await page.getByText(onTheWay, { exact: true }).waitFor();
    telling.tell('state', {
      ...state,
      audit: { ...audit, balanced: false, logged: 2, missing: 3, extra: 0 },
    });
    await page.locator('.missing[data-state=bad]').waitFor();
    expect(await page.locator('.missing .value').textContent()).toBe('3');
    expect(await page.locator('.totals .verdict').textContent()).toMatch(/3 operations missing/);
  });
});

describe('the page', () => {
  test('has everything within the width of a phone, however long the names are', async () => {
    const long = `tally-api-7d9f8b6c5d-x2x4q-${'abcdefgh'.repeat(8)}`;
    const at = Date.now();
    await using telling = await Telling.open({
      crash: true,
      points: Array.from({ length: 300 }, (_, second) => point(at - second * 1_000, { answered: 123_456 })),
      state: {
        ...{ at, servedBy: long, audit: null, completeAt: at, away: ['queue', 'ledger', 'influxdb'] },
        totals: {
          ...{ at, accepted: 123_456_789, logged: 123_456_789, quarantined: 123_456, dropped: 9_999_999 },
          ...{ pending: 123_456_789, oldestPendingSeconds: 86_400 },
        },
        instances: [instance(long, { accepted: 123_456_789, refused: 123_456, commit: long })],
      },
      quarantine: {
        total: 1,
        lines: [
          {
            id: 1,
            chunk: long,
            line: long.repeat(20),
            reason: long,
            status: 400,
            refusedAt: new Date(at).toISOString(),
          },
        ],
      },
    });
    await using visited = await visit(browser, telling.port, PHONE);
    const { page, faults } = visited;
    await page.locator('.refused .reason').waitFor();
    const width = await page.evaluate<number>('document.documentElement.scrollWidth');
    expect(width).toBe(PHONE.viewport.width);
    const scrolled = `(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector('.scroll'))`;
    expect(await page.evaluate<number>(scrolled)).toBe(0);
    expect(faults).toEqual([]);
  });

  test('stops asking when told to, and goes on when told to', async () => {
    await using telling = await Telling.open();
    await using visited = await visit(browser, telling.port);
    const { page } = visited;
    await hasAsked(page);
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('Paused', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Go on' }).click();
    const before = await legend(page, '1.2.3');
    await until(async () => (await legend(page, '1.2.3')) > before);
  });

  test('counts no gap for a time in which it stood still itself', async () => {
    await using telling = await Telling.open();
    await using visited = await visit(browser, telling.port);
    const { page } = visited;
    await hasAsked(page);
    await page.evaluate(STAND_STILL);
    const before = await legend(page, '1.2.3');
    await until(async () => (await legend(page, '1.2.3')) > before + 4);
    expect(await legend(page, 'gaps over 1 s')).toBe(0);
    expect(await legend(page, 'errors')).toBe(0);
  });
});
