import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { JOB_NAME, JOB_OPTIONS, QUEUE_NAME } from '../../src/shared/operation-queue.js';
import type { TallyProcess } from '../../src/drill/processes/tally-process.js';
import { TcpProxy } from '../../src/drill/processes/tcp-proxy.js';
import { until } from '../latch.js';
import { openServers, Scene, sum, TurningLoad, type Servers } from './scene.js';

let servers: Servers;
let scene: Scene;
let redis: Redis;
let queue: Queue;
beforeAll(async () => {
  servers = await openServers();
});
afterAll(() => servers[Symbol.asyncDispose]());
beforeEach(async () => {
  scene = await Scene.open(servers);
  redis = new Redis(scene.env['REDIS_URL'] ?? '', { maxRetriesPerRequest: null });
  redis.on('error', () => undefined); // killed by a test
  queue = new Queue(QUEUE_NAME, { connection: redis, prefix: scene.env['QUEUE_PREFIX'] ?? '' });
  queue.on('error', () => undefined);
});
afterEach(async () => {
  await Promise.all([servers.redis.start(), servers.postgres.start(), servers.influxdb.start()]);
  await scene[Symbol.asyncDispose]();
  await queue.close();
  redis.disconnect();
});

/** The ledger's chunks, their operations, and how many of those are marked logged. */
async function ledger() {
  const [row] = await scene.postgres.sql<[{ chunks: number; operations: number; logged: number }]>`
    SELECT count(*)::integer AS chunks, coalesce(sum(operations), 0)::integer AS operations,
           coalesce(sum(operations) FILTER (WHERE logged_at IS NOT NULL), 0)::integer AS logged FROM chunks`;
  return row;
}

const allLogged = (operations: number) =>
  until(async () => {
    const now = await ledger();
    return now.operations === operations && now.logged === operations;
  });

async function answer(api: TallyProcess, count: number) {
  for (let n = 0; n < count; n++) expect((await sum(api, [n])).status).toBe(200);
}

/** One of the worker's counters. */
async function metric(worker: TallyProcess, sample: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${worker.adminPort}/metrics`)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${sample} `));
  return Number(line?.split(' ').at(-1) ?? NaN);
}

const LOGGED = 'tally_settled_operations_total{outcome="logged"}';

describe('an accepted chunk', () => {
  test('is a job and a row, and the row is marked logged when InfluxDB has it', async () => {
    const api = await scene.api();
    await answer(api, 10);
    expect(await queue.count()).toBe(10);
    expect(await ledger()).toEqual({ chunks: 10, operations: 10, logged: 0 });
    await scene.worker();
    await until(async () => (await scene.count()) === 10);
    await allLogged(10);
    await until(async () => (await redis.keys(`${scene.env['QUEUE_PREFIX']}:*.[0-9]*`)).length === 0);
  });

  test('that the queue forgot is sent by the relay when it is due, and stored once', async () => {
    const api = await scene.api({ RELAY_AFTER: '2s' });
    await answer(api, 50);
    await redis.flushall();
    const worker = await scene.worker({ RELAY_AFTER: '2s' });
    await until(async () => (await scene.count()) === 50);
    await allLogged(50);
    expect(await metric(worker, LOGGED)).toBe(50);
  });

  test('that the ledger never saw is added by the worker, as logged', async () => {
    const api = await scene.api({ DATABASE_URL: 'postgres://127.0.0.1:1/away' });
    await answer(api, 20);
    expect((await ledger()).chunks).toBe(0);
    await scene.worker();
    await allLogged(20);
    const rows = await scene.postgres.sql`SELECT id, instance, seq, first_at, lines FROM chunks`;
    for (const { id, instance, seq, first_at, lines } of rows) {
      expect(id).toBe(`${instance}.${seq}`);
      expect(lines).toMatch(new RegExp(`^operation,instance=${instance},name=sum .* ${first_at}$`));
    }
  });

  test('that is due only because InfluxDB is away, and that the queue still holds, is not sent by both ways', async () => {
    const worker = await scene.worker({ RELAY_AFTER: '1s' });
    const api = await scene.api({ RELAY_AFTER: '1s' });
    await servers.influxdb.kill();
    const load = new TurningLoad(api);
    await load.untilAnswered(2_000);
    await load.stop();
    const notPostponed = () =>
      scene.postgres.sql`SELECT FROM chunks WHERE due_at < accepted_at + interval '1500 milliseconds'`;
    await until(async () => (await notPostponed()).length === 0);
    await servers.influxdb.start();
    await allLogged(load.sent);
    expect(await metric(worker, LOGGED)).toBe(load.sent);
    expect(await scene.verdict(load)).toMatchObject({ stored: load.sent, lost: 0, twice: 0, wrong: 0 });
  });

  test('is written off when it was refused after all, so that its number leaves no gap', async () => {
    await using proxy = await TcpProxy.open(Number(new URL(servers.postgres.url).port));
    const away = new URL(scene.env['DATABASE_URL'] ?? '');
    away.port = String(proxy.port);
    const api = await scene.api({ DATABASE_URL: away.href, REDIS_URL: 'redis://127.0.0.1:1' });
    await answer(api, 1);
    proxy.stall('answers');
    expect((await sum(api, [2])).status).toBe(503);
    proxy.resume();
    await api.logged(({ msg }) => msg === 'a refused chunk was written off');
    await until(async () => (await sum(api, [3])).status === 200);
    await scene.worker();
    await allLogged(2);
    expect(await scene.count()).toBe(2);
    const rows = await scene.postgres.sql`SELECT seq, operations FROM chunks ORDER BY seq`;
    expect(rows.map(({ seq, operations }) => [seq, operations])).toEqual([
      ['0', 1],
      ['1', 0],
      ['2', 1],
    ]);
  });
});

