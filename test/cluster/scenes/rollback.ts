import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Load } from '../load.js';
import { API } from '../release.js';
import type { Story } from '../story.js';
import { expectAllStored } from './verdict.js';

/** An address of documentation, which no pod has: the new API cannot listen on it. */
const BROKEN = 'settings.HOST=192.0.2.1';

/** An upgrade whose pods never become ready, and the way back. */
export function rollback(story: () => Story): void {
  let load: Load;
  let startedMs = 0;

  beforeAll(async () => {
    startedMs = Date.now();
    load = await story().release.load();
  });
  afterAll(() => load.stop());

  test('is stopped by its first pod, and helm rollback takes it back; no request fails', async () => {
    const { release } = story();
    const { failed } = release.record;
    const failedBefore = failed.length;
    await expect(release.upgrade([BROKEN], '45s')).rejects.toThrow(/UPGRADE FAILED/);
    expect((await release.pods('api')).filter(({ ready }) => ready)).toHaveLength(2);
    await release.helm('rollback', 'tally', '--wait', '--timeout', '5m');
    await release.rolledOut();
    const host = ['--output', 'jsonpath={..env[?(@.name=="HOST")].value}'];
    expect(await release.kubectl('get', API, ...host)).toBe('0.0.0.0');
    await load.answersMore(100);
    await load.stop();
    expect(failed.slice(failedBefore)).toEqual([]);
    await expectAllStored(story(), 'broken upgrade, rollback', startedMs);
  });
}
