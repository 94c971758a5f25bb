import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { livePage } from '../src/api/live/page.js';

const PATHS = ['/live', '/live/page.js', '/live/page.css'];

const app = new Hono().route('/', livePage());

const ask = (path: string, headers: Readonly<Record<string, string>> = {}) => app.request(path, { headers });

test('the page weighs at most 150 kB compressed, all in', async () => {
  const sizes = await Promise.all(
    PATHS.map(async (path) => {
      const answer = await ask(path, { 'Accept-Encoding': 'gzip, deflate' });
      expect(answer.headers.get('Content-Encoding')).toBe('gzip');
      return (await answer.arrayBuffer()).byteLength;
    }),
  );
  const weight = sizes.reduce((one, other) => one + other, 0);
  expect(Math.min(...sizes)).toBeGreaterThan(0);
  expect(weight).toBeLessThanOrEqual(150_000);
});

test.each([
  ['gzip, deflate, br, zstd', 'br'],
  ['gzip, br;q=0', 'gzip'],
  ['br;q=0.5', 'br'],
  ['deflate', null],
  ['', null],
])('who accepts "%s" gets it as %s', async (accepted, encoding) => {
  const answer = await ask('/live/page.js', { 'Accept-Encoding': accepted });
  expect(answer.headers.get('Content-Encoding')).toBe(encoding);
  expect(answer.headers.get('Vary')).toBe('Accept-Encoding');
});

test.each(PATHS)('%s is asked for each time, and sent only when it is another', async (path) => {
  const first = await ask(path);
  expect(first.headers.get('Cache-Control')).toBe('no-cache');
  const tag = first.headers.get('ETag') ?? '';
  const again = await ask(path, { 'If-None-Match': tag });
  expect([again.status, await again.text()]).toEqual([304, '']);
  expect((await ask(path, { 'If-None-Match': '"another"' })).status).toBe(200);
  expect((await ask(path, { 'Accept-Encoding': 'br' })).headers.get('ETag')).not.toBe(tag);
});

test.each(PATHS)('%s allows its own files and nothing else, and sets no cookie', async (path) => {
  const { headers } = await ask(path);
  const policy = new Map(
    (headers.get('Content-Security-Policy') ?? '').split(';').map((directive) => {
      const [name = '', ...values] = directive.trim().split(' ');
      return [name, values.join(' ')] as const;
    }),
  );
  expect(Object.fromEntries(policy)).toEqual({
    'default-src': "'none'",
    'script-src': "'self'",
    'style-src': "'self'",
    'connect-src': "'self'",
    'img-src': 'data:',
    'base-uri': "'none'",
    'form-action': "'none'",
    'frame-ancestors': "'none'",
    'require-trusted-types-for': "'script'",
    'trusted-types': "'none'",
  });
  expect(Object.fromEntries(headers)).toMatchObject({
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
  });
  expect(headers.has('Set-Cookie')).toBe(false);
  expect(headers.has('Strict-Transport-Security')).toBe(false);
});

test('the page names no address outside of the deployment, and no script or style of its own in its markup', async () => {
  const [html = '', script = '', style = ''] = await Promise.all(
    PATHS.map(async (path) => (await ask(path)).text()),
  );
  const addresses = [...`${html}${script}${style}`.matchAll(/\b(?:https?|wss?):\/\/[^\s'"`)]+/g)].map(
    ([address]) => address,
  );
  expect(addresses.filter((address) => !address.startsWith('http://www.w3.org/'))).toEqual([]);
  expect(html).not.toMatch(/<style|<script(?![^>]* src=)|\son\w+=|\sstyle=/);
});

test('/live/ leads to /live, wherever the service is', async () => {
  const answer = await ask('/live/');
  expect([answer.status, answer.headers.get('Location')]).toEqual([308, '../live']);
});