test('a chunk that the queue alone was asked for and refused is written off when the ledger is back', async () => {
  await using postgresNetwork = await TcpProxy.open(Number(new URL(servers.postgres.url).port));
  await using redisNetwork = await TcpProxy.open(Number(new URL(servers.redis.url).port));
  const ledgerUrl = new URL(scene.env['DATABASE_URL'] ?? '');
  ledgerUrl.port = String(postgresNetwork.port);
  const REDIS_URL = `redis://127.0.0.1:${redisNetwork.port}`;
  const api = await scene.api({ DATABASE_URL: ledgerUrl.href, REDIS_URL });
  await answer(api, 1);
  postgresNetwork.stall('both');
  await answer(api, 1);
  redisNetwork.stall('both');
  expect((await sum(api, [2])).status).toBe(503);
  redisNetwork.resume();
  postgresNetwork.resume();
  await api.logged(({ msg }) => msg === 'a refused chunk was written off');
  const rows = await scene.postgres.sql`SELECT seq, operations FROM chunks WHERE operations = 0`;
  expect([...rows]).toEqual([{ seq: '2', operations: 0 }]);
});

test('a refused chunk that a worker logged all the same is not taken back before the ledger knows of it', async () => {
  await using network = await TcpProxy.open(Number(new URL(servers.redis.url).port));
  const DATABASE_URL = 'postgres://127.0.0.1:1/away';
  const api = await scene.api({ DATABASE_URL, REDIS_URL: `redis://127.0.0.1:${network.port}` });
  const unrecorded = await scene.worker({ DATABASE_URL });
  await answer(api, 1);
  network.stall('answers');
  expect((await sum(api, [2])).status).toBe(503);
  await until(async () => (await queue.getCompletedCount()) === 2);
  network.resume();
  await until(async () => (await sum(api, [3])).status === 200);
  await until(async () => (await queue.getCompletedCount()) === 3);
  await unrecorded.kill();
  await scene.worker();
  await allLogged(3);
  expect(await scene.count()).toBe(3);
});

test('the last worker alive empties the ledger before it ends', async () => {
  const api = await scene.api({ REDIS_URL: 'redis://127.0.0.1:1' });
  await answer(api, 40);
  const worker = await scene.worker({ BATCH_INTERVAL: '30s' });
  expect((await worker.stop()).code).toBe(0);
  expect(await scene.count()).toBe(40);
});

