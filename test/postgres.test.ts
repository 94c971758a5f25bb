import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPostgres } from '../src/drill/stores/open-stores.js';
import type { Store } from '../src/drill/stores/store.js';
import { Postgres } from '../src/shared/postgres.js';
import { quiet } from './accepting-store.js';
import { until } from './latch.js';
import { TcpProxy } from '../src/drill/processes/tcp-proxy.js';

let server: Store;
beforeAll(async () => {
  server = await openPostgres();
});
afterAll(() => server[Symbol.asyncDispose]());

function open(port?: number, connections = 1): Postgres {
  const url = new URL(server.url);
  if (port !== undefined) url.port = String(port);
  return new Postgres({ url: url.href, application: 'test', log: quiet, connections });
}

test('a Postgres that is away is said to be so at once, and found again when it is back', async () => {
  await using postgres = open();
  await postgres.ping();
  await server.kill();
  await expect(postgres.ping()).rejects.toThrow();
  await expect(postgres.ping()).rejects.toThrow('ECONNREFUSED');
  await server.start();
  await postgres.ping();
});

test('a stalled connection is given up by a reset, and the next statement has a new one', async () => {
  await using proxy = await TcpProxy.open(Number(new URL(server.url).port));
  await using postgres = open(proxy.port);
  await postgres.ping();
  proxy.stall('answers');
  const stalled = expect(postgres.sql`SELECT 'held back'`.execute()).rejects.toThrow('CONNECTION_CLOSED');
  await using direct = open();
  await until(async () => {
    const asked = await direct.sql`SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT ''held%'`;
    return asked.length === 1;
  });
  postgres.reset();
  await stalled;
  proxy.resume();
  await postgres.ping();
});

test("what ended a connection is nobody else's error after a ping", async () => {
  await using postgres = open(undefined, 2);
  await using direct = open();
  const end = () => direct.sql`
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'`;
  let ended = 0;
  const sleeping = [1, 2].map(() => expect(postgres.sql`SELECT pg_sleep(60)`.execute()).rejects.toThrow());
  await until(async () => (ended += (await end()).length) === 2);
  await Promise.all(sleeping);
  await postgres.ping();
  const asked = [1, 2].map((n) => postgres.sql<{ n: number }[]>`SELECT ${n}::integer AS n`);
  expect((await Promise.all(asked)).map(([row]) => row?.n)).toEqual([1, 2]);
});

test('closing ends also while a statement hangs', async () => {
  await using proxy = await TcpProxy.open(Number(new URL(server.url).port));
  const postgres = open(proxy.port);
  await postgres.ping();
  proxy.stall('both');
  const stalled = expect(postgres.sql`SELECT 1`.execute()).rejects.toThrow();
  await postgres[Symbol.asyncDispose]();
  await stalled;
}, 10_000);

test('asks nothing of its own on a new connection: nobody would hear it fail', async () => {
  const port = Number(new URL(server.url).port);
  let asked = '';
  const listener = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    client.on('data', (data: Buffer) => (asked += data.toString('latin1')));
    client.pipe(upstream).pipe(client);
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  await using postgres = open((listener.address() as AddressInfo).port);
  await postgres.ping();
  expect(asked).toContain('SELECT 1');
  expect(asked).not.toContain('pg_type');
  listener.close();
});

test('takes arrays of texts, whatever is in them, and of bigints', async () => {
  await using postgres = open();
  const texts = ['plain', '', 'a "quote"', 'back\\slash', 'line\nfeed', '{braces, and commas}', 'NULL'];
  const rows = await postgres.sql<{ text: string }[]>`SELECT unnest(${texts}::text[]) AS text`;
  expect(rows.map(({ text }) => text)).toEqual(texts);
  const [none] = await postgres.sql<{ some: boolean }[]>`SELECT 'x' = ANY (${[] as string[]}) AS some`;
  expect(none?.some).toBe(false);
  const [big] = await postgres.sql<{ found: boolean }[]>`
    SELECT 9223372036854775807 = ANY (${['1', '9223372036854775807']}::bigint[]) AS found`;
  expect(big?.found).toBe(true);
});
