import { afterAll, beforeAll, expect, test } from 'vitest';
import { openLog } from '../../src/shared/log.js';
import { Consumer } from '../../src/worker/consumer.js';
import { openServers, Scene, sum, until, type Servers } from './scene.js';

let servers: Servers;
beforeAll(async () => {
  servers = await openServers();
});
afterAll(() => servers[Symbol.asyncDispose]());

test('a worker that takes nothing while work waits reports itself dead, and one that works does not', async () => {
  await using scene = await Scene.open(servers);
  await using consumer = new Consumer({
    url: scene.env['REDIS_URL'] ?? '',
    prefix: scene.env['QUEUE_PREFIX'] ?? '',
    instance: 'test',
    log: openLog('silent', 'test'),
    wedgedMs: 300,
    settle: async () => 'settled',
    keepUnreadable: async () => undefined,
  });
  await until(async () => (await consumer.hindrance()) === undefined);
  expect(await consumer.sickness()).toBeUndefined();
  await sum(await scene.api(), [1]);
  await until(async () => (await consumer.sickness()) !== undefined);
  expect(await consumer.sickness()).toMatch(/^1 chunks wait and none was taken/);
  consumer.start();
  await until(() => consumer.empty());
  expect(await consumer.sickness()).toBeUndefined();
});
