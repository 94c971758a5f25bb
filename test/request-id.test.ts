import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ApiProcess, WAYS } from './api-process.js';
import { parseLine } from './line-protocol.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

describe.each(WAYS)('the API %s', (way) => {
  let api: ApiProcess;
  beforeEach(() => {
    api = new ApiProcess({ way });
  });
  afterEach(() => api[Symbol.asyncDispose]());

  const recorded = () => parseLine(api.lines[0] ?? '');

  describe('X-Request-Id', () => {
    test.each(['a', 'A-1_b.c', '0'.repeat(128)])(
      'is echoed and kept when it is well-formed: %s',
      async (id) => {
        const { headers } = await api.sum('{"numbers":[1]}', { 'X-Request-Id': id });
        expect(headers.get('X-Request-Id')).toBe(id);
        expect(recorded().fields['request_id']).toBe(id);
      },
    );

    test.each([
      '',
      '0'.repeat(129),
      'a b',
      'a,b',
      'a"b',
      'a\\',
      'a=b',
      '<script>',
      '",result=99 1',
      'a/../b',
      'caf\u00e9',
    ])('is replaced when it is not, in the answer and in the line: %j', async (id) => {
      const { status, headers } = await api.sum('{"numbers":[1]}', { 'X-Request-Id': id });
      expect([status, headers.get('X-Request-Id')]).toEqual([200, expect.stringMatching(UUID)]);
      expect(recorded().fields['request_id']).toBe(headers.get('X-Request-Id'));
    });

    test('is given when there is none, and then is no field: nobody will ask for it', async () => {
      const { headers } = await api.sum('{"numbers":[1]}');
      expect(headers.get('X-Request-Id')).toMatch(UUID);
      expect(Object.keys(recorded().fields)).toEqual(['numbers', 'result']);
    });

    test('given twice is one that is not well-formed', async () => {
      const headers = new Headers([
        ['Content-Type', 'application/json'],
        ['X-Request-Id', 'one'],
        ['X-Request-Id', 'two'],
      ]);
      const answer = await api.request('/sum', { method: 'POST', headers, body: '{"numbers":[1]}' });
      expect(answer.headers.get('X-Request-Id')).toMatch(UUID);
    });

    test('comes back with every answer, also with those that say no', async () => {
      const headers = { 'X-Request-Id': 'mine' };
      api.store.always = 'fails';
      const answers = [
        await api.sum('{', headers),
        await api.sum('{"numbers":[1]}', { ...headers, 'Content-Type': 'text/plain' }),
        await api.sum('{"numbers":[1]}', headers),
        await api.sum(`{${' '.repeat(1024 * 1024)}}`, { ...headers, 'Content-Length': '1048578' }),
        await api.request('/sum', { headers }),
        await api.request('/nowhere', { headers }),
        await api.request('/version', { headers }),
      ];
      expect(answers.map(({ status }) => status)).toEqual([400, 415, 503, 413, 405, 404, 200]);
      for (const answer of answers) expect(answer.headers.get('X-Request-Id')).toBe('mine');
    });

    test('never becomes a tag, nor anything else of a caller does', async () => {
      await api.sum('{"numbers":[1]}', { 'X-Request-Id': 'mine', 'User-Agent': 'theirs', Host: 'evil' });
      expect(recorded().tags).toEqual({ instance: 'i', name: 'sum' });
    });
  });
});
