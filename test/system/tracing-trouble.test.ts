import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { TallyProcess } from '../../src/drill/processes/tally-process.js';
import { TemporaryFolder } from '../../src/drill/stores/temporary-folder.js';
import { until } from '../latch.js';
import { sum, type Servers } from './scene.js';
import { accepted, useTracedScene, type TracedScene } from './traced-scene.js';

const REPORTER = fileURLToPath(new URL('../loaded-modules.mjs', import.meta.url));

let traced: TracedScene;
let servers: Servers;
useTracedScene((scene, running) => {
  traced = scene;
  servers = running;
});

const said = ({ log }: TallyProcess, words: string) => log.filter(({ msg }) => msg === words);

describe('tracing that is off', () => {
  /** Modules that API and worker loaded until they had logged an operation and ended. */
  async function loaded(settings: Readonly<Record<string, string>>): Promise<string> {
    await using folder = await TemporaryFolder.create('loaded', process.env);
    const list = join(folder.path, 'modules');
    const reported = { NODE_OPTIONS: `--import=${REPORTER}`, LOADED_MODULES: list, ...settings };
    const api = await traced.api(reported);
    const worker = await traced.worker(reported);
    const before = await traced.scene.count();
    await accepted(api);
    await until(async () => (await traced.scene.count()) > before);
    for (const process of [api, worker]) expect((await process.stop()).code).toBe(0);
    return await readFile(list, 'utf8');
  }

  test('loads no module of OpenTelemetry, sends nothing, and puts nothing into the job', async () => {
    const off = { OTEL_EXPORTER_OTLP_ENDPOINT: '' };
    const modules = await loaded(off);
    expect(modules).toContain('/node_modules/hono/');
    expect(modules).not.toContain('@opentelemetry');
    await accepted(await traced.api(off), { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` });
    expect(await traced.jobs()).toEqual([{ lines: expect.any(String) }]);
    expect(traced.collector.asked).toEqual([]);
    // What is looked for would be seen.
    expect(await loaded({})).toContain('/@opentelemetry/sdk-trace-node/');
  });

  test('is what OTEL_SDK_DISABLED asks for, whatever else is set', async () => {
    expect(await loaded({ OTEL_SDK_DISABLED: 'true' })).not.toContain('@opentelemetry');
    expect(traced.collector.asked).toEqual([]);
  });
});

describe('a collector', () => {
  test('that refuses everything costs no request and no operation, and is said once, as is its return', async () => {
    traced.collector.reply = { status: 400, body: 'hunter2' };
    const api = await traced.api();
    const worker = await traced.worker();
    const [away, back] = ['spans cannot be sent; they are dropped', 'spans are sent again'];
    await until(async () => {
      await accepted(api);
      return traced.collector.asked.length > 5 && [api, worker].every((one) => said(one, away).length > 0);
    });
    expect(said(api, away)).toHaveLength(1);
    const { length } = traced.collector.asked;
    traced.collector.reply = { status: 200 };
    await until(async () => {
      await accepted(api);
      return traced.collector.asked.length > length + 3 && said(api, back).length > 0;
    });
    expect([said(api, away).length, said(api, back).length]).toEqual([1, 1]);
    const { receipt } = await api.stop();
    await traced.logged(Number(receipt?.['accepted']));
    await until(() => said(worker, back).length > 0);
    expect(said(worker, away)).toHaveLength(1);
  });

  test('that is not there costs no request and no operation, nor does one that never answers', async () => {
    const nowhere = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_EXPORTER_OTLP_TIMEOUT: '100' };
    traced.collector.reply = 'hangs';
    const patient = { OTEL_EXPORTER_OTLP_TIMEOUT: '600000' };
    const [first, second] = [await traced.api(nowhere), await traced.api(patient)];
    const workers = [await traced.worker(nowhere), await traced.worker(patient)];
    for (let n = 0; n < 20; n++) for (const api of [first, second]) await accepted(api);
    await first.logged(({ msg }) => msg === 'spans cannot be sent; they are dropped');
    await until(() => traced.collector.asked.length > 0);
    for (const process of [first, second, ...workers]) {
      const { code, receipt } = await process.stop();
      expect({ code, ...receipt }).toMatchObject({ code: 0, unaccounted: 0 });
      expect(said(process, 'the drain is stuck; ending at once')).toEqual([]);
    }
    expect(await traced.scene.count()).toBe(40);
  });

  test('gets the last spans when a process ends', async () => {
    const rarely = { OTEL_BSP_SCHEDULE_DELAY: '600000' };
    const api = await traced.api(rarely);
    const worker = await traced.worker(rarely);
    await accepted(api);
    await traced.logged(1);
    expect(traced.collector.asked).toEqual([]);
    await api.stop();
    expect(traced.collector.named('POST /sum')).toHaveLength(1);
    await worker.stop();
    expect(traced.collector.named('write')).toHaveLength(1);
  });
});

describe('a trace', () => {
  test('goes on with the next worker when one was killed', async () => {
    const first = await traced.worker({ BATCH_INTERVAL: '30s' });
    const api = await traced.api();
    await accepted(api);
    await until(async () => (await traced.jobs()).length === 0);
    await first.kill();
    await traced.worker();
    const sent = await traced.span('send operations');
    expect(await traced.span('process operations')).toMatchObject({
      traceId: sent.traceId,
      parent: sent.spanId,
      attributes: { redelivered: true, outcome: 'settled' },
    });
    expect(traced.collector.named('process operations')).toHaveLength(1);
  });

  test('of a chunk that the relay brings is one of its own, which names the chunk', async () => {
    const api = await traced.api();
    await traced.worker();
    await servers.redis.kill();
    await accepted(api);
    const chunk = (await traced.span('accept')).attributes['chunk_id'];
    await until(() =>
      traced.collector.named('relay').some(({ attributes }) => attributes['chunk_id'] === chunk),
    );
    const { traceId } = await traced.span('relay');
    expect(traceId).not.toBe((await traced.span('POST /sum')).traceId);
    expect(traced.collector.tree(traceId)).toEqual({ relay: { write: {}, 'UPDATE chunks': {} } });
  });

  test('is in the lines of log that belong to it, and in no others', async () => {
    const api = await traced.api({ LOG_LEVEL: 'debug' });
    const worker = await traced.worker();
    await servers.influxdb.kill();
    await accepted(api);
    const { traceId, spanId } = await traced.span('POST /sum');
    const answered = await api.logged(({ msg }) => msg === 'answered');
    expect(answered).toMatchObject({ trace_id: traceId, span_id: spanId });
    const away = await worker.logged(({ trace_id: id }) => id === traceId);
    expect(away['level']).toBeGreaterThanOrEqual(40);
    await servers.influxdb.start();
    const write = await traced.span('write');
    expect(away['span_id']).toBe(write.spanId);
    expect(write.events.length).toBeGreaterThan(1);
    expect(write.events.at(-1)?.attributes).toMatchObject({ verdict: 'stored' });
    for (const { log } of [api, worker])
      expect(log.find(({ msg }) => msg === 'ready')).not.toHaveProperty('trace_id');
  });
});

describe('a job', () => {
  const line = (n: number) => `operation,instance=old,name=sum numbers=1i,result=${n} ${1e18 + n * 1e3}`;

  test('of a version that does not trace is logged, and so is one whose trace is none', async () => {
    const context = (traceparent: unknown) => ({ trace: { traceparent } });
    const broken: readonly object[] = [
      {},
      { trace: 'x' },
      { trace: null },
      { trace: [] },
      context(5),
      context(''),
      context('00-zz'),
      context(`00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`),
      context('x'.repeat(100_000)),
      { trace: { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-zz`, tracestate: {} } },
    ];
    for (const [n, more] of broken.entries()) await traced.add(`old.${n}`, { lines: line(n), ...more });
    const worker = await traced.worker();
    await traced.logged(broken.length);
    expect((await worker.stop()).code).toBe(0);
    expect(traced.collector.spans).toEqual([]);
  });

  test('with a trace is logged by a worker that does not trace', async () => {
    await accepted(await traced.api());
    expect(await traced.jobs()).toMatchObject([{ trace: { traceparent: expect.any(String) } }]);
    await traced.worker({ OTEL_EXPORTER_OTLP_ENDPOINT: '' });
    await traced.logged(1);
  });
});

