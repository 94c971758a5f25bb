import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Validator } from '@seriousme/openapi-schema-validator';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Hono } from 'hono';
import { createApp, type AppOptions } from '../src/api/app.js';
import { answerCrash } from '../src/api/crash.js';
import { Streams } from '../src/api/live/streams.js';
import { RefusedError } from '../src/api/recorder.js';
import { SumRequest } from '../src/api/schemas.js';
import { parseSum } from '../src/api/sum.js';
import { Lifecycle } from '../src/shared/lifecycle.js';
import type { LiveSnapshot } from '../src/shared/live.js';
import { quiet } from './accepting-store.js';
import { DESCRIBED, DESCRIPTION, otherThanDescribed } from './described.js';

const ID = '1700000000000000000-host-1-ab12cd34';

const OPERATION = { name: 'sum', numbers: 1, result: 1, at: '1700000000000000000' };

const breaks = () => Promise.reject(new Error('something broke'));

const CHAOS_TOKEN = 'a-token-of-this-test';

/** The whole API, answering as these functions say. */
function apiWith(options: Partial<AppOptions> = {}) {
  const app = createApp({
    recorder: { record: async (calculation) => ({ ...OPERATION, ...calculation, instance: 'i' }) },
    about: { version: '1.2.3', commit: 'abc', instance: 'i', startedAt: '2026-01-01T00:00:00.000Z' },
    lifecycle: new Lifecycle(),
    log: quiet,
    sumDelayMs: 0,
    findOperation: async (id) => ({ ...OPERATION, id, state: 'accepted' }),
    countSince: async () => ({
      ...{ accepted: 3, logged: 1, quarantined: 1, dropped: 0, pending: 1, missing: 0, extra: 0 },
    }),
    answerCrash: answerCrash({ token: CHAOS_TOKEN, instance: 'i', log: quiet, crash: () => undefined }),
    live: liveWith(movedStreams()),
    ...options,
  });
  const request = async (path: string, init?: RequestInit) => {
    const response = await app.request(path, init);
    const text = await response.text();
    const isJson = response.headers.get('Content-Type')?.endsWith('json') && text !== '';
    return { status: response.status, headers: response.headers, json: isJson ? JSON.parse(text) : text };
  };
  const sum = (body: string, headers = {}) =>
    request('/sum', { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body });
  return { app, request, sum };
}

