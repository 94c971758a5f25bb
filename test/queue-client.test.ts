import { afterAll, beforeAll, expect, test } from 'vitest';
import { openRedis as openServer } from '../src/drill/stores/open-stores.js';
import type { Store } from '../src/drill/stores/store.js';
import { closeRedis, openRedis } from '../src/shared/redis.js';
import { openQueueClient } from '../src/worker/queue-client.js';
import { quiet } from './accepting-store.js';

let server: Store;
beforeAll(async () => {
  server = await openServer();
});
afterAll(() => server[Symbol.asyncDispose]());

test('a list is below nothing without being read, and any other answer stays what it is', async () => {
  const redis = openRedis(server.url, { commands: 'wait', log: quiet });
  const client = openQueueClient(redis);
  client.defineCommand('list', { numberOfKeys: 0, lua: "return {{'data', '-1'}, 'id'}" });
  client.defineCommand('code', { numberOfKeys: 0, lua: 'return -2' });
  const list: unknown = await client.runCommand('list', []);
  Object.assign(list as unknown[], { toString: () => expect.unreachable('the list was made one text') });
  expect((list as number) < 0).toBe(false);
  expect([...(list as unknown[])]).toEqual([['data', '-1'], 'id']);
  expect((await client.runCommand('code', [])) < 0).toBe(true);
  await closeRedis(redis);
});
