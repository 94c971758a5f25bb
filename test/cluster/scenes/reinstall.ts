import { expect, test } from 'vitest';
import { run } from '../commands.js';
import { commandsIn } from '../notes.js';
import type { Story } from '../story.js';
import { expectAllStored } from './verdict.js';

/** Uninstalled in the middle of its work, installed again on what stays, and removed for good. */
export function reinstall(story: () => Story): void {
  test('leaves volumes and passwords, and the next install goes on with them: nothing is lost', async () => {
    const { release } = story();
    const startedMs = Date.now();
    const load = await release.load();
    await load.answersMore(200);
    await load.stop();
    await release.helm('uninstall', 'tally', '--wait', '--timeout', '5m');
    const left = await release.kubectl('get', 'all,pvc,secret,pdb', '--output', 'name');
    expect(left.split('\n').filter(Boolean).sort()).toEqual(
      [
        ...['pod/load'],
        ...['redis', 'postgres', 'influxdb'].map((store) => `persistentvolumeclaim/data-tally-${store}-0`),
        ...['redis', 'postgres', 'influxdb'].map((store) => `secret/tally-${store}`),
      ].sort(),
    );
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
    // A pod of `helm test` stays with its log until the next one.
    await release.kubectl('delete', 'pod', 'tally-test', '--ignore-not-found');
    await run('bash', ['-c', cleaning]);
    const left = await release.kubectl('get', 'all,pvc,secret,pdb,jobs', '--output', 'name');
    expect(left.trim()).toBe('pod/load');
  });
}
