import { expect, test } from 'vitest';
import { run } from '../commands.js';
import { commandsIn } from '../notes.js';
import type { Story } from '../story.js';
import { expectAllStored } from './verdict.js';

/** All that the chart makes, but pods. */
const KINDS = 'deployments,statefulsets,services,jobs,cronjobs,pdb,networkpolicies,roles,secrets,pvc';

/** Uninstalled in the middle of its work, installed again on what stays, and removed for good. */
export function reinstall(story: () => Story): void {
  test('leaves volumes and passwords, and the next install goes on with them: nothing is lost', async () => {
    const { release } = story();
    const startedMs = Date.now();
    const load = await release.load();
    await load.answersMore(200);
    await load.stop();
    await release.helm('uninstall', 'tally', '--wait', '--timeout', '5m');
    // Pods may still be on their way out, as for a user in a hurry.
    const left = await release.kubectl('get', KINDS, '--output', 'name');
    const stores = ['redis', 'postgres', 'influxdb'];
    expect(left.split('\n').filter(Boolean).sort()).toEqual([
      ...stores.map((store) => `persistentvolumeclaim/data-tally-${store}-0`).sort(),
      ...stores.map((store) => `secret/tally-${store}`).sort(),
    ]);
    await release.install();
    const { answered, stored } = await expectAllStored(story(), 'uninstall, install', startedMs);
    expect(stored).toBeGreaterThanOrEqual(answered);
    await release.helm('test', 'tally');
  });

  test('and the last command of its notes leave nothing behind', async () => {
    const { release } = story();
    const notes = await release.helm('get', 'notes', 'tally');
    const cleaning = commandsIn(notes).at(-1) ?? '';
    await release.helm('uninstall', 'tally', '--wait', '--timeout', '5m');
    await run('bash', ['-c', cleaning]);
    expect(await release.kubectl('get', KINDS, '--output', 'name')).toBe('');
  });
}
