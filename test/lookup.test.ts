import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { createApp } from '../src/api/app.js';
import { Operations } from '../src/api/operations.js';
import { openPostgres } from '../src/drill/stores/open-stores.js';
import type { Store as Server } from '../src/drill/stores/store.js';
import type { Chunk } from '../src/shared/chunk.js';
import { Influx } from '../src/shared/influx.js';
import { Ledger } from '../src/shared/ledger.js';
import { Lifecycle } from '../src/shared/lifecycle.js';
import { Lines } from '../src/shared/lines.js';
import { toLine } from '../src/shared/operation.js';
import { Postgres } from '../src/shared/postgres.js';
import { quiet } from './accepting-store.js';
import { requireAsDescribed } from './described.js';
import { InfluxBucket, openServer } from './influx-bucket.js';
import { openLedger } from './ledger-database.js';
import { StandIn } from './stand-in.js';
import { until } from './latch.js';
import { TcpProxy } from '../src/drill/processes/tcp-proxy.js';

const INSTANCE = 'host-1-ab12cd34';
const FIRST_AT = 1_700_000_000_000_000_000n;

const at = (n: number) => String(FIRST_AT + BigInt(n));
const id = (n: number, instance = INSTANCE) => `${at(n)}-${instance}`;
const line = (n: number, result = n / 10) =>
  toLine({ at: at(n), instance: INSTANCE, name: 'sum', numbers: 2, result, requestId: 'r"1' });

/** What is answered for operation `n`. */
const found = (n: number, state: string) => ({
  id: id(n),
  name: 'sum',
  numbers: 2,
  result: n / 10,
  at: at(n),
  state,
});

/** A chunk of operations with consecutive times. */
const chunk = (seq: number, numbers: readonly number[]): Chunk => ({
  id: `${INSTANCE}.${seq}`,
  lines: Lines.of(numbers.map((n) => line(n))),
});

let server: Server;
beforeAll(async () => {
  server = await openPostgres();
});
afterAll(() => server?.[Symbol.asyncDispose]());

