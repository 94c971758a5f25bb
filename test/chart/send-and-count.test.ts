import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openServers, Scene, type Servers } from '../system/scene.js';
import { CHART } from './helm.js';

let servers: Servers;

beforeAll(async () => {
  servers = await openServers();
});
afterAll(() => servers[Symbol.asyncDispose]());

/** What the pod of `helm test` runs, as it runs it. */
function sendAndCount({ env }: Scene, port: number, deadlineMs: number): Promise<{ stdout: string }> {
  const script = readFileSync(`${CHART}/files/send-and-count.mjs`, 'utf8');
  return promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...process.env, ...env, API_URL: `http://127.0.0.1:${port}`, DEADLINE_MS: String(deadlineMs) },
  });
}

test('helm test passes when a sum is answered, logged and counted', async () => {
  await using scene = await Scene.open(servers);
  const api = await scene.api();
  await scene.worker();
  const { stdout } = await sendAndCount(scene, api.port, 30_000);
  expect(stdout).toMatch(/^answered: \d+-test-\w+\nlogged\ncounted: 1 in all\n$/);
});

test('helm test fails when a sum is not logged, and when nobody answers', async () => {
  await using scene = await Scene.open(servers);
  const api = await scene.api();
  await expect(sendAndCount(scene, api.port, 1_000)).rejects.toThrow(
    'logging did not happen in 1000 ms; last: it is accepted',
  );
  await expect(sendAndCount(scene, 1, 1_000)).rejects.toThrow('an answer did not happen');
});
