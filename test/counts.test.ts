import { describe, expect, test, vi } from 'vitest';
import { createApp } from '../src/api/app.js';
import { Counts } from '../src/api/counts.js';
import type { Store as Server } from '../src/drill/stores/store.js';
import { MINUTE } from '../src/shared/duration.js';
import { Influx } from '../src/shared/influx.js';
import type { Ledger } from '../src/shared/ledger.js';
import { Lifecycle } from '../src/shared/lifecycle.js';
import { Lines } from '../src/shared/lines.js';
import type { Postgres } from '../src/shared/postgres.js';
import { quiet } from './accepting-store.js';
import { requireAsDescribed } from './described.js';
import { type InfluxBucket, lineAt } from './influx-bucket.js';
import { useStores } from './use-stores.js';

let database: Server;
let bucket: InfluxBucket;
let postgres: Postgres;
let ledger: Ledger;
useStores((stores) => ({ bucket, postgres, ledger, database } = stores));

/** The API, counting on these stores. */
function api({ influx = bucket.influx } = {}) {
  const counts = new Counts({ postgres, influx, bucket: bucket.config }, quiet);
  return createApp({
    recorder: { record: () => Promise.reject(new Error('nothing is recorded here')) },
    about: { version: '1', commit: 'c', instance: 'i', startedAt: '' },
    lifecycle: new Lifecycle(),
    log: quiet,
    sumDelayMs: 0,
    countSince: counts.since,
  });
}

async function get(app: ReturnType<typeof api>, path: string) {
  const response = await app.request(path);
  const answer = {
    status: response.status,
    headers: response.headers,
    json: (await response.json()) as object,
  };
  requireAsDescribed('GET', path, answer);
  return answer;
}

const chunkOf = (seq: number, agoMs = 0) => ({
  id: `i.${seq}`,
  lines: Lines.of([lineAt(seq, { at: String(BigInt(Date.now() - agoMs) * 1_000_000n) })]),
});

describe('GET /counts', () => {
  test('counts what was accepted in the window, by what became of it', async () => {
    const [old, logged, lost, refused] = [
      chunkOf(0, 120 * MINUTE),
      chunkOf(1, 3),
      chunkOf(2, 2),
      chunkOf(3, 1),
    ];
    await ledger.addLogged([old, logged, lost, refused]);
    await bucket.write([old.lines.text, logged.lines.text]);
    await ledger.quarantine([{ chunk: refused.id, line: refused.lines.text, reason: 'no', status: 400 }]);
    await ledger.add(chunkOf(4), MINUTE);
    const app = api();
    const { status, json } = await get(app, '/counts?since=1h');
    expect([status, json]).toEqual([
      200,
      { accepted: 4, logged: 1, quarantined: 1, dropped: 0, pending: 1, missing: 1, extra: 0 },
    ]);
    expect((await get(app, '/counts')).json).toMatchObject({ accepted: 5, logged: 2 });
  });

  test.each(['yesterday', '1 hour', '', '-1h'])('refuses "%s" as since, and says why', async (since) => {
    const { status, headers, json } = await get(api(), `/counts?since=${encodeURIComponent(since)}`);
    expect([status, headers.get('Content-Type')]).toEqual([400, 'application/problem+json']);
    expect(json).toMatchObject({ detail: expect.stringContaining(`since: "${since}" is not`) as string });
  });

  test('refuses a window that the ledger does not reach back over, and says which would do', async () => {
    await ledger.addLogged([chunkOf(0, 120 * MINUTE)]);
    await ledger.forget(-MINUTE, 10);
    const { status, json } = await get(api(), '/counts?since=3h');
    expect(status).toBe(400);
    expect(json).toMatchObject({ detail: expect.stringMatching(/^since: .*; \d+m would do$/) as string });
  });

  test('answers 503 with Retry-After while a store is away', async () => {
    using influx = new Influx({ ...bucket.config, INFLUX_URL: 'http://127.0.0.1:1' });
    const without = async (app: ReturnType<typeof api>) => {
      const { status, headers, json } = await get(app, '/counts');
      return [status, headers.get('Content-Type'), headers.get('Retry-After'), json];
    };
    const unavailable = [503, 'application/problem+json', '1', expect.objectContaining({ status: 503 })];
    expect(await without(api({ influx }))).toEqual(unavailable);
    await database.stop();
    expect(await without(api())).toEqual(unavailable);
  });

  test('counts once for all who ask at the same time, and refuses too many windows at once', async () => {
    await ledger.addLogged([chunkOf(0)]);
    const queries = vi.spyOn(bucket.influx, 'query');
    const app = api();
    const same = await Promise.all(Array.from({ length: 50 }, () => get(app, '/counts?since=1h')));
    expect(new Set(same.map(({ status }) => status))).toEqual(new Set([200]));
    expect(queries.mock.calls.filter(([text]) => text.includes('COUNT'))).toHaveLength(1);
    const different = await Promise.all(
      Array.from({ length: 9 }, (_, n) => get(app, `/counts?since=${n + 1}h`)),
    );
    expect(different.filter(({ status }) => status === 503)).toHaveLength(5);
    expect((await get(app, '/counts?since=9h')).status).toBe(200);
  });
});