describe.each(inject('influxGenerations'))('GET /operations/{id}, with InfluxDB %s.x,', (generation) => {
  let influxServer: Server;
  let postgres: Awaited<ReturnType<typeof openLedger>>;
  let ledger: Ledger;
  let bucket: InfluxBucket;
  let answered: string[];
  let toDispose: (Disposable | AsyncDisposable)[];
  beforeAll(async () => {
    influxServer = await openServer(generation);
  });
  afterAll(() => influxServer?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    postgres = await openLedger(server);
    ledger = new Ledger(postgres);
    bucket = new InfluxBucket(influxServer);
    await bucket.create();
    answered = [];
    toDispose = [bucket, postgres];
  });
  afterEach(async () => {
    for (const resource of toDispose.toReversed()) {
      if (Symbol.asyncDispose in resource) await resource[Symbol.asyncDispose]();
      else resource[Symbol.dispose]();
    }
  });

  /** The API, with its stores at these addresses. */
  function open({ ledgerUrl = postgres.url, influxUrl = bucket.config.INFLUX_URL } = {}) {
    const connections = new Postgres({ url: ledgerUrl, application: 'test', log: quiet, connections: 2 });
    const influx = new Influx({ ...bucket.config, INFLUX_URL: influxUrl });
    const operations = new Operations({ postgres: connections, influx, log: quiet });
    toDispose.push(connections, influx, operations);
    const app = createApp({
      recorder: { record: () => Promise.reject(new Error('nobody sums here')) },
      about: { version: '1', commit: 'c', instance: 'i', startedAt: '' },
      lifecycle: new Lifecycle(),
      log: quiet,
      sumDelayMs: 0,
      findOperation: operations.find,
      onAnswer: (route, status) => void answered.push(`${route} ${status}`),
    });
    return async (path: string, init?: RequestInit) => {
      const response = await app.request(`/operations/${path}`, init);
      const { status, headers } = response;
      const answer = { status, headers, json: (await response.json()) as Record<string, unknown> };
      requireAsDescribed(init?.method ?? 'GET', `/operations/${path}`, answer);
      return answer;
    };
  }

  /** Takes the place of a store, passing on what it is sent. */
  async function proxy(url: string) {
    const opened = await TcpProxy.open(Number(new URL(url).port));
    toDispose.push(opened);
    const through = new URL(url);
    through.hostname = '127.0.0.1';
    through.port = String(opened.port);
    return Object.assign(opened, { url: through.href.replace(/\/$/, '') });
  }

  test('tells each operation of a chunk, and that it is accepted, logged or quarantined', async () => {
    const get = open();
    await ledger.add(chunk(0, [0, 1, 2]), 60_000);
    await ledger.add(chunk(1, [3]), 60_000);
    for (const n of [0, 1, 2, 3])
      expect(await get(id(n))).toMatchObject({ status: 200, json: found(n, 'accepted') });
    expect((await get(id(2))).json).toEqual(found(2, 'accepted'));
    await ledger.quarantine([{ chunk: `${INSTANCE}.0`, line: line(1), reason: 'no', status: 400 }]);
    expect((await get(id(1))).json).toEqual(found(1, 'quarantined'));
    await ledger.markLogged([`${INSTANCE}.0`]);
    expect((await get(id(0))).json).toEqual(found(0, 'logged'));
    expect((await get(id(1))).json).toEqual(found(1, 'quarantined'));
    expect((await get(id(2))).json).toEqual(found(2, 'logged'));
    expect((await get(id(3))).json).toEqual(found(3, 'accepted'));
    await postgres.sql`UPDATE quarantine SET dropped_at = now()`;
    expect((await get(id(1))).json).toEqual(found(1, 'quarantined'));
  });

  test('tells that an operation is quarantined with all of its chunk, which could not be read', async () => {
    const whole = chunk(0, [0, 1]);
    await ledger.add(whole, 0);
    await ledger.quarantine([{ chunk: whole.id, line: whole.lines.text, reason: 'not read', status: 0 }]);
    await ledger.markLogged([whole.id]);
    expect((await open()(id(1))).json).toEqual(found(1, 'quarantined'));
  });

  test('finds in InfluxDB what the ledger has not got, to the last digit', async () => {
    const get = open();
    await bucket.write([line(0), line(1, 1e300), line(2, -5e-324), line(3, 0.1 + 0.2), line(4, 0)]);
    expect((await get(id(0))).json).toEqual(found(0, 'logged'));
    expect((await get(id(1))).json).toEqual({ ...found(1, 'logged'), result: 1e300 });
    expect((await get(id(2))).json).toEqual({ ...found(2, 'logged'), result: -5e-324 });
    expect((await get(id(3))).json).toEqual({ ...found(3, 'logged'), result: 0.1 + 0.2 });
    expect((await get(id(4))).json).toEqual({ ...found(4, 'logged'), result: 0 });
  });

  test('does not know what neither has: other times, other instances, refused chunks', async () => {
    const get = open();
    await ledger.add(chunk(0, [10, 11]), 0);
    await ledger.add(chunk(1, [14]), 0);
    await ledger.writeOff(chunk(2, [20]));
    await bucket.write([line(30)]);
    for (const unknown of [
      ...[9, 12, 13, 15, 20, 29, 31].map((n) => id(n)),
      id(10, 'host-1-ab12cd3'),
      id(10, 'host-1-ab12cd345'),
      id(10, '-'),
      `0-${INSTANCE}`,
      `9223372036854775806-${INSTANCE}`,
      `9223372036854775807-${INSTANCE}`,
      at(10).slice(0, -1) + `-${INSTANCE}`,
      at(10).slice(1) + `-${INSTANCE}`,
    ]) {
      const { status, headers, json } = await get(unknown);
      expect([unknown, status, json['type']]).toEqual([unknown, 404, 'urn:tally:problem:unknown-operation']);
      expect(headers.get('Cache-Control')).toBe('no-store');
    }
  });

  test('says what an id looks like when it is none, and asks nobody', async () => {
    const get = open({ ledgerUrl: 'postgres://127.0.0.1:1/away', influxUrl: 'http://127.0.0.1:1' });
    for (const malformed of [
      '1',
      'abc',
      at(0),
      `${at(0)}-`,
      `0${id(0)}`,
      `-${id(0)}`,
      `9223372036854775808-${INSTANCE}`,
      `99999999999999999999-${INSTANCE}`,
      `${id(0)}'`,
      `${id(0)}' OR time > 0 --`,
      `${id(0)}'; DROP TABLE chunks; --`,
      `${id(0)}"; DROP MEASUREMENT "operation"`,
      `${at(0)} OR 1=1-${INSTANCE}`,
      `${id(0)}\n`,
      `${id(0)}\0`,
      `${id(0)}%`,
      '../sum',
      'é'.repeat(1_000),
    ]) {
      const { status, json } = await get(encodeURIComponent(malformed));
      expect([malformed, status]).toEqual([malformed, 404]);
      expect(json['detail']).toContain('nanoseconds, a hyphen, and the name');
    }
  });

  test('answers anything that can be asked, and never with 500', async () => {
    const get = open();
    await ledger.add(chunk(0, [0]), 0);
    const like = fc
      .tuple(fc.bigInt({ min: 0n, max: 2n ** 64n }), fc.string({ unit: 'binary', maxLength: 20 }))
      .map(([time, instance]) => `${time}-${instance}`);
    const anything = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      like,
      fc.stringMatching(/^\d{1,20}-[\w-]{1,99}$/),
    );
    await fc.assert(
      fc.asyncProperty(anything, async (asked) => {
        expect((await get(encodeURIComponent(asked))).status).toBe(404);
      }),
      { numRuns: 200 },
    );
    for (const raw of ['%', '%00', '%E0%A4%A', '%2F', 'a/b', `${id(0)}/`, '%252e'])
      expect([raw, (await get(raw)).status]).toEqual([raw, 404]);
    expect((await get(id(0))).status).toBe(200);
    expect(answered.every((label) => /^(\/operations\/:id|unknown) (404|200)$/.test(label))).toBe(true);
  });

  test('asks InfluxDB while the ledger is away, and cannot tell when that does not know', async () => {
    const get = open({ ledgerUrl: 'postgres://127.0.0.1:1/away' });
    await bucket.write([line(0)]);
    expect((await get(id(0))).json).toEqual(found(0, 'logged'));
    const { status, headers, json } = await get(id(1));
    expect([status, headers.get('Retry-After'), json['type']]).toEqual([
      503,
      '1',
      'urn:tally:problem:unavailable',
    ]);
    expect(headers.get('Cache-Control')).toBe('no-store');
    expect(JSON.stringify(json)).not.toMatch(/ECONN|127\.0\.0\.1/);
  });

  test('asks the ledger while InfluxDB is away, and cannot tell when that does not know', async () => {
    const get = open({ influxUrl: 'http://127.0.0.1:1' });
    await ledger.add(chunk(0, [0]), 0);
    expect((await get(id(0))).json).toEqual(found(0, 'accepted'));
    expect((await get(id(1))).status).toBe(503);
  });

  test('cannot tell while both are away', async () => {
    const get = open({ ledgerUrl: 'postgres://127.0.0.1:1/away', influxUrl: 'http://127.0.0.1:1' });
    for (let n = 0; n < 3; n++) expect((await get(id(0))).status).toBe(503);
  });

  test('leaves a store alone that did not answer, until it answers pings', async () => {
    let pings = 0;
    const standIn = await StandIn.open(({ path }) => {
      if (path === '/query') return 'hangs';
      return ++pings === 1 ? { status: 204, headers: { 'X-Influxdb-Version': '2.7.0' } } : { status: 503 };
    });
    toDispose.push(standIn);
    const get = open({ influxUrl: standIn.url });
    for (let n = 0; n < 20; n++) expect((await get(id(n))).status).toBe(503);
    expect(standIn.askedFor('/query')).toHaveLength(1);
  });

  test('waits for no store that does not answer, and asks it again when it does', async () => {
    const [ledgerProxy, influxProxy] = [await proxy(postgres.url), await proxy(bucket.config.INFLUX_URL)];
    const get = open({ ledgerUrl: ledgerProxy.url, influxUrl: influxProxy.url });
    await ledger.add(chunk(0, [0]), 0);
    await bucket.write([line(0)]);
    expect((await get(id(0))).json).toEqual(found(0, 'accepted'));
    ledgerProxy.stall('both');
    expect((await get(id(0))).json).toEqual(found(0, 'logged'));
    influxProxy.stall('both');
    expect((await get(id(0))).status).toBe(503);
    ledgerProxy.resume();
    await until(async () => (await get(id(0))).json['state'] === 'accepted');
    expect((await get(id(1))).status).toBe(503);
    influxProxy.resume();
    await until(async () => (await get(id(1))).status === 404);
  });

  test('does not deny a line of the ledger that only a newer version reads', async () => {
    const get = open();
    const newer = [line(0), line(1)].map((text) => text.replace('numbers', 'unit="m",numbers'));
    await ledger.add({ id: `${INSTANCE}.0`, lines: Lines.of(newer) }, 0);
    await bucket.write(newer.slice(0, 1));
    expect((await get(id(0))).json).toEqual(found(0, 'logged'));
    expect((await get(id(1))).status).toBe(503);
  });

  test('cannot tell when the tables of the ledger are not there', async () => {
    await bucket.write([line(0)]);
    await postgres.sql`DROP TABLE quarantine`;
    await ledger.add(chunk(0, [1]), 0);
    const get = open();
    expect((await get(id(0))).json).toEqual(found(0, 'logged'));
    expect((await get(id(1))).status).toBe(503);
    expect((await get(id(2))).status).toBe(503);
  });

  test('lets a cache keep only what is logged', async () => {
    const get = open();
    await ledger.add(chunk(0, [0]), 0);
    expect((await get(id(0))).headers.get('Cache-Control')).toBe('no-store');
    await ledger.markLogged([`${INSTANCE}.0`]);
    expect((await get(id(0))).headers.get('Cache-Control')).toBeNull();
  });

  test('is counted under one route, whatever the id, and allows nothing but GET', async () => {
    const get = open();
    await ledger.add(chunk(0, [0]), 0);
    await get(id(0));
    await get(id(1));
    await get('nonsense');
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const { status, headers } = await get(id(0), { method });
      expect([method, status, headers.get('Allow')]).toEqual([method, 405, 'GET']);
    }
    expect(answered).toEqual([200, 404, 404, 405, 405, 405].map((status) => `/operations/:id ${status}`));
  });
});
