import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { say, until } from '../commands.js';
import type { Load } from '../load.js';
import { evict } from '../pods.js';
import { API, WORKER } from '../release.js';
import type { Story } from '../story.js';
import { expectAllStored } from './verdict.js';

/** Every kind of deploy, again and again, under one load: no request fails. */
export function deploys(story: () => Story, rounds: number): void {
  let load: Load;
  let startedMs = 0;

  beforeAll(async () => {
    startedMs = Date.now();
    load = await story().release.load();
  });
  afterAll(() => load.stop());

  for (let round = 1; round <= rounds; round++)
    describe(`round ${round}`, () => {
      noRequestFails('helm upgrade with a changed value', ({ release }) =>
        release.upgrade([
          `settings.LOG_LEVEL=${round % 2 ? 'warn' : 'info'}`,
          'worker.settings.BATCH_INTERVAL=5s',
        ]),
      );
      noRequestFails('kubectl rollout restart', async ({ release }) => {
        await release.kubectl('rollout', 'restart', API, WORKER);
        await release.rolledOut();
      });
      noRequestFails('scaling from 2 to 5 to 2', async (now) => {
        for (const replicas of [5, 2]) await scale(now, replicas);
      });
      noRequestFails('evicting every pod of API and worker', evictAll);
    });

  test('all that was answered is stored once, and InfluxDB counts as many', async () => {
    const { release } = story();
    await load.stop();
    const { acknowledged, requests } = release.record;
    const findings = await expectAllStored(story(), `${rounds} rounds of deploys`, startedMs);
    expect(acknowledged.size).toBe(requests);
    expect(findings.stored).toBe(acknowledged.size);
    // Beside the load there are those few that were typed by hand.
    const { total } = await release.tally<{ total: number }>('count');
    expect(total).toBe((await release.stored()).length);
  });

  function noRequestFails(what: string, deploy: (now: Story) => Promise<unknown>): void {
    test(`${what} fails no request`, async () => {
      const { record } = story().release;
      const before = { ...countsOf(record), atMs: Date.now() };
      await deploy(story());
      await load.answersMore(100);
      const seconds = Math.round((Date.now() - before.atMs) / 1_000);
      say(`${what}: ${record.requests - before.requests} requests in ${seconds} s`);
      expect(record.failed).toEqual([]);
    });
  }
}

const countsOf = ({ requests }: { readonly requests: number }) => ({ requests });

async function scale({ release }: Story, replicas: number): Promise<void> {
  await release.kubectl('scale', API, WORKER, `--replicas=${replicas}`);
  await release.rolledOut();
  await until(`${replicas} pods each`, async () => {
    const pods = [...(await release.pods('api')), ...(await release.pods('worker'))];
    return pods.length === 2 * replicas && pods.every(({ ready, leaving }) => ready && !leaving)
      ? true
      : undefined;
  });
}

/** As `kubectl drain` does it: asks for all at once, and again for those that the budgets hold. */
async function evictAll({ release }: Story): Promise<void> {
  let waiting = [...(await release.pods('api')), ...(await release.pods('worker'))].map(({ name }) => name);
  const all = waiting.length;
  let held = 0;
  await until('all evicted', async () => {
    const left: string[] = [];
    for (const name of waiting) if (!(await evict(release.namespace, name))) left.push(name);
    held += left.length;
    waiting = left;
    return waiting.length === 0 || undefined;
  });
  say(`${all} evicted, ${held} times held back`);
  expect(held).toBeGreaterThan(0);
  await release.rolledOut();
}
