import { afterEach, describe, expect, test } from 'vitest';
import { Lines } from '../src/shared/lines.js';
import { clearOperations, createBucket } from '../src/shared/bucket.js';
import { countOperations } from '../src/shared/counts.js';
import { Influx, type InfluxConfig } from '../src/shared/influx.js';
import { StandIn, type Asked, type Reply } from './stand-in.js';

const OK = { status: 204 };

let standIn: StandIn | undefined;
let influx: Influx | undefined;
afterEach(async () => {
  influx?.[Symbol.dispose]();
  await standIn?.[Symbol.asyncDispose]();
});

/** A stand-in that says this on `/ping`, and this on every other path. */
async function open(
  ping: Reply,
  reply: (asked: Asked) => Reply = () => OK,
  settings: Partial<InfluxConfig> = {},
) {
  const server = await StandIn.open((asked) => (asked.path === '/ping' ? ping : reply(asked)));
  standIn = server;
  const config = {
    INFLUX_URL: server.url,
    INFLUX_TOKEN: '',
    INFLUX_ORG: '',
    INFLUX_BUCKET: 'b',
    ...settings,
  };
  const client = new Influx(config);
  influx = client;
  return { server, influx: client, config };
}

const header = (version: string): Reply => ({ status: 204, headers: { 'X-Influxdb-Version': version } });
const json = (body: unknown, status = 200): Reply => ({ status, body: JSON.stringify(body) });
const V3 = json({ version: '3.2.1', revision: 'abc', product_name: 'InfluxDB 3 Core' });

describe('the version of an InfluxDB', () => {
  test.each<[string, Reply, 1 | 2 | 3, string, string]>([
    ['1.6 in the header', header('1.6.7'), 1, '1.6.7', '/write'],
    ['Debian in the header', header('1.6.7~rc0'), 1, '1.6.7~rc0', '/write'],
    ['1.8 in the header', header('1.8.10'), 1, '1.8.10', '/api/v2/write'],
    ['1.11 in the header', header('v1.11.8'), 1, '1.11.8', '/api/v2/write'],
    ['2.7 in the header', header('v2.7.12'), 2, '2.7.12', '/api/v2/write'],
    ['3 in the header', header('3.0.0'), 3, '3.0.0', '/api/v2/write'],
    ['3 in the body', V3, 3, '3.2.1', '/api/v2/write'],
    ['a name without a number', header('Cloud'), 2, 'Cloud', '/api/v2/write'],
    ['nothing', OK, 2, '', '/api/v2/write'],
  ])('is read from %s', async (_, ping, generation, version, writePath) => {
    const opened = await open(ping);
    const found = await opened.influx.server();
    expect([found.generation, found.version, found.writePath.split('?')[0]]).toEqual([
      generation,
      version,
      writePath,
    ]);
  });

  test('is asked for once, until it may have changed', async () => {
    const opened = await open(header('1.8.10'));
    await Promise.all([opened.influx.write(Lines.of(['a'])), opened.influx.write(Lines.of(['b']))]);
    await opened.influx.write(Lines.of(['c']));
    expect(opened.server.askedFor('/ping')).toHaveLength(1);
    opened.influx.forget();
    await opened.influx.write(Lines.of(['d']));
    expect(opened.server.askedFor('/ping')).toHaveLength(2);
  });

  test.each<[string, Reply]>([
    ['refuses', { status: 401, body: 'no' }],
    ['is overloaded', { status: 503 }],
    ['cuts the connection', 'cuts'],
  ])('is not guessed where /ping %s, and is asked for again', async (_, ping) => {
    const opened = await open(ping);
    await expect(opened.influx.server()).rejects.toMatchObject({ code: 'INFLUX' });
    await expect(opened.influx.server()).rejects.toMatchObject({ code: 'INFLUX' });
    expect(opened.server.askedFor('/ping')).toHaveLength(2);
    expect(await opened.influx.write(Lines.of(['a']))).toMatchObject({ status: undefined });
  });
});

