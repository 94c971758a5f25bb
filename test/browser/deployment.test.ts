import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../src/drill/clients/random.js';
import { until } from '../latch.js';
import { openServers, type Servers } from '../system/scene.js';
import { openBrowser, visit } from './browser.js';
import { CHAOS_TOKEN, Deployment } from './deployment.js';

/** As a fleet names what it starts with, and what a rolling update brings. */
const [OLD, NEW] = ['release-1', 'release-2'];

let servers: Servers;
let browser: Browser;
beforeAll(async () => {
  [servers, browser] = await Promise.all([openServers(), openBrowser()]);
});
afterAll(() => Promise.all([browser.close(), servers[Symbol.asyncDispose]()]));

const number = async (page: Page, selector: string) =>
  Number((await page.locator(selector).textContent())?.replaceAll(',', ''));

/** What the page counted of the answers from outside: of a version, or errors or gaps. */
const outside = async (page: Page, name: string) => {
  const entry = page.locator('.outside .legend li', { hasText: name });
  return (await entry.count()) === 0
    ? 0
    : Number((await entry.locator('b').textContent())?.replaceAll(',', ''));
};

const states = async (page: Page, name: string) =>
  (await page.locator(`tr[data-instance="${name}"]`).getAttribute('data-state')) ?? '';

/** Resolves when the page has seen so many processes live. */
const seen = (page: Page, processes: number) =>
  until(async () => (await page.locator('tbody tr[data-state=ready]').count()) === processes);

const pause = (page: Page) => page.getByRole('button', { name: 'Pause' }).click();

const send = (port: number) =>
  fetch(`http://127.0.0.1:${port}/sum`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{"numbers":[1,2]}',
  });