describe('with Redis gone for good', () => {
  test('everything accepted reaches InfluxDB through Postgres alone, and no request fails', async () => {
    const api = await scene.api({ RELAY_AFTER: '2s' });
    await scene.worker();
    await answer(api, 1);
    await servers.redis.kill();
    const load = new TurningLoad(api);
    await load.untilAnswered(3_000);
    await load.stop();
    expect(load.failed).toEqual([]);
    await until(async () => (await scene.count()) === load.sent + 1);
    await allLogged(load.sent + 1);
  });

  test('a worker that ends gives what InfluxDB does not take back to the ledger, and another has it at once', async () => {
    const first = await scene.worker({ SHUTDOWN_TIMEOUT: '3s', REDIS_URL: 'redis://127.0.0.1:1' });
    const api = await scene.api({ REDIS_URL: 'redis://127.0.0.1:1' });
    await servers.influxdb.kill();
    await answer(api, 30);
    await until(async () => (await metric(first, 'tally_pending_lines')) === 30);
    const { code, receipt } = await first.stop();
    expect({ code, ...receipt }).toMatchObject({ code: 0, leftToLedger: 30, unaccounted: 0 });
    await servers.influxdb.start();
    await scene.worker({ REDIS_URL: 'redis://127.0.0.1:1' });
    await until(async () => (await scene.count()) === 30, 10_000);
  });
});

describe('with Postgres away', () => {
  test('nothing stops, and the ledger catches up by itself', async () => {
    const worker = await scene.worker();
    const api = await scene.api();
    await answer(api, 5);
    await servers.postgres.kill();
    const load = new TurningLoad(api);
    await load.untilAnswered(3_000);
    await load.stop();
    expect(load.failed).toEqual([]);
    await until(async () => (await scene.count()) === load.sent + 5);
    expect(await queue.getCompletedCount()).toBeGreaterThan(0);
    await servers.postgres.start();
    await allLogged(load.sent + 5);
    await until(async () => (await queue.getCompletedCount()) === 0);
    expect(await metric(worker, LOGGED)).toBe(load.sent + 5);
  });

  test('a worker that was killed before the ledger caught up takes nothing with it', async () => {
    const worker = await scene.worker();
    const api = await scene.api();
    await servers.postgres.kill();
    await answer(api, 25);
    await until(async () => (await queue.getCompletedCount()) === 25);
    await worker.kill();
    await servers.postgres.start();
    await scene.worker();
    await allLogged(25);
  });

  test('refused lines wait in Redis and move into the ledger when it is back', async () => {
    await servers.postgres.kill();
    await scene.worker();
    const refused = 'operation,instance=i,name=sum numbers=text 1000000000000000000';
    await queue.add(JOB_NAME, { lines: refused }, { ...JOB_OPTIONS, jobId: 'i.0' });
    const waiting = new Queue('quarantine', { connection: redis, prefix: scene.env['QUEUE_PREFIX'] ?? '' });
    await until(async () => (await waiting.count()) === 1);
    await servers.postgres.start();
    const kept = () => scene.postgres.sql`SELECT chunk_id, line, status FROM quarantine`;
    await until(async () => (await kept()).length === 1);
    expect([...(await kept())]).toEqual([{ chunk_id: 'i.0', line: refused, status: 400 }]);
    await until(async () => (await waiting.count()) === 0);
    await waiting.close();
  });
});

describe('with every store silent', () => {
  test.each(['worker', 'api'] as const)(
    'the %s ends within its deadlines, with its receipt',
    async (kind) => {
      const stores = [servers.redis, servers.postgres, servers.influxdb];
      const proxies = await Promise.all(stores.map(({ url }) => TcpProxy.open(Number(new URL(url).port))));
      const [toRedis, toPostgres, toInflux] = proxies.map(({ port }) => port);
      const database = new URL(scene.env['DATABASE_URL'] ?? '');
      database.port = String(toPostgres);
      const silent = {
        REDIS_URL: `redis://127.0.0.1:${toRedis}`,
        DATABASE_URL: database.href,
        INFLUX_URL: `http://127.0.0.1:${toInflux}`,
        SHUTDOWN_TIMEOUT: '3s',
      };
      const api = await scene.api(kind === 'api' ? silent : {});
      const worker = await scene.worker(kind === 'worker' ? silent : {});
      await answer(api, 5);
      await allLogged(5);
      for (const proxy of proxies) proxy.stall('both');
      const { receipt } = await (kind === 'api' ? api : worker).stop();
      expect(receipt).toMatchObject({ msg: 'receipt' });
      await Promise.all(proxies.map((proxy) => proxy[Symbol.asyncDispose]()));
    },
  );
});
