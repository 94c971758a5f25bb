import { describe, expect, test } from 'vitest';
import type { TallyProcess } from '../../src/drill/processes/tally-process.js';
import { TcpProxy } from '../../src/drill/processes/tcp-proxy.js';
import { until } from '../latch.js';
import { useScene, type Scene, sum, type Servers } from './scene.js';

let servers: Servers;
let scene: Scene;
useScene((made, running) => {
  scene = made;
  servers = running;
});

/** The value of a sample as `/metrics` writes it; `undefined` when there is none. */
async function metric({ adminPort }: TallyProcess, sample: string): Promise<number | undefined> {
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.split(' ').at(-1));
}

const shows = (process: TallyProcess, sample: string, value: number | undefined) =>
  until(async () => (await metric(process, sample)) === value);

const away = (store: string) => `tally_store_away{store="${store}"}`;
const chunks = (state: string, shard = 0) => `tally_queue_chunks{shard="${shard}",state="${state}"}`;
const drains = (process: string, state: string) =>
  `tally_lifecycle_state{process="${process}",state="${state}"}`;

describe('the metrics of API and worker', () => {
  test('say which store is away, and that it is back', async () => {
    const [api, worker] = await Promise.all([scene.api(), scene.worker()]);
    const { redis, postgres, influxdb } = servers;
    for (const store of ['queue', 'ledger']) await shows(api, away(store), 0);
    for (const store of ['queue', 'ledger', 'influxdb']) await shows(worker, away(store), 0);
    expect(await metric(api, away('influxdb'))).toBeUndefined();
    for (const [server, store] of [
      [redis, 'queue'],
      [postgres, 'ledger'],
    ] as const) {
      await server.kill();
      expect((await sum(api, [1])).status).toBe(200);
      await Promise.all([shows(api, away(store), 1), shows(worker, away(store), 1)]);
      await server.start();
      await Promise.all([shows(api, away(store), 0), shows(worker, away(store), 0)]);
    }
    await influxdb.kill();
    expect((await sum(api, [1])).status).toBe(200);
    await shows(worker, away('influxdb'), 1);
    await influxdb.start();
    await shows(worker, away('influxdb'), 0);
  });

  test('say that a queue is away which keeps its connections and is silent', async () => {
    await using proxy = await TcpProxy.open(Number(new URL(servers.redis.url).port));
    const worker = await scene.worker({ REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
    await shows(worker, away('queue'), 0);
    proxy.stall('answers');
    await shows(worker, away('queue'), 1);
    proxy.resume();
    await shows(worker, away('queue'), 0);
  });

  test('say which shard of the queue is there, under the name that the log has for it', async () => {
    const worker = await scene.worker({ QUEUE_SHARDS: '2' });
    for (const shard of [0, 1]) {
      await shows(worker, away(`queue-${shard}`), 0);
      await shows(worker, chunks('waiting', shard), 0);
    }
    expect(await metric(worker, away('queue'))).toBeUndefined();
  });

  test('count the chunks of the queue by what they wait for', async () => {
    const [api, worker] = await Promise.all([scene.api(), scene.worker({ BATCH_INTERVAL: '60s' })]);
    for (const state of ['waiting', 'active', 'unrecorded']) await shows(worker, chunks(state), 0);
    for (let n = 0; n < 5; n++) expect((await sum(api, [n])).status).toBe(200);
    await shows(worker, chunks('active'), 5);
    await worker.stop();
    const next = await scene.worker({ BATCH_INTERVAL: '100ms' });
    for (const state of ['waiting', 'active', 'unrecorded']) await shows(next, chunks(state), 0);
    await servers.postgres.kill();
    for (let n = 0; n < 3; n++) expect((await sum(api, [n])).status).toBe(200);
    await shows(next, chunks('unrecorded'), 3);
    await servers.postgres.start();
    await shows(next, chunks('unrecorded'), 0);
  });

  test('have no count of a queue that is away', async () => {
    const worker = await scene.worker();
    await shows(worker, chunks('waiting'), 0);
    await servers.redis.kill();
    await shows(worker, chunks('waiting'), undefined);
  });

  test('tell how long each chunk took from acceptance to InfluxDB', async () => {
    const [api, worker] = await Promise.all([scene.api(), scene.worker({ BATCH_INTERVAL: '1s' })]);
    for (let n = 0; n < 4; n++) expect((await sum(api, [n])).status).toBe(200);
    await shows(worker, 'tally_accepted_to_logged_seconds_count', 4);
    // The first of them waited for the whole interval.
    expect(await metric(worker, 'tally_accepted_to_logged_seconds_sum')).toBeGreaterThanOrEqual(1);
    expect(await metric(worker, 'tally_accepted_to_logged_seconds_bucket{le="0.05"}')).toBe(0);
  });

  test('say which version runs, and that it drains', async () => {
    const api = await scene.api({ SHUTDOWN_DELAY: '5s' });
    const { version, commit } = (await (
      await fetch(`http://127.0.0.1:${api.port}/version`)
    ).json()) as Record<string, string>;
    await shows(api, `tally_build_info{process="api",version="${version}",commit="${commit}"}`, 1);
    await shows(api, drains('api', 'ready'), 1);
    expect(await metric(api, drains('api', 'draining'))).toBe(0);
    api.signal('SIGTERM');
    await shows(api, drains('api', 'draining'), 1);
    expect(await metric(api, drains('api', 'ready'))).toBe(0);
  });

  test('count from 0 what has not happened yet, so that its first time is an increase', async () => {
    const [api, worker] = await Promise.all([scene.api(), scene.worker()]);
    expect(await metric(api, 'tally_operations_total{outcome="refused"}')).toBe(0);
    for (const sample of [
      'tally_settled_operations_total{outcome="quarantined"}',
      'tally_batches_total{reason="drain"}',
      'tally_influx_answers_total{verdict="misconfigured"}',
    ])
      expect(await metric(worker, sample), sample).toBe(0);
  });
});