test('neither traces nor logs hold a secret', async () => {
  const secret = 'hunter2';
  const { DATABASE_URL = '', INFLUX_TOKEN = '' } = traced.scene.env;
  const database = new URL(DATABASE_URL);
  const password = database.password || secret;
  database.password = password;
  const collector = new URL(traced.collector.url);
  collector.username = 'me';
  collector.password = secret;
  const settings = {
    DATABASE_URL: database.href,
    INFLUX_TOKEN: INFLUX_TOKEN || `me:${secret}`,
    CHAOS_TOKEN: `${secret}-${secret}-${secret}`,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.href,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${secret}`,
    LOG_LEVEL: 'trace',
  };
  const api = await traced.api(settings);
  const worker = await traced.worker(settings);
  const ask = () =>
    fetch(`http://127.0.0.1:${api.port}/sum?token=${secret}`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        Authorization: `Bearer ${secret}`,
        Cookie: `session=${secret}`,
        'X-Request-Id': `${secret}<not well-formed>`,
        baggage: `key=${secret}`,
        'User-Agent': secret,
      },
      body: JSON.stringify({ numbers: [4242424242.125] }),
    });
  expect((await ask()).status).toBe(200);
  await traced.logged(1);
  // What fails has the most to say.
  await Promise.all([servers.postgres.kill(), servers.influxdb.kill()]);
  expect((await ask()).status).toBe(200);
  await worker.logged(({ msg }) => typeof msg === 'string' && msg.includes('influxdb'));
  await Promise.all([servers.postgres.start(), servers.influxdb.start()]);
  await traced.logged(2);
  await traced.spans('write', 2);
  expect((await sum(api, 'no numbers')).status).toBe(400);
  await traced.spans('POST /sum', 3);
  expect(traced.collector.asked.every(({ authorization }) => authorization === `Bearer ${secret}`)).toBe(
    true,
  );
  const told = [
    ...traced.collector.asked.map(({ body }) => body),
    JSON.stringify([api.log, worker.log]),
  ].join();
  for (const hidden of [secret, INFLUX_TOKEN, password, '4242424242', 'no numbers'])
    if (hidden !== '') expect(told).not.toContain(hidden);
});
