import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { Lines } from '../src/shared/lines.js';
import type { Store as Server } from '../src/drill/stores/store.js';
import { judge } from '../src/worker/store.js';
import { parseLine } from './line-protocol.js';
import { InfluxBucket, lineAt, linesAt, openServer } from './influx-bucket.js';

describe.each(inject('influxGenerations'))('a real InfluxDB %s.x', (generation) => {
  let server: Server;
  let bucket: InfluxBucket;
  beforeAll(async () => {
    server = await openServer(generation);
  });
  afterAll(() => server?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    bucket = new InfluxBucket(server);
    await bucket.create();
  });
  afterEach(() => bucket[Symbol.dispose]());

  test('is known by its version, and written to where that version takes lines', async () => {
    const { version, generation: found, writePath } = await bucket.influx.server();
    expect(found).toBe(generation);
    expect(version).toMatch(generation === 1 ? /^1\.\d+\.\d+/ : /^2\.\d+\.\d+/);
    expect(writePath.split('?')[0]).toBe(generation === 1 ? '/write' : '/api/v2/write');
  });

  test('is set up once; a second time changes nothing and says so', async () => {
    using fresh = new InfluxBucket(server);
    expect(await fresh.create()).toBe(true);
    await fresh.write([lineAt(0)]);
    expect(await fresh.create()).toBe(false);
    expect(await fresh.count()).toBe(1);
  });

  test('is set up also for a bucket whose name is special', async () => {
    using odd = new InfluxBucket(server, { INFLUX_BUCKET: `it's a+b %41&c=d; é ${Date.now()}` });
    expect(await odd.create()).toBe(true);
    expect(await odd.create()).toBe(false);
    await odd.write([lineAt(0)]);
    expect(await odd.count()).toBe(1);
  });

  test('counts what was written, by name and by instance, ascending', async () => {
    expect(await bucket.counts({ by: 'name' })).toEqual([]);
    await bucket.write([
      lineAt(0, { instance: 'b' }),
      lineAt(1, { instance: 'a' }),
      lineAt(2, { instance: 'b', name: 'other' }),
    ]);
    expect(await bucket.counts({ by: 'name' })).toEqual([
      { tag: 'other', count: 1 },
      { tag: 'sum', count: 2 },
    ]);
    expect(await bucket.counts({ by: 'instance' })).toEqual([
      { tag: 'a', count: 1 },
      { tag: 'b', count: 2 },
    ]);
  });

  test('counts only what is recent when asked so', async () => {
    const hourAgo = String(BigInt(Date.now() - 3_600_000) * 1_000_000n);
    await bucket.write([lineAt(0, { at: hourAgo }), lineAt(1)]);
    expect(await bucket.counts({ by: 'name', sinceMs: 1_800_000 })).toEqual([{ tag: 'sum', count: 1 }]);
    expect(await bucket.counts({ by: 'name', sinceMs: 7_200_000 })).toEqual([{ tag: 'sum', count: 2 }]);
    expect(await bucket.counts({ by: 'name', sinceMs: 0 })).toEqual([]);
  });

  test('counts two operations of the same instant in two instances as two, and the same line twice as one', async () => {
    const [one, two] = [lineAt(0, { instance: 'a' }), lineAt(0, { instance: 'b' })];
    await bucket.write([one, two]);
    await bucket.write([one, two]);
    await bucket.write([two, one, one]);
    expect(await bucket.count()).toBe(2);
  });

  test('counts thousands in one request', async () => {
    await bucket.write(linesAt(5_000));
    expect(await bucket.count()).toBe(5_000);
  });

  test('keeps any string of a caller as it is, in its field, and counts its operation', async () => {
    const hostile = [
      '",result=99 1',
      'a b,c=d',
      '\\',
      '\\\\"\\',
      "'; DROP MEASUREMENT operation",
      'tab\there',
      '# no comment',
      'é€😀',
      '',
      'x'.repeat(10_000),
    ];
    await bucket.write(hostile.map((requestId, n) => lineAt(n, { requestId })));
    const points = await bucket.points();
    expect(points.map((point) => point['request_id'])).toEqual(hostile);
    for (const [n, point] of points.entries())
      expect(point).toMatchObject({ instance: 'i', name: 'sum', numbers: 1, result: n });
    expect(await bucket.count()).toBe(hostile.length);
  });

  test('keeps any tag as it is, whatever the name of a host or a calculation becomes', async () => {
    const tags = ['a b', 'a,b', 'a=b', 'a\\b', 'a\\,b', '"a"', 'é', 'a\\\\'];
    await bucket.write(tags.map((instance, n) => lineAt(n, { instance })));
    const read = (await bucket.points()).map(({ instance }) => instance);
    expect(read).toEqual(
      tags.map((_, n) => parseLine(lineAt(n, { instance: tags[n] ?? '' })).tags['instance']),
    );
    expect(await bucket.count()).toBe(tags.length);
  });

  test('keeps every result exactly, also in scientific notation', async () => {
    const results = [
      1e21,
      1e-7,
      -1e21,
      -0,
      Number.MAX_VALUE,
      -Number.MAX_VALUE,
      2 ** 53 + 2,
      0.1 + 0.2,
      1 / 3,
    ];
    await bucket.write(results.map((result, n) => lineAt(n, { result })));
    const read = (await bucket.points()).map(({ result }) => result);
    expect(read).toEqual(results.map((result) => (result === 0 ? 0 : result)));
  });

  test('keeps the smallest results exactly too', async () => {
    const results = [Number.MIN_VALUE, -Number.MIN_VALUE, 2 ** -1022];
    await bucket.write(results.map((result, n) => lineAt(n, { result })));
    expect((await bucket.points()).map(({ result }) => result)).toEqual(results);
  });

  test('has refused lines found among good ones, whatever it does with a batch that holds them', async () => {
    await bucket.write([lineAt(0)]);
    const good = linesAt(60);
    const conflict = lineAt(100).replace(/result=\d+/, 'result="text"');
    const bad = [conflict, 'not a line', `${lineAt(101)} trailing`];
    const lines = [...good.slice(0, 7), bad[0], ...good.slice(7, 30), bad[1], bad[2], ...good.slice(30)];
    const refusals = await bucket.store(lines as string[]);
    expect(refusals.map(({ line }) => line)).toEqual(bad);
    for (const { status, reason } of refusals) {
      expect([400, 422]).toContain(status);
      expect(reason).toMatch(/partial write|unable to parse|type conflict/);
    }
    expect(await bucket.count()).toBe(good.length);
    expect((await bucket.points()).map(({ result }) => result)).toEqual(good.map((_, n) => n));
  });

  test('is cleared of all operations and of nothing else', async () => {
    await bucket.write([...linesAt(100), lineAt(0, { at: '1' }), `other value=1 ${Date.now()}000000`]);
    expect(await bucket.count()).toBe(101);
    await bucket.clear();
    expect(await bucket.count()).toBe(0);
    expect(await bucket.points()).toEqual([]);
    const [other] = await bucket.influx.query('SELECT * FROM "other"');
    expect(other?.values).toHaveLength(1);
    await bucket.clear();
    await bucket.write([lineAt(0)]);
    expect(await bucket.count()).toBe(1);
  });

  test('without the bucket is misconfigured, and becomes well once it is there, with nothing lost', async () => {
    using missing = new InfluxBucket(server);
    const storing = missing.store([lineAt(0)]);
    while (missing.verdicts.length === 0) await new Promise(setImmediate);
    expect(missing.verdicts[0]).toBe('misconfigured');
    await missing.create();
    expect(await storing).toEqual([]);
    expect(await missing.count()).toBe(1);
  });

  test('that answers nothing is no reason to throw, and what it is asked afterwards is asked anew', async () => {
    using early = new InfluxBucket(server);
    await server.kill();
    try {
      expect(await early.influx.write(Lines.of([lineAt(0)]))).toMatchObject({ status: undefined });
      await expect(early.create()).rejects.toMatchObject({ code: 'INFLUX', status: undefined });
    } finally {
      await server.start();
    }
    expect(await early.create()).toBe(true);
    await early.write([lineAt(0)]);
  });
});

