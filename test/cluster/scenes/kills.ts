import { afterAll, beforeAll, expect, test } from 'vitest';
import { say, until } from '../commands.js';
import type { Load } from '../load.js';
import { COMPONENTS } from '../pods.js';
import type { Story } from '../story.js';
import { expectAllStored } from './verdict.js';

/** Each part is killed under load, one after the other. */
export function kills(story: () => Story): void {
  let load: Load;
  let startedMs = 0;

  beforeAll(async () => {
    startedMs = Date.now();
    load = await story().release.load();
  });
  afterAll(() => load.stop());

  test.each(COMPONENTS)('kubectl delete pod --grace-period=0 --force of %s', async (component) => {
    const { release } = story();
    const { failed } = release.record;
    const failedBefore = failed.length;
    const pods = await release.pods(component);
    const [victim] = pods;
    if (!victim) throw new Error(`there is no pod of ${component}`);
    const startMs = Date.now();
    await release.kubectl('delete', 'pod', victim.name, '--grace-period=0', '--force');
    await until(`${component} is back`, async () => {
      const now = await release.pods(component);
      return now.length === pods.length && now.every(({ ready }) => ready) ? true : undefined;
    });
    const seconds = Math.round((Date.now() - startMs) / 1_000);
    await load.answersMore(100);
    say(`${component} killed: back after ${seconds} s, ${failed.length - failedBefore} requests failed`);
    expect(release.kills.at(-1)?.component).toBe(component);
  });

  test('loses nothing, counts nothing twice, and fails only what was in flight or refused', async () => {
    await load.stop();
    await expectAllStored(story(), 'kills', startedMs);
  });
}