describe('lines are written', () => {
  test.each<[string, Reply, string, Asked['search'], string]>([
    ['1.6', header('1.6.7'), '/write', { db: 'b', precision: 'ns' }, `Basic ${btoa('me:secret')}`],
    [
      '1.8',
      header('1.8.10'),
      '/api/v2/write',
      { bucket: 'b', org: 'o', precision: 'ns' },
      `Basic ${btoa('me:secret')}`,
    ],
    [
      '2.7',
      header('v2.7.12'),
      '/api/v2/write',
      { bucket: 'b', org: 'o', precision: 'ns' },
      'Token me:secret',
    ],
    ['3.2', V3, '/api/v2/write', { bucket: 'b', org: 'o', precision: 'ns' }, 'Token me:secret'],
  ])('to %s as it takes them, with its authorization', async (_, ping, path, search, authorization) => {
    const opened = await open(ping, () => OK, { INFLUX_TOKEN: 'me:secret', INFLUX_ORG: 'o' });
    expect(await opened.influx.write(Lines.of(['line one', 'line two']))).toMatchObject({ status: 204 });
    expect(opened.server.askedFor(path)).toEqual([
      { method: 'POST', path, search, authorization, body: 'line one\nline two' },
    ]);
  });

  test('without a token, without an authorization', async () => {
    const opened = await open(V3);
    await opened.influx.write(Lines.of(['a']));
    expect(opened.server.asked.map(({ authorization }) => authorization)).toEqual([undefined, undefined]);
  });
});

describe('on InfluxDB 3.x', () => {
  test('a database is made once', async () => {
    let exists = false;
    const opened = await open(V3, () => {
      if (exists) return json({ error: 'attempted to create a resource that already exists' }, 409);
      exists = true;
      return { status: 200 };
    });
    expect(await createBucket(opened.influx, opened.config)).toBe(true);
    expect(await createBucket(opened.influx, opened.config)).toBe(false);
    expect(opened.server.askedFor('/api/v3/configure/database')).toMatchObject([
      { method: 'POST', body: '{"db":"b"}' },
      { method: 'POST', body: '{"db":"b"}' },
    ]);
  });

  test('a database that may not be made is no database that is there', async () => {
    const opened = await open(V3, () => ({ status: 403, body: 'no' }));
    await expect(createBucket(opened.influx, opened.config)).rejects.toMatchObject({ status: 403 });
  });

  test('operations are counted in InfluxQL', async () => {
    const series = [
      {
        name: 'operation',
        tags: { name: 'sum' },
        columns: ['time', 'count'],
        values: [['1970-01-01T00:00:00Z', 7]],
      },
    ];
    const opened = await open(V3, () => json({ results: [{ statement_id: 0, series }] }));
    expect(await countOperations(opened.influx, { by: 'name' })).toEqual([{ tag: 'sum', count: 7 }]);
    expect(opened.server.askedFor('/query')[0]?.search).toEqual({
      db: 'b',
      q: 'SELECT COUNT("result") FROM "operation" GROUP BY "name"',
    });
  });

  test('operations are cleared by deleting their table, and none is none to clear', async () => {
    for (const reply of [{ status: 200 }, { status: 404, body: 'no such table' }]) {
      const opened = await open(V3, () => reply);
      await clearOperations(opened.influx, opened.config);
      expect(opened.server.askedFor('/api/v3/configure/table')).toMatchObject([
        { method: 'DELETE', search: { db: 'b', table: 'operation' } },
      ]);
      opened.influx[Symbol.dispose]();
      await opened.server[Symbol.asyncDispose]();
      standIn = undefined;
    }
  });

  test('operations that may not be cleared are no cleared ones', async () => {
    const opened = await open(V3, () => ({ status: 403, body: 'no' }));
    await expect(clearOperations(opened.influx, opened.config)).rejects.toMatchObject({ status: 403 });
  });
});

test('what InfluxQL answers with an error is an error, although its status is 200', async () => {
  const opened = await open(header('1.6.7'), () =>
    json({ results: [{ statement_id: 0, error: 'database not found' }] }),
  );
  await expect(countOperations(opened.influx, { by: 'name' })).rejects.toThrow('database not found');
});