/** What is shown live, in as far as the description is of it. */
const liveWith = (streams: Streams) =>
  new Hono()
    .get('/live', (c) =>
      c.body('', 200, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-cache' }),
    )
    .get('/live/events', (c) => streams.answer(c));

/** As of a process that drains, whose streams have an end. */
function movedStreams(): Streams {
  const streams = new Streams(() => ({}) as LiveSnapshot);
  streams.move();
  return streams;
}

const refusing = (code: RefusedError['code']) =>
  apiWith({ recorder: { record: () => Promise.reject(new RefusedError(code)) } });

type Answers = Awaited<ReturnType<ReturnType<typeof apiWith>['request']>>;

/** What makes the API give each answer that it describes, once for each of its problems. */
const REQUESTS: Readonly<Record<string, readonly (() => Promise<Answers>)[]>> = {
  'POST /sum 200': [() => apiWith().sum('{"numbers":[1,2,3,4]}')],
  'POST /sum 400': [
    () => apiWith().sum('{"numbers":["1"]}'),
    () => apiWith().sum('{"numbers":[1e308,1e308]}'),
  ],
  'POST /sum 413': [() => apiWith().sum(' '.repeat(1024 * 1024 + 1))],
  'POST /sum 415': [() => apiWith().sum('{}', { 'Content-Type': 'text/plain' })],
  'POST /sum 500': [() => apiWith({ recorder: { record: breaks } }).sum('{"numbers":[]}')],
  'POST /sum 503': [
    () => refusing('OVERLOADED').sum('{"numbers":[]}'),
    () => refusing('UNAVAILABLE').sum('{"numbers":[]}'),
  ],
  'GET /operations/{id} 200': [() => apiWith().request(`/operations/${ID}`)],
  'GET /operations/{id} 404': [
    () => apiWith({ findOperation: async () => 'unknown' }).request(`/operations/${ID}`),
  ],
  'GET /operations/{id} 500': [() => apiWith({ findOperation: breaks }).request(`/operations/${ID}`)],
  'GET /operations/{id} 503': [
    () => apiWith({ findOperation: async () => 'unavailable' }).request(`/operations/${ID}`),
  ],
  'GET /counts 200': [() => apiWith().request('/counts')],
  'GET /counts 400': [() => apiWith().request('/counts?since=long')],
  'GET /counts 500': [() => apiWith({ countSince: breaks }).request('/counts')],
  'GET /counts 503': [() => apiWith({ countSince: async () => 'unavailable' }).request('/counts')],
  'GET /version 200': [() => apiWith().request('/version')],
  'GET /openapi.json 200': [() => apiWith().request('/openapi.json')],
  'GET /live 200': [() => apiWith().request('/live')],
  'GET /live/events 200': [() => apiWith().request('/live/events')],
  'GET /live/events 503': [
    async () => {
      const { app, request } = apiWith({ live: liveWith(new Streams(() => ({}) as LiveSnapshot)) });
      for (let stream = 0; stream < 200; stream++) await app.request('/live/events');
      return request('/live/events');
    },
  ],
  'POST /crash 202': [
    () =>
      apiWith().request('/crash', {
        method: 'POST',
        headers: { Authorization: `Bearer ${CHAOS_TOKEN}`, Prefer: 'respond-async' },
      }),
  ],
  'POST /crash 401': [() => apiWith().request('/crash', { method: 'POST' })],
  'POST /crash 429': [
    async () => {
      const { request } = apiWith();
      await request('/crash', { method: 'POST' });
      return request('/crash', { method: 'POST' });
    },
  ],
};

test('the description is a valid OpenAPI 3.1 document', async () => {
  const validator = new Validator();
  const document = JSON.parse(JSON.stringify(DESCRIPTION)) as Record<string, unknown>;
  expect(await validator.validate(document)).toEqual({ valid: true });
  expect(validator.version).toBe('3.1');
});

test('GET /openapi.json answers the description, with POST /crash and /live only where there are any', async () => {
  expect((await apiWith().request('/openapi.json')).json).toEqual(JSON.parse(JSON.stringify(DESCRIPTION)));
  const { app } = apiWith({ answerCrash: undefined as never, live: undefined as never });
  const { paths } = (await (await app.request('/openapi.json')).json()) as typeof DESCRIPTION;
  expect(Object.keys(paths ?? {})).toEqual(
    Object.keys(DESCRIPTION.paths ?? {}).filter((path) => !/^\/(crash|live)/.test(path)),
  );
});

test('every route of the API is described', () => {
  const routes = apiWith().app.routes.filter(({ path }) => path !== '/*');
  const described = new Set(routes.map(({ path }) => path.replace(/:(\w+)/g, '{$1}')));
  expect([...described].sort()).toEqual(Object.keys(DESCRIPTION.paths ?? {}).sort());
});

test.each([...DESCRIBED.keys()])('%s is answered as described, with each of its problems', async (name) => {
  const [method = '', path = '', status] = name.split(' ');
  const problems = [];
  for (const request of REQUESTS[name] ?? []) {
    const answer = await request();
    expect(answer.status).toBe(Number(status));
    expect(otherThanDescribed(method, path, answer)).toEqual([]);
    problems.push((answer.json as { type?: string }).type);
  }
  expect(problems).toEqual(problemsOf(name));
});

/** The types of the problems in an answer; of one that is none, nothing. */
function problemsOf(name: string): (string | undefined)[] {
  const { schema } = DESCRIBED.get(name)?.response.content?.['application/problem+json'] ?? {};
  return (
    (schema as { properties: { type: { enum: string[] } } } | undefined)?.properties.type.enum ?? [undefined]
  );
}

test.each([
  ['GET', '/sum'],
  ['PUT', '/counts'],
  ['POST', `/operations/${ID}`],
  ['DELETE', '/version'],
  ['POST', '/openapi.json'],
  ['GET', '/crash'],
  ['POST', '/live/events'],
  ['GET', '/'],
  ['POST', '/sums'],
  ['HEAD', '/version'],
])('%s %s, which is not described, is answered as the description says of such', async (method, path) => {
  expect(otherThanDescribed(method, path, await apiWith().request(path, { method }))).toEqual([]);
});

test('answers other than described are found out', async () => {
  const { status, headers, json } = await apiWith().sum('{"numbers":[1]}');
  const wrong = (answer: Partial<Answers>) =>
    otherThanDescribed('POST', '/sum', { status, headers, json, ...answer });
  expect(wrong({})).toEqual([]);
  expect(wrong({ status: 201 })).toHaveLength(1);
  expect(wrong({ json: { ...json, more: 1 } })).toHaveLength(1);
  expect(wrong({ json: { ...json, result: '1' } })).toHaveLength(1);
  expect(wrong({ headers: new Headers({ 'Content-Type': 'application/json' }) })).toHaveLength(2);
  expect(wrong({ headers: new Headers([...headers, ['Content-Type', 'text/html']]) })).toHaveLength(1);
});

test('what reads requests by hand finds the faults that the schema finds, in any JSON', () => {
  const numbers = fc.array(fc.oneof(fc.double(), fc.jsonValue({ maxDepth: 1 })));
  const body = fc.oneof(
    fc.record({ numbers }),
    fc.record({ numbers: fc.oneof(numbers, fc.jsonValue()), '': fc.jsonValue() }, { requiredKeys: [] }),
    fc.dictionary(fc.string(), fc.jsonValue()),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(body, (value) => {
      // JSON has no word for infinity, but a number too large is read as one.
      const text = JSON.stringify(value).replaceAll('null', '1e999');
      const parsed = parseSum(text);
      const { success, error } = SumRequest.safeParse(JSON.parse(text));
      expect(parsed.ok).toBe(success);
      if (parsed.ok) return;
      const pointers = (error?.issues ?? []).flatMap(({ path, ...issue }) =>
        issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...path, key]) : [path],
      );
      expect(parsed.faults.map(({ pointer }) => pointer).sort()).toEqual(pointers.map(toPointer).sort());
    }),
  );
});

const toPointer = (path: readonly PropertyKey[]) =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

test('docs/api.md is as the description has it', async () => {
  const script = fileURLToPath(new URL('../scripts/api-docs.mjs', import.meta.url));
  await expect(promisify(execFile)(process.execPath, [script, '--check'])).resolves.toMatchObject({
    stderr: '',
  });
});
