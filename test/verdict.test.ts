import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, test, vi } from 'vitest';
import { Load } from '../src/drill/clients/load.js';
import { judgeOperations } from '../src/drill/verdict/verdict.js';

const acknowledged = new Map([
  ['1-a', 1],
  ['2-a', 2],
  ['3-a', 3],
]);
const stored = [...acknowledged].map(([id, result]) => ({ id, result }));

test('the verdict on everything acknowledged and stored once is clean', () => {
  expect(judgeOperations(acknowledged, stored)).toEqual({
    acknowledged: 3,
    stored: 3,
    lost: 0,
    twice: 0,
    wrong: 0,
  });
});

test('the verdict says what was lost', () => {
  expect(judgeOperations(acknowledged, stored.slice(1))).toMatchObject({
    stored: 2,
    lost: 1,
    twice: 0,
    wrong: 0,
  });
});

test('the verdict says what was counted twice: one result under two ids', () => {
  const twice = [...stored, { id: '4-b', result: 3 }];
  expect(judgeOperations(acknowledged, twice)).toMatchObject({ stored: 4, lost: 0, twice: 1, wrong: 0 });
});

test('the verdict says what was stored with another result than was answered', () => {
  const wrong = [...stored.slice(1), { id: '1-a', result: 99 }];
  expect(judgeOperations(acknowledged, wrong)).toMatchObject({ lost: 0, twice: 0, wrong: 1 });
});

test('the load keeps every outcome: answered with its id, refused with its status, reset', async () => {
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    request.resume();
    if (requests === 2) response.writeHead(503).end();
    else if (requests === 3) request.socket.destroy();
    else response.end(JSON.stringify({ id: `${requests}-x`, result: requests }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const load = new Load({ connections: 1, target: () => (server.address() as AddressInfo).port });
  await vi.waitUntil(() => load.answered.size >= 3);
  await load.stop();
  expect(load.failed).toEqual([
    { kind: 'refused', status: 503, serial: 2 },
    { kind: 'reset', error: 'socket hang up', serial: 3 },
  ]);
  expect(load.answered.get('1-x')).toBe(1);
  expect(load.answered.size + load.failed.length).toBe(load.sent);
  server.close();
});

test('a client of the load goes elsewhere only when the server asks it to', async () => {
  const seen: string[] = [];
  const open = async (name: string, leaveAfter: number) => {
    let answered = 0;
    const server = createServer((request, response) => {
      seen.push(name);
      request.resume();
      if (++answered === leaveAfter) response.setHeader('Connection', 'close');
      response.end(JSON.stringify({ id: `${seen.length}-${name}`, result: 0 }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return server;
  };
  const [first, second] = [await open('first', 3), await open('second', Infinity)];
  const targets = [first, second];
  const load = new Load({
    connections: 1,
    target: () => ((targets.shift() ?? second).address() as AddressInfo).port,
  });
  await vi.waitUntil(() => seen.length >= 6);
  await load.stop();
  expect(seen.slice(0, 6)).toEqual(['first', 'first', 'first', 'second', 'second', 'second']);
  expect(load.failed).toEqual([]);
  first.close();
  second.close();
});
