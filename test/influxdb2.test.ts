import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Store as Server } from '../src/drill/stores/store.js';
import { judge } from '../src/worker/store.js';
import { InfluxBucket, lineAt, linesAt, openServer } from './influx-bucket.js';

const HOUR_SECONDS = 3_600;

describe('a real InfluxDB 2.x', () => {
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
    const answer = await wrong.influx.write([lineAt(0)]);
    expect([answer.status, judge(answer)]).toEqual([401, 'misconfigured']);
    const message = expect.not.stringContaining('hunter2') as string;
    for (const refused of [wrong.count(), wrong.create(), wrong.clear()])
      await expect(refused).rejects.toMatchObject({ code: 'INFLUX', status: 401, message });
    expect(await bucket.count()).toBe(0);
  });

  test('with a wrong organization is misconfigured, and says which one', async () => {
    using wrong = new InfluxBucket(server, { INFLUX_ORG: 'nobody' });
    expect(judge(await wrong.influx.write([lineAt(0)]))).toBe('misconfigured');
    await expect(wrong.create()).rejects.toMatchObject({
      code: 'INFLUX',
      message: expect.stringContaining('nobody') as string,
    });
  });

  test('without an organization is not set up by guessing one', async () => {
    using nowhere = new InfluxBucket(server, { INFLUX_ORG: '' });
    await expect(nowhere.create()).rejects.toThrow('needs INFLUX_ORG');
  });
});