describe('the live page', () => {
  test('comes to the true counts, and says that everything accepted is logged', async () => {
    await using deployment = await Deployment.open(servers, 2);
    await using visited = await visit(browser, deployment.port);
    const { page, faults } = visited;
    await until(async () => (await outside(page, OLD)) > 8);
    await pause(page);
    const answers = await Promise.all(Array.from({ length: 100 }, () => send(deployment.port)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    await page.locator('.totals .verdict[data-state=good]').waitFor();
    await until(async () => {
      const stored = await deployment.scene.count();
      const shown = [await number(page, '.accepted .value'), await number(page, '.logged .value')];
      return stored > 104 && shown.every((value) => value === stored);
    });
    expect(await number(page, '.pending .value')).toBe(0);
    expect(await number(page, '.missing .value')).toBe(0);
    expect(await page.locator('tbody tr[data-state=ready]').count()).toBe(3);
    expect(faults).toEqual([]);
  });

  test('shows both versions of a rolling update, and then the new one alone, without an error', async () => {
    await using deployment = await Deployment.open(servers, 2);
    await using visited = await visit(browser, deployment.port);
    const { page, faults } = visited;
    await until(async () => (await outside(page, OLD)) > 8);
    await seen(page, 3);
    const old = deployment.apis.running.map(({ instance }) => instance);
    await deployment.apis.roll();
    await until(async () => (await outside(page, NEW)) > 8);
    for (const name of old) await until(async () => /^(stopped|gone)$/.test(await states(page, name)));
    const before = { old: await outside(page, OLD), new: await outside(page, NEW) };
    await until(async () => (await outside(page, NEW)) > before.new + 8);
    expect(await outside(page, OLD)).toBe(before.old);
    expect([await outside(page, 'errors'), faults]).toEqual([0, []]);
    const ready = page.locator('tbody tr[data-state=ready]', { hasText: 'API' });
    expect(await ready.locator('.who .small-print').allTextContents()).toEqual(
      deployment.apis.running.map(() => expect.stringContaining(NEW) as string),
    );
  });

  test('shows an instance that was killed as gone', async () => {
    await using deployment = await Deployment.open(servers, 2);
    await using visited = await visit(browser, deployment.port);
    const { page } = visited;
    await seen(page, 3);
    const { instance, replaced } = await deployment.apis.kill(new Random(1));
    await replaced;
    await until(async () => (await states(page, instance)) === 'gone');
    expect(await page.locator(`tr[data-instance="${instance}"] .state b`).textContent()).toBe('✕ gone');
  });

  test('shows that nobody answers, as errors and as a stream that is away, and comes back', async () => {
    await using deployment = await Deployment.open(servers, 1);
    await using visited = await visit(browser, deployment.port);
    const { page } = visited;
    await until(async () => (await outside(page, OLD)) > 2);
    await deployment.apis.scale(0);
    await until(async () => (await outside(page, 'errors')) > 2);
    await page.locator('body[data-stream=away]').waitFor();
    expect(await page.locator('.detail').textContent()).toMatch(/no connection, or it broke/);
    await deployment.apis.scale(1);
    await page.locator('body[data-stream=live]').waitFor();
    const before = await outside(page, OLD);
    await until(async () => (await outside(page, OLD)) > before);
  });

  test('crashes one instance for who knows CHAOS_TOKEN, and none for who does not', async () => {
    await using deployment = await Deployment.open(servers, 3);
    await using visited = await visit(browser, deployment.port);
    const { page, faults } = visited;
    await seen(page, 4);
    const crash = async (token: string) => {
      await page.getByLabel('CHAOS_TOKEN').fill(token);
      await page.getByRole('button', { name: 'Crash the instance that answers' }).click();
    };
    await crash('another-token-of-16');
    await page.getByText('That is not CHAOS_TOKEN').waitFor();
    expect(deployment.apis.ended).toEqual([]);
    await until(async () => {
      await crash(CHAOS_TOKEN);
      await page.locator('.crash .said', { hasText: /crashed|once a second|no answer/ }).waitFor();
      return (await page.locator('.crash .said').textContent())?.includes('crashed') === true;
    });
    await until(() => deployment.apis.ended.length > 0 && deployment.apis.running.length === 3);
    expect(deployment.apis.ended.map(({ ending }) => ending.signal)).toEqual(['SIGKILL']);
    const [ended] = deployment.apis.ended;
    await until(async () => (await states(page, ended?.instance ?? '')) === 'gone');
    expect(await page.content()).not.toContain(CHAOS_TOKEN);
    expect(faults).toEqual([]);
  });
});

describe('the form of the live page', () => {
  test('follows an operation from accepted to logged', async () => {
    await using deployment = await Deployment.open(servers, 1);
    await using visited = await visit(browser, deployment.port);
    const { page } = visited;
    await page.getByLabel('Numbers').fill('20, 22');
    await page.getByRole('button', { name: 'Sum them' }).click();
    await page.getByText('The sum is 42.').waitFor();
    await page.locator('.steps li', { hasText: /^accepted by / }).waitFor();
    await page.locator('.steps li', { hasText: /^logged after / }).waitFor();
    const id = await page.locator('.followed code').textContent();
    const found = await fetch(`http://127.0.0.1:${deployment.port}/operations/${id}`);
    expect(await found.json()).toMatchObject({ result: 42, state: 'logged' });
  });

  test('shows a hostile X-Request-Id as text, and why numbers are refused', async () => {
    await using deployment = await Deployment.open(servers, 1);
    await using visited = await visit(browser, deployment.port);
    const { page, faults } = visited;
    const hostile = `<img src=x onerror="document.title='run'">`;
    await page.getByLabel('Request id').fill(hostile);
    await page.getByRole('button', { name: 'Sum them' }).click();
    await page.getByText(`The request id ${hostile} is not allowed`).waitFor();
    await page.getByLabel('Numbers').fill(`1, ${hostile}`);
    await page.getByRole('button', { name: 'Sum them' }).click();
    await page.locator('.said[data-state=bad]', { hasText: '<img' }).waitFor();
    await page.getByLabel('Numbers').fill('1e308, 1e308');
    await page.getByRole('button', { name: 'Sum them' }).click();
    await page.getByText('Not accepted: 400 The sum overflows').waitFor();
    expect([await page.locator('img').count(), await page.title(), faults]).toEqual([0, 'Tally, live', []]);
  });
});
