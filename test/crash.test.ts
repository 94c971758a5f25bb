import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from './latch.js';
import { openServers, Scene, sum, type Servers } from './system/scene.js';

const CHAOS_TOKEN = 'a-token-of-this-test';

let servers: Servers;
let scene: Scene;
beforeAll(async () => {
  servers = await openServers();
  scene = await Scene.open(servers);
});
afterAll(async () => {
  await scene[Symbol.asyncDispose]();
  await servers[Symbol.asyncDispose]();
});

const crash = (port: number, headers: Readonly<Record<string, string>> = {}, method = 'POST') =>
  fetch(`http://127.0.0.1:${port}/crash`, { method, headers });

test('without CHAOS_TOKEN there is nothing at POST /crash', async () => {
  const api = await scene.api();
  expect((await crash(api.port, { Authorization: 'Bearer ' })).status).toBe(404);
  expect((await api.stop()).code).toBe(0);
});

test('POST /crash ends the process as kill -9 does, and what it had answered is logged', async () => {
  const api = await scene.api({ CHAOS_TOKEN });
  const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => sum(api, [n])));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  await expect(crash(api.port, { Authorization: `Bearer ${CHAOS_TOKEN}` })).rejects.toThrow('fetch failed');
  expect(await api.ended()).toMatchObject({ code: null, signal: 'SIGKILL', receipt: undefined });
  await scene.worker();
  await until(async () => (await scene.count()) === 50);
});

test('POST /crash that wants an answer gets it, and the process ends as kill -9 does', async () => {
  const api = await scene.api({ CHAOS_TOKEN });
  const headers = { Authorization: `Bearer ${CHAOS_TOKEN}`, Prefer: 'respond-async' };
  const answer = await crash(api.port, headers);
  expect([answer.status, answer.headers.get('Preference-Applied')]).toEqual([202, 'respond-async']);
  expect(await answer.json()).toEqual({ instance: api.instance });
  expect(await api.ended()).toMatchObject({ code: null, signal: 'SIGKILL', receipt: undefined });
});

test('POST /crash with another token, or too often, is refused with its reason, and the token is in no log', async () => {
  const api = await scene.api({ CHAOS_TOKEN, LOG_LEVEL: 'trace' });
  const wrong = [{}, { Authorization: `Bearer ${CHAOS_TOKEN}x` }, { Authorization: `Basic ${CHAOS_TOKEN}` }];
  for (const headers of wrong) {
    let answer = await crash(api.port, headers);
    await until(
      async () => answer.status !== 429 || (answer = await crash(api.port, headers)).status !== 429,
    );
    expect(answer.status).toBe(401);
    expect(answer.headers.get('Content-Type')).toBe('application/problem+json');
    expect(await answer.json()).toMatchObject({ type: 'urn:tally:problem:unauthorized', status: 401 });
    const next = await crash(api.port, { Authorization: `Bearer ${CHAOS_TOKEN}` });
    expect(next.status).toBe(429);
    expect(next.headers.get('Retry-After')).toBe('1');
  }
  expect((await crash(api.port, {}, 'GET')).status).toBe(405);
  expect((await sum(api, [1])).status).toBe(200);
  const { code } = await api.stop();
  expect(code).toBe(0);
  expect(JSON.stringify(api.log)).not.toContain(CHAOS_TOKEN);
});
