import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, inject, test } from 'vitest';
import { JOB_NAME, JOB_OPTIONS, QUEUE_NAME } from '../../src/shared/operation-queue.js';
import { TcpProxy } from '../../src/drill/processes/tcp-proxy.js';
import { until } from '../latch.js';
import { openServers, Scene, sum, TurningLoad, type Servers } from './scene.js';

describe.each(inject('influxGenerations'))('the worker on InfluxDB %s.x', (generation) => {
  let servers: Servers;
  let scene: Scene;
  beforeAll(async () => {
    servers = await openServers(generation);
  });
  afterAll(() => servers[Symbol.asyncDispose]());
  beforeEach(async () => {
    scene = await Scene.open(servers);
  });
  afterEach(async () => {
    await scene[Symbol.asyncDispose]();
    await Promise.all([servers.redis.start(), servers.postgres.start(), servers.influxdb.start()]);
  });

  async function answer(count: number) {
    const api = await scene.api();
    for (let n = 0; n < count; n++) expect((await sum(api, [n])).status).toBe(200);
    return api;
  }

  const holds = async (admin: number, lines: number) => {
    const metrics = await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
    return metrics.includes(`\ntally_pending_lines ${lines}\n`);
  };

  test('SIGTERM with a half-full batch loses nothing and takes under two seconds', async () => {
    const worker = await scene.worker({ BATCH_INTERVAL: '30s' });
    await answer(250);
    await until(() => holds(worker.adminPort, 250));
    expect(await scene.count()).toBe(0);
    const { code, receipt, ms } = await worker.stop();
    expect(await scene.count()).toBe(250);
    expect({ code, ...receipt }).toMatchObject({ code: 0, logged: 250, handedBack: 0, unaccounted: 0 });
    expect(ms).toBeLessThan(2_000);
  });

  test('kill -9 with 499 operations in hand: a second worker logs them all within 15 s', async () => {
    const first = await scene.worker({ BATCH_INTERVAL: '30s' });
    await answer(499);
    await until(() => holds(first.adminPort, 499));
    await first.kill();
    const killedAt = Date.now();
    await scene.worker({ BATCH_INTERVAL: '30s' });
    await until(async () => (await scene.count()) === 499, 20_000);
    expect(Date.now() - killedAt).toBeLessThan(15_000);
  });

  test('the last worker alive empties the queue before it ends', async () => {
    const api = await scene.api();
    const load = new TurningLoad(api, 50);
    await load.untilAnswered(3_000);
    const worker = await scene.worker();
    worker.signal('SIGTERM');
    await load.stop();
    expect((await worker.ended()).code).toBe(0);
    expect(await scene.verdict(load)).toMatchObject({
      acknowledged: load.sent,
      stored: load.sent,
      lost: 0,
      twice: 0,
    });
  });

  test('what InfluxDB does not take before the deadline goes back to the queue, and another worker has it at once', async () => {
    const first = await scene.worker({ SHUTDOWN_TIMEOUT: '3s' });
    await servers.influxdb.kill();
    await answer(40);
    await until(() => holds(first.adminPort, 40));
    const second = await scene.worker();
    const { code, receipt } = await first.stop();
    expect({ code, ...receipt }).toMatchObject({ code: 0, logged: 0, handedBack: 40, unaccounted: 0 });
    await until(() => holds(second.adminPort, 40), 1_000);
    await servers.influxdb.start();
    await until(async () => (await scene.count()) === 40);
  });

  test('keeps everything while InfluxDB is away, and logs it when it is back', async () => {
    await scene.worker();
    await servers.influxdb.kill();
    const load = new TurningLoad(await scene.api());
    await load.untilAnswered(2_000);
    await servers.influxdb.start();
    await load.untilAnswered(4_000);
    await load.stop();
    expect(load.failed).toEqual([]);
    await until(async () => (await scene.count()) >= load.sent);
    expect(await scene.verdict(load)).toMatchObject({ stored: load.sent, lost: 0, twice: 0, wrong: 0 });
  });

  test('a batch whose acknowledgement was lost is sent again, and stored once', async () => {
    await using proxy = await TcpProxy.open(Number(new URL(servers.influxdb.url).port));
    const worker = await scene.worker({ INFLUX_URL: `http://127.0.0.1:${proxy.port}` });
    await answer(1);
    await until(async () => (await scene.count()) === 1 && (await holds(worker.adminPort, 0)));
    proxy.stall('answers');
    await answer(30);
    await until(async () => (await scene.count()) === 31);
    expect(await holds(worker.adminPort, 30)).toBe(true);
    proxy.cut();
    proxy.resume();
    await until(() => holds(worker.adminPort, 0));
    expect((await worker.stop()).receipt).toMatchObject({ logged: 31, unaccounted: 0 });
    expect(await scene.count()).toBe(31);
  });

  test('ends within its deadlines while Redis is away', async () => {
    const worker = await scene.worker({ SHUTDOWN_TIMEOUT: '3s' });
    await answer(1);
    await until(async () => (await scene.count()) === 1);
    await servers.redis.kill();
    const { receipt, ms } = await worker.stop();
    expect(receipt).toMatchObject({ logged: 1 });
    expect(ms).toBeLessThan(9_000);
  });

  test('goes on by itself after Redis was killed and is back', async () => {
    await scene.worker();
    const api = await scene.api();
    await until(async () => (await sum(api, [1])).status === 200);
    await servers.redis.kill();
    await servers.redis.start();
    await until(async () => (await sum(api, [2])).status === 200);
    await until(async () => (await scene.count()) === 2);
  });

  test('two workers on one queue log everything once', async () => {
    const workers = [await scene.worker(), await scene.worker()];
    const load = new TurningLoad(await scene.api());
    await load.untilAnswered(3_000);
    await load.stop();
    await until(async () => (await scene.count()) >= load.sent);
    expect(await scene.verdict(load)).toMatchObject({ stored: load.sent, lost: 0, twice: 0 });
    const endings = await Promise.all(workers.map((worker) => worker.stop()));
    for (const { receipt } of endings) expect(receipt?.['logged']).toBeGreaterThan(0);
  });

  test('refused lines among good ones go to quarantine with the reason, and the good ones are stored', async () => {
    const connection = new Redis(scene.env['REDIS_URL'] ?? '', { maxRetriesPerRequest: null });
    const queue = new Queue(QUEUE_NAME, { connection, prefix: scene.env['QUEUE_PREFIX'] ?? '' });
    const good = Array.from(
      { length: 20 },
      (_, n) => `operation,instance=i,name=sum numbers=1i,result=${n} ${1e18 + n * 1e3}`,
    );
    const bad = ['operation,instance=i,name=sum numbers=1i,result="text" 1000000000000000001', 'not a line'];
    const lines = [...good.slice(0, 7), bad[0], ...good.slice(7, 13), bad[1], ...good.slice(13)].join('\n');
    await queue.add(JOB_NAME, { lines }, { ...JOB_OPTIONS, jobId: 'i.0' });
    await queue.add(JOB_NAME, { unknown: true }, { ...JOB_OPTIONS, jobId: 'i.1' });
    const worker = await scene.worker();
    await until(async () => (await scene.count()) === 20);
    const kept = () =>
      scene.postgres.sql`SELECT chunk_id, line, status, reason FROM quarantine ORDER BY line`;
    await until(async () => (await kept()).length === 3);
    expect([...(await kept())]).toEqual([
      { chunk_id: 'i.0', line: bad[1], status: 400, reason: expect.stringMatching(/\w/) as unknown },
      {
        chunk_id: 'i.0',
        line: bad[0],
        status: expect.toBeOneOf([400, 422]) as unknown,
        reason: expect.stringMatching(/conflict/) as unknown,
      },
      { chunk_id: 'i.1', line: '{"unknown":true}', status: 0, reason: expect.any(String) as unknown },
    ]);
    const { receipt } = await worker.stop();
    expect(receipt).toMatchObject({ logged: 20, quarantined: 2 });
    expect(await queue.getJobCounts()).toMatchObject({ waiting: 0, active: 0, failed: 0 });
    await queue.close();
    connection.disconnect();
  });

  test('an operation older than the bucket keeps goes to quarantine with that reason, and is not tried for ever', async () => {
    await keepOneHour();
    const connection = new Redis(scene.env['REDIS_URL'] ?? '', { maxRetriesPerRequest: null });
    const queue = new Queue(QUEUE_NAME, { connection, prefix: scene.env['QUEUE_PREFIX'] ?? '' });
    const line = (ageMs: number) =>
      `operation,instance=i,name=sum numbers=1i,result=1 ${BigInt(Date.now() - ageMs) * 1_000_000n}`;
    const old = line(5 * 3_600_000);
    await queue.add(JOB_NAME, { lines: `${old}\n${line(0)}` }, { ...JOB_OPTIONS, jobId: 'i.0' });
    await scene.worker();
    const kept = () => scene.postgres.sql`SELECT line, reason FROM quarantine`;
    await until(async () => (await kept()).length === 1);
    expect([...(await kept())]).toEqual([
      { line: old, reason: expect.stringMatching(/retention/) as unknown },
    ]);
    await until(async () => (await scene.count()) === 1 && (await queue.getActiveCount()) === 0);
    await queue.close();
    connection.disconnect();
  });

  async function keepOneHour(): Promise<void> {
    const { INFLUX_BUCKET: name, INFLUX_ORG: org } = scene.config;
    if (generation === 1) {
      await scene.influx.query(
        `ALTER RETENTION POLICY "autogen" ON "${name}" DURATION 1h SHARD DURATION 1h`,
        'POST',
      );
      return;
    }
    const found = await scene.influx.request('GET', `/api/v2/buckets?${new URLSearchParams({ name, org })}`);
    const { buckets } = JSON.parse(found) as { buckets: readonly { id: string }[] };
    const retentionRules = [{ type: 'expire', everySeconds: 3_600, shardGroupDurationSeconds: 3_600 }];
    await scene.influx.request('PATCH', `/api/v2/buckets/${buckets[0]?.id}`, { retentionRules });
  }
});
