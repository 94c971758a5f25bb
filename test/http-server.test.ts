import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { Hono } from 'hono';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { HttpServer } from '../src/shared/http/http-server.js';
import { Connection } from './connection.js';
import { latch, type Latch } from './latch.js';

const LONG_MS = 60_000;

let server: HttpServer;
let port: number;
/** Settles what `GET /slow` waits for. */
let slow: Latch<void>;
/** Resolves when a `GET /slow` has arrived. */
let arrived: Latch<void>;
let connections: Connection[];

beforeEach(async () => {
  slow = latch();
  arrived = latch();
  connections = [];
  const app = new Hono();
  app.get('/', (c) => c.text('quick'));
  app.get('/slow', async (c) => {
    arrived.resolve();
    await slow.promise;
    return c.text('slow');
  });
  server = new HttpServer(app);
  port = await server.listen('127.0.0.1', 0);
});

afterEach(async () => {
  for (const connection of connections) connection[Symbol.dispose]();
  slow.resolve();
  await server[Symbol.asyncDispose]();
});

async function open(): Promise<Connection> {
  const connection = await Connection.open(port);
  connections.push(connection);
  return connection;
}

/** A connection with an answer behind it that stays open, as load balancers have them. */
async function openIdle(): Promise<Connection> {
  const connection = await open();
  connection.get('/');
  await connection.receives('quick');
  return connection;
}

async function openSlow(): Promise<Connection> {
  const connection = await open();
  connection.get('/slow');
  await arrived.promise;
  return connection;
}

describe('a server that serves', () => {
  test('keeps connections for the next request', async () => {
    const connection = await openIdle();
    expect(connection.received).toMatch(/^HTTP\/1\.1 200 /);
    expect(connection.received).toMatch(/connection: keep-alive/i);
    connection.get('/slow');
    slow.resolve();
    await connection.receives('slow');
  });

  test('rejects an address that is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const second = new HttpServer(new Hono());
    await expect(second.listen('127.0.0.1', (taken.address() as AddressInfo).port)).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
    taken.close();
  });

  test('knows how many requests it is answering', async () => {
    const connection = await openSlow();
    await openIdle();
    expect(server.inFlight).toBe(1);
    slow.resolve();
    await connection.receives('slow');
    await openIdle();
    expect(server.inFlight).toBe(0);
  });
});

describe('a server that turns away', () => {
  test('says Connection: close with every answer, and goes on serving', async () => {
    const before = await openIdle();
    server.turnAway();
    before.get('/');
    await before.ends();
    expect(before.received.match(/^connection: close\r$/gim)).toHaveLength(1);
    const after = await open();
    after.get('/');
    await after.ends();
    expect(after.received).toMatch(/^connection: close\r$/im);
    expect(after.received).toContain('quick');
  });

  test('says so also with the answers to requests that came before', async () => {
    const connection = await openSlow();
    server.turnAway();
    slow.resolve();
    await connection.ends();
    expect(connection.received).toMatch(/^HTTP\/1\.1 200 /);
    expect(connection.received).toMatch(/^connection: close\r$/im);
    expect(connection.received).toContain('slow');
  });
});

describe('a server that finishes', () => {
  test('waits for what is in flight, and cuts nothing', async () => {
    const connection = await openSlow();
    let finished = false;
    const finishing = server.finish(LONG_MS).finally(() => (finished = true));
    await new Promise(setImmediate);
    expect(finished).toBe(false);
    slow.resolve();
    expect(await connection.receives('slow')).toMatch(/^HTTP\/1\.1 200 [^]*connection: close\r\n/i);
    expect(await finishing).toBe(0);
  });

  test('takes no new connection while it waits', async () => {
    await openSlow();
    const finishing = server.finish(LONG_MS);
    await vi.waitFor(() => expect(open()).rejects.toMatchObject({ code: 'ECONNREFUSED' }));
    slow.resolve();
    await finishing;
  });

  test('ends idle connections without waiting for anybody', async () => {
    const idle = [await openIdle(), await openIdle()];
    const unused = await open();
    expect(await server.finish(LONG_MS)).toBe(0);
    await Promise.all([...idle, unused].map((connection) => connection.ends()));
  });

  test('answers requests that were sent before, although nobody had read them yet', async () => {
    const [used, fresh] = [await openIdle(), await open()];
    used.get('/');
    fresh.get('/');
    const finishing = server.finish(LONG_MS);
    await Promise.all([used.ends(), fresh.ends()]);
    expect(used.received.match(/HTTP\/1\.1 200 /g)).toHaveLength(2);
    expect(fresh.received).toContain('quick');
    expect(await finishing).toBe(0);
  });

  test('cuts what still hangs after the limit, and says how many that were', async () => {
    const hanging = [await openSlow(), await openSlow(), await openSlow()];
    await openIdle();
    expect(await server.finish(20)).toBe(3);
    for (const connection of hanging) {
      await connection.ends();
      expect(connection.received).toBe('');
    }
  });

  test('is held up no longer than the limit by somebody who never ends his request', async () => {
    const slowloris = await open();
    slowloris.send('GET / HTTP/1.1\r\nHost: ta');
    await openIdle();
    expect(await server.finish(20)).toBe(0);
    await slowloris.ends();
  });

  test('more than once, or before it listened, is fine', async () => {
    await server.finish(LONG_MS);
    await server[Symbol.asyncDispose]();
    await new HttpServer(new Hono())[Symbol.asyncDispose]();
  });
});

