import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { helm } from './helm.js';
import { render, type Rendering } from './rendering.js';

let rendering: Rendering;

beforeAll(async () => {
  await helm(['version']);
  rendering = await render();
}, 20 * 60_000);

/** The volume of each store that locks no file itself. */
const FOLDERS = { redis: '/data', postgres: '/var/lib/postgresql' };

/** The names of a process's children. */
function childrenOf(pid: number | undefined): readonly string[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'ppid=,comm='], { encoding: 'utf8' });
  return stdout.split('\n').flatMap((line) => {
    const [parent, name = ''] = line.trim().split(/\s+/);
    return Number(parent) === pid ? name : [];
  });
}

const until = (holds: () => boolean) => vi.waitUntil(holds, { timeout: 10_000, interval: 20 });

describe.each(Object.entries(FOLDERS))('the bundled %s', (store, folder) => {
  test('takes a lock on its volume before it begins', () => {
    const [container] = rendering.get('StatefulSet', `tally-${store}`).spec?.template.spec?.containers ?? [];
    expect(container?.command?.[2]).toContain(`exec 9>${folder}/.tally-lock && flock 9 && exec`);
    expect(container?.volumeMounts).toContainEqual({ name: 'data', mountPath: folder });
  });

  // macOS has no flock; the images, and every Linux, have one.
  test.runIf(process.platform === 'linux')(
    'begins on its volume when the one before it, and all its children, have ended',
    async () => {
      const [container] =
        rendering.get('StatefulSet', `tally-${store}`).spec?.template.spec?.containers ?? [];
      const [shell = '', ...args] = container?.command ?? [];
      expect(args.pop()).toBe('docker-entrypoint.sh');
      const own = await mkdtemp(join(tmpdir(), 'tally-alone-'));
      onTestFinished(() => rm(own, { recursive: true }));
      const start = (script: string) =>
        spawn(shell, [...args.map((arg) => arg.replace(folder, own)), 'sh', '-c', script], {
          cwd: own,
          stdio: 'ignore',
        });
      await writeFile(join(own, 'held'), '');
      // Ends at once, and leaves a child.
      const first = start('{ while [ -e held ]; do sleep 0.05; done; echo first ends >>lines; } & exit 0');
      await once(first, 'exit');
      const second = start('echo second begins >>lines');
      const ended = once(second, 'exit');
      await until(() => childrenOf(second.pid).includes('flock'));
      await rm(join(own, 'held'));
      expect(await ended).toEqual([0, null]);
      expect(await readFile(join(own, 'lines'), 'utf8')).toBe('first ends\nsecond begins\n');
    },
  );
});
