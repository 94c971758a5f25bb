import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ApiProcess, WAYS } from './api-process.js';
import { turn } from './latch.js';
import { parseLine } from './line-protocol.js';

const MIB = 1024 * 1024;

describe.each(WAYS)('the API %s', (way) => {
  let api: ApiProcess;
  beforeEach(() => {
    api = new ApiProcess({ way });
  });
  afterEach(() => api[Symbol.asyncDispose]());

  /** A body of so many bytes that is right but for its size. */
  const sized = (bytes: number) => `{"numbers":[1,2]${' '.repeat(bytes - 17)}}`;

  /** The same in pieces, so that nobody can say its length beforehand. */
  function streamed(text: string, onPiece: () => void = () => undefined): ReadableStream {
    const bytes = new TextEncoder().encode(text);
    let sent = 0;
    return new ReadableStream({
      pull(controller) {
        onPiece();
        if (sent >= bytes.length) return controller.close();
        controller.enqueue(bytes.subarray(sent, (sent += 64 * 1024)));
      },
    });
  }

  describe('POST /sum', () => {
    test('answers the sum with the id of the operation, in the body and in X-Operation-Id', async () => {
      const { status, headers, type, json } = await api.sum('{"numbers":[1,2,3,4]}');
      const { timestamp } = parseLine(api.lines[0] ?? '');
      expect([status, type]).toEqual([200, 'application/json']);
      expect(json).toEqual({ result: 10, id: `${timestamp}-i` });
      expect(headers.get('X-Operation-Id')).toBe(`${timestamp}-i`);
    });

    test.each([
      ['[]', 0],
      [`[${Array(10).fill('0.1').join()}]`, 1],
      ['[1e308,1e308,-1e308]', 1e308],
      ['[-0]', 0],
      ['[5e-324]', 5e-324],
    ])('sums %s to %d', async (numbers, result) => {
      expect(await api.sum(`{"numbers":${numbers}}`)).toMatchObject({ status: 200, json: { result } });
      expect(Number(parseLine(api.lines[0] ?? '').fields['result'])).toBe(result);
    });

    test('is answered only after the operation is accepted', async () => {
      api.store.always = undefined;
      let answered = false;
      const answer = api.sum('{"numbers":[1]}').finally(() => (answered = true));
      while (api.store.waiting === 0) await turn();
      await turn();
      expect([answered, api.recorder.pending]).toEqual([false, 1]);
      api.store.has();
      expect((await answer).status).toBe(200);
    });

    test('takes as long as SUM_DELAY, before the operation is recorded', async () => {
      api = new ApiProcess({ way, sumDelayMs: 60 });
      const started = performance.now();
      const answer = api.sum('{"numbers":[1]}');
      await turn();
      expect(api.lines).toEqual([]);
      expect((await answer).status).toBe(200);
      expect(performance.now() - started).toBeGreaterThanOrEqual(59);
    });

    test.each([
      'application/json',
      'APPLICATION/JSON',
      'application/json;charset=utf-8',
      'application/json; charset="UTF-8"',
    ])('takes %s', async (type) => {
      expect((await api.sum('{"numbers":[1]}', { 'Content-Type': type })).status).toBe(200);
    });
  });

  describe('a request that is malformed', () => {
    const problem = 'application/problem+json';

    test.each([
      ['not JSON', '{"numbers":[1,2', [['', /^is not JSON/]]],
      ['no body', '', [['', /^is not JSON/]]],
      ['the wrong shape', '[1,2]', [['', /^must be an object/]]],
      ['no numbers', '{}', [['/numbers', /array of numbers/]]],
      ['numbers that are not finite', '{"numbers":[1e999]}', [['/numbers/0', /finite number/]]],
      [
        'several faults',
        '{"numbers":["1",2,null],"x":1}',
        [
          ['/numbers/0', /finite number/],
          ['/numbers/2', /finite number/],
          ['/x', /not a known field/],
        ],
      ],
    ] as const)('with %s is a 400 that lists every fault, and records nothing', async (_, body, faults) => {
      const { status, type, json } = await api.sum(body);
      expect([status, type]).toEqual([400, problem]);
      expect(json).toEqual({
        type: 'urn:tally:problem:invalid-request',
        title: 'The request is malformed',
        status: 400,
        faults: faults.length,
        errors: faults.map(([pointer, detail]) => ({
          pointer,
          detail: expect.stringMatching(detail) as string,
        })),
      });
      expect(api.lines).toEqual([]);
    });

    test('whose sum overflows is a 400, and not null or Infinity', async () => {
      expect(await api.sum('{"numbers":[1e308,1e308]}')).toMatchObject({
        status: 400,
        type: problem,
        json: { type: 'urn:tally:problem:overflow', errors: [{ pointer: '/numbers' }] },
      });
      expect(api.lines).toEqual([]);
    });

    test('in a hundred thousand places counts all of them, and lists the first hundred', async () => {
      const { status, json, text } = await api.sum(`{"numbers":[${Array(100_000).fill('""').join()}]}`);
      expect([status, json['faults']]).toEqual([400, 100_000]);
      expect(json['errors']).toHaveLength(100);
      expect(text.length).toBeLessThan(10_000);
    });

    test('of more than 1 MiB is a 413, and of exactly 1 MiB is none', async () => {
      expect((await api.sum(sized(MIB))).status).toBe(200);
      expect(await api.sum(sized(MIB + 1), { 'Content-Length': String(MIB + 1) })).toMatchObject({
        status: 413,
        type: problem,
        json: { type: 'urn:tally:problem:too-large', status: 413 },
      });
      expect(api.lines).toHaveLength(1);
    });

    test('of more than 1 MiB in pieces, without a Content-Length, is a 413 before all of it was read', async () => {
      expect((await api.sum(streamed(sized(MIB)))).status).toBe(200);
      let pieces = 0;
      const answer = await api.sum(streamed(sized(64 * MIB), () => pieces++));
      expect([answer.status, answer.type]).toEqual([413, problem]);
      expect(pieces).toBeLessThan(30);
      expect(api.lines).toHaveLength(1);
    });

    test.each([
      ['text/plain', {}],
      ['application/x-www-form-urlencoded', {}],
      ['application/jsonp', {}],
      ['application/json; charset=latin1', {}],
      ['', {}],
      ['application/json', { 'Content-Encoding': 'gzip' }],
    ])('of type "%s" with %j is a 415 that says what is taken', async (type, headers) => {
      const answer = await api.sum('{"numbers":[1]}', { 'Content-Type': type, ...headers });
      expect(answer).toMatchObject({ status: 415, type: problem, json: { status: 415 } });
      expect(answer.headers.get('Accept')).toBe('application/json');
      expect(api.lines).toEqual([]);
    });

    test.each(['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])(
      'as %s is a 405 that says what is allowed',
      async (method) => {
        const answer = await api.request('/sum', { method });
        expect(answer).toMatchObject({ status: 405, type: problem, json: { status: 405 } });
        expect(answer.headers.get('Allow')).toBe('POST');
      },
    );

    test.each(['/', '/sums', '/sum/', '/sum/1', '/%00', '/metrics', '/livez'])(
      'to %s is a 404',
      async (path) => {
        expect(await api.request(path)).toMatchObject({ status: 404, type: problem, json: { status: 404 } });
      },
    );
  });

  describe('what cannot be kept', () => {
    test('is refused with 503 and Retry-After while no store has it, and says so without details', async () => {
      api.store.always = 'fails';
      const answer = await api.sum('{"numbers":[1]}');
      expect(answer.headers.get('Retry-After')).toBe('1');
      expect(answer.headers.get('X-Operation-Id')).toBeNull();
      expect(answer).toMatchObject({
        status: 503,
        type: 'application/problem+json',
        json: { type: 'urn:tally:problem:unavailable', status: 503 },
      });
      expect(answer.text).not.toContain('queue is away');
      expect(api.store.revoked).toEqual(api.store.asked);
    });

    test('is refused with 503 and Retry-After beyond 10,000 waiting operations, and nobody else is', async () => {
      api.store.always = undefined;
      const waiting = Array.from({ length: 10_000 }, () =>
        api.recorder.record({ name: 'sum', numbers: 1, result: 1 }),
      );
      const refused = await api.sum('{"numbers":[1]}');
      expect(refused).toMatchObject({ status: 503, json: { type: 'urn:tally:problem:overloaded' } });
      expect(refused.headers.get('Retry-After')).toBe('1');
      api.store.always = 'has';
      api.store.has();
      expect(await Promise.all(waiting)).toHaveLength(10_000);
    });
  });

  test('a fault of ours is a 500 that tells nothing of it', async () => {
    api = new ApiProcess({ way, record: () => Promise.reject(new Error('redis://:secret@host broke')) });
    const answer = await api.sum('{"numbers":[1]}', { 'X-Request-Id': 'mine' });
    expect(answer).toMatchObject({ status: 500, type: 'application/problem+json' });
    expect(answer.json).toEqual({
      type: 'urn:tally:problem:internal',
      title: expect.any(String) as string,
      status: 500,
    });
    expect(answer.text).not.toMatch(/secret|redis|broke|stack|at /);
    expect(answer.headers.get('X-Request-Id')).toBe('mine');
  });

  test('GET /version tells who answers, and in which state', async () => {
    api.lifecycle.ready();
    expect(await api.request('/version')).toMatchObject({
      status: 200,
      json: { ...api.about, state: 'ready' },
    });
    api.lifecycle.stop('SIGTERM');
    expect((await api.request('/version')).json['state']).toBe('draining');
  });

  test('every answer is counted by route and status, and unknown addresses as one', async () => {
    await api.sum('{"numbers":[1]}');
    await api.sum('{');
    await api.request('/a');
    await api.request('/b');
    await api.request('/sum');
    expect(api.answered.map(([route, status]) => `${route} ${status}`)).toEqual([
      '/sum 200',
      '/sum 400',
      'unknown 404',
      'unknown 404',
      '/sum 405',
    ]);
  });
});
