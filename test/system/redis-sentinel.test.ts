import { afterAll, beforeAll, expect, test } from 'vitest';
import { RedisSentinel } from './redis-servers.js';
import { until } from '../latch.js';
import { openServers, Scene, TurningLoad, type Servers } from './scene.js';

let servers: Servers;
let redis: RedisSentinel;
beforeAll(async () => {
  [servers, redis] = await Promise.all([openServers(), RedisSentinel.open()]);
});
afterAll(() => Promise.all([servers, redis].map((opened) => opened[Symbol.asyncDispose]())));

test('a master that is killed, and its replica as the next one: no request fails, nothing is lost or counted twice', async () => {
  await using scene = await Scene.open(servers);
  const settings = { ...redis.environment, RELAY_AFTER: '5s' };
  const worker = await scene.worker(settings);
  const api = await scene.api(settings);
  const load = new TurningLoad(api);
  await load.untilAnswered(1_000);

  await redis.master.kill();
  await load.untilAnswered(load.answered.size + 1_000);
  await redis.failedOver();
  await api.logged(({ msg }) => msg === 'a store answers again');
  await load.untilAnswered(load.answered.size + 1_000);
  await load.stop();

  expect(load.failed).toEqual([]);
  await until(async () => (await scene.count()) >= load.sent);
  expect(await scene.verdict(load)).toMatchObject({ stored: load.sent, lost: 0, twice: 0, wrong: 0 });
  const endings = [await api.stop(), await worker.stop()];
  for (const { code, receipt } of endings)
    expect({ code, ...receipt }).toMatchObject({ code: 0, unaccounted: 0 });
});
