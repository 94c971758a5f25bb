import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Lines } from '../src/shared/lines.js';
import { Influx } from '../src/shared/influx.js';
import { judge, Store } from '../src/worker/store.js';
import { StandIn, type Reply } from './stand-in.js';

const PING: Reply = { status: 204, headers: { 'X-Influxdb-Version': '2.7.12' } };

let standIn: StandIn;
let influx: Influx;
let reply: (body: string) => Reply;

beforeEach(async () => {
  standIn = await StandIn.open(({ path, body }) => (path === '/ping' ? PING : reply(body)));
  influx = new Influx({ INFLUX_URL: standIn.url, INFLUX_TOKEN: '', INFLUX_ORG: 'o', INFLUX_BUCKET: 'b' });
});
afterEach(async () => {
  influx[Symbol.dispose]();
  await standIn[Symbol.asyncDispose]();
});

const writes = () => standIn.askedFor('/api/v2/write');

describe('an answer to a write', () => {
  test.each([
    ['7', 7_000],
    ['0', 0],
    [' 120 ', 120_000],
    ['Wed, 21 Oct 2026 07:28:00 GMT', undefined],
    ['-3', undefined],
    ['1.5', undefined],
    [undefined, undefined],
  ])('with Retry-After %s asks for %s milliseconds', async (header, retryAfterMs) => {
    for (const status of [429, 503]) {
      reply = () => ({
        status,
        body: 'later',
        ...(header !== undefined && { headers: { 'Retry-After': header } }),
      });
      const answer = await influx.write(Lines.of(['a']));
      expect(answer).toEqual({ status, body: 'later', retryAfterMs });
      expect(judge(answer)).toBe('unavailable');
    }
  });

  test.each<[Reply, string]>([
    [{ status: 200 }, 'stored'],
    [{ status: 201, body: 'partial' }, 'line-refused'],
    [{ status: 204 }, 'stored'],
    [{ status: 302, headers: { Location: '/elsewhere' } }, 'unavailable'],
    [{ status: 400, body: 'unable to parse' }, 'line-refused'],
    [{ status: 404, body: 'no bucket' }, 'misconfigured'],
    [{ status: 413, body: 'too large' }, 'too-large'],
    [{ status: 422, body: 'partial write' }, 'line-refused'],
    [{ status: 500, body: 'panic' }, 'unavailable'],
    ['cuts', 'unavailable'],
    ['cuts in the answer', 'unavailable'],
  ])('%j comes through the transport as %s', async (answer, verdict) => {
    reply = () => answer;
    const read = await influx.write(Lines.of(['a']));
    expect(judge(read)).toBe(verdict);
    if (typeof answer === 'object' && answer.body) expect(read.body).toBe(answer.body);
    // The client's transport must not have tried again by itself: what is sent is for the store to decide.
    expect(writes()).toHaveLength(1);
  });

  test('that never comes ends when the connection is closed, long before it counts as none', async () => {
    reply = () => 'hangs';
    const answer = influx.write(Lines.of(['a']));
    await standIn.isAskedFor('/api/v2/write');
    influx[Symbol.dispose]();
    expect(judge(await answer)).toBe('unavailable');
  }, 5_000);

  test('that never comes counts as none after ten seconds', async () => {
    reply = () => 'hangs';
    const started = performance.now();
    const answer = await influx.write(Lines.of(['a']));
    expect(judge(answer)).toBe('unavailable');
    expect(performance.now() - started).toBeLessThan(12_000);
  });
});

describe('through the whole of the store', () => {
  function open() {
    const pausesMs: number[] = [];
    const store = new Store({
      post: (lines) => influx.write(lines),
      onAnswer: () => undefined,
      sleep: async (ms) => void pausesMs.push(ms),
    });
    return {
      pausesMs,
      store: (lines: string[]) => store.store(Lines.of(lines), new AbortController().signal),
    };
  }
  const lines = Array.from({ length: 64 }, (_, n) => `line ${n}`);

  test('a body that is too large arrives in pieces, each line once', async () => {
    reply = (body) => (body.length > 200 ? { status: 413 } : { status: 204 });
    const { store } = open();
    expect(await store(lines)).toEqual([]);
    const stored = writes().filter(({ body }) => body.length <= 200);
    expect(stored.flatMap(({ body }) => body.split('\n'))).toEqual(lines);
  });

  test('an outage of every kind loses nothing, refuses nothing, and waits as long as it is asked to', async () => {
    const outage: Reply[] = [
      { status: 503, headers: { 'Retry-After': '30' } },
      'cuts',
      { status: 429, headers: { 'Retry-After': '5' } },
      'cuts in the answer',
      { status: 401 },
      { status: 302, headers: { Location: '/elsewhere' } },
    ];
    reply = () => outage.shift() ?? { status: 204 };
    const { store, pausesMs } = open();
    expect(await store(lines)).toEqual([]);
    expect(writes().map(({ body }) => body)).toEqual(Array(7).fill(lines.join('\n')));
    expect(pausesMs).toHaveLength(6);
    expect(pausesMs[0]).toBeGreaterThanOrEqual(30_000);
    expect(pausesMs[2]).toBeGreaterThanOrEqual(5_000);
    expect(standIn.askedFor('/elsewhere')).toEqual([]);
  });
});