const HOUR_SECONDS = 3_600;

describe.each(inject('influxGenerations').filter((generation) => generation === 2))(
  'a real InfluxDB %s.x alone',
  () => {
    let server: Server;
    let bucket: InfluxBucket;
    beforeAll(async () => {
      server = await openServer(2);
    });
    afterAll(() => server?.[Symbol.asyncDispose]());
    beforeEach(() => {
      bucket = new InfluxBucket(server);
    });
    afterEach(() => bucket[Symbol.dispose]());

    /** A bucket that keeps points for an hour, as nobody but its administrator can make it. */
    async function createWithRetention() {
      const { INFLUX_BUCKET: name, INFLUX_ORG: org } = bucket.config;
      const search = new URLSearchParams({ org });
      const answer = await bucket.influx.request('GET', `/api/v2/orgs?${search}`);
      const { orgs } = JSON.parse(answer) as { orgs: { id: string }[] };
      const retentionRules = [{ type: 'expire', everySeconds: HOUR_SECONDS }];
      await bucket.influx.request('POST', '/api/v2/buckets', { orgID: orgs[0]?.id, name, retentionRules });
    }

    test('has points that are older than its bucket keeps found among good ones, and the rest is stored', async () => {
      await createWithRetention();
      const old = lineAt(0, { at: String(BigInt(Date.now() - 3 * HOUR_SECONDS * 1_000) * 1_000_000n) });
      const good = linesAt(40);
      const refusals = await bucket.store([...good.slice(0, 11), old, ...good.slice(11)]);
      expect(refusals).toEqual([
        { line: old, status: 422, reason: expect.stringContaining('dropped=1') as string },
      ]);
      expect(await bucket.count()).toBe(good.length);
    });

    test('keeps a bucket as it is that somebody else made', async () => {
      await createWithRetention();
      expect(await bucket.create()).toBe(false);
    });

    test('with the wrong token is misconfigured: everything is kept and nothing refused', async () => {
      await bucket.create();
      const { INFLUX_BUCKET } = bucket.config;
      using wrong = new InfluxBucket(server, { INFLUX_BUCKET, INFLUX_TOKEN: 'hunter2' });
      const answer = await wrong.influx.write(Lines.of([lineAt(0)]));
      expect([answer.status, judge(answer)]).toEqual([401, 'misconfigured']);
      const message = expect.not.stringContaining('hunter2') as string;
      for (const refused of [() => wrong.count(), () => wrong.create(), () => wrong.clear()])
        await expect(refused()).rejects.toMatchObject({ code: 'INFLUX', status: 401, message });
      expect(await bucket.count()).toBe(0);
    });

    test('with a wrong organization is misconfigured, and says which one', async () => {
      using wrong = new InfluxBucket(server, { INFLUX_ORG: 'nobody' });
      expect(judge(await wrong.influx.write(Lines.of([lineAt(0)])))).toBe('misconfigured');
      await expect(wrong.create()).rejects.toMatchObject({
        code: 'INFLUX',
        message: expect.stringContaining('nobody') as string,
      });
    });

    test('without an organization is not set up by guessing one', async () => {
      using nowhere = new InfluxBucket(server, { INFLUX_ORG: '' });
      await expect(nowhere.create()).rejects.toThrow('needs INFLUX_ORG');
    });
  },
);