describe('requests that were pipelined', () => {
  const slow3 = 'GET /slow HTTP/1.1\r\nHost: tally\r\n\r\n'.repeat(3);

  test.each(['before', 'after'])(
    'are all answered when they arrive %s clients are turned away, and the last answer alone asks them to go',
    async (when) => {
      const connection = await open();
      if (when === 'after') server.turnAway();
      connection.send(slow3);
      await arrived.promise;
      server.turnAway();
      slow.resolve();
      await connection.ends();
      expect(connection.received.match(/HTTP\/1.1 200/g)).toHaveLength(3);
      expect(connection.received.match(/^connection: close/gim)).toHaveLength(1);
    },
  );

  test('keep the server no longer than their answers take, whatever their heads said', async () => {
    const connection = await open();
    connection.send('GET /slow HTTP/1.1\r\nHost: tally\r\n\r\nGET / HTTP/1.1\r\nHost: tally\r\n\r\n');
    await arrived.promise;
    // The second has its head by now, and waits for the first.
    await vi.waitUntil(() => server.inFlight === 2);
    await new Promise((resolve) => setImmediate(resolve));
    const finished = server.finish(LONG_MS);
    slow.resolve();
    expect(await finished).toBe(0);
    expect(connection.received.match(/HTTP\/1.1 200/g)).toHaveLength(2);
  });
});

test('clients are told how long a connection may be idle, which is shorter than it is kept', async () => {
  const app = new Hono().get('/', (c) => c.text('quick'));
  await using telling = new HttpServer(app, { keepAliveSeconds: 3 });
  const connection = await Connection.open(await telling.listen('127.0.0.1', 0));
  connections.push(connection);
  connection.get('/');
  const answer = await connection.receives('quick');
  expect(answer.match(/^keep-alive: .*$/gim)).toEqual(['Keep-Alive: timeout=3']);
  expect(answer.match(/^connection: .*$/gim)).toEqual(['Connection: keep-alive']);
  connection.send('GET / HTTP/1.1\r\nHost: tally\r\nConnection: close\r\n\r\n');
  await connection.ends();
  expect(connection.received.match(/^connection: .*$/gim)).toEqual([
    'Connection: keep-alive',
    'Connection: close',
  ]);
});

test('nobody who is turned away is told that the connection is kept, whatever was told before', async () => {
  const app = new Hono()
    .get('/', (c) => c.text('quick'))
    .get('/slow', async (c) => {
      arrived.resolve();
      await slow.promise;
      return c.text('slow');
    });
  await using telling = new HttpServer(app, { keepAliveSeconds: 3 });
  const own = await telling.listen('127.0.0.1', 0);
  const [before, after] = [await Connection.open(own), await Connection.open(own)];
  connections.push(before, after);
  before.get('/slow');
  await arrived.promise;
  telling.turnAway();
  slow.resolve();
  after.send('GET / HTTP/1.0\r\nHost: tally\r\nConnection: Keep-Alive\r\n\r\n');
  for (const connection of [before, after]) {
    await connection.ends();
    expect(connection.received.match(/^(connection|keep-alive): .*$/gim)).toEqual(['Connection: close']);
  }
});
