import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { say, until } from '../commands.js';
import type { Load } from '../load.js';
import type { Story } from '../story.js';
import { expectAllStored } from './verdict.js';

/** The chaos switch, on for a while. */
export function chaos(story: () => Story, lastsMs: number): void {
  let load: Load;
  let startedMs = 0;

  beforeAll(async () => {
    startedMs = Date.now();
    load = await story().release.load();
  });
  afterAll(() => load.stop());

  test(
    'kills pods of every kind, and the audit is balanced after it',
    { timeout: lastsMs + 600_000 },
    async () => {
      const { release } = story();
      const before = release.kills.length;
      const killed = () => release.kills.slice(before).map(({ component }) => component);
      await release.upgrade(['chaos.enabled=true']);
      await delay(lastsMs);
      await until('a first kill', async () => killed().length > 0 || undefined);
      await release.upgrade(['chaos.enabled=false']);
      say(`killed: ${killed().join(', ')}`);
      await until('all ready', async () => (await release.pods()).every(({ ready }) => ready) || undefined);
      await load.answersMore(100);
      await load.stop();
      expect(killed().length).toBeGreaterThan(0);
      await expectAllStored(story(), `chaos, ${killed().length} kills`, startedMs);
    },
  );
}
