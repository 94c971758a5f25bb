import { expect, test } from 'vitest';
import { excuseOf, judge } from './judge.js';
import { RequestRecord, type Failure } from './record.js';
import type { Kill } from './watch.js';

const kill = (component: string, rest: Partial<Kill> = {}): Kill => ({
  ...{ component, pod: `tally-${component}-a`, atMs: 100_000, backMs: 110_000 },
  ...rest,
});

const failure = (rest: Partial<Failure>): Failure => ({
  ...{ serial: 2_000, kept: true, sentMs: 100_000, endedMs: 100_010 },
  ...rest,
});

const reset = { error: 'ECONNRESET' };

test('a request may fail on its way to a pod that is killed, and on its way to no other', () => {
  const kills = [kill('api')];
  expect(excuseOf(failure({ ...reset, by: 'tally-api-a-3f' }), kills)).toBe('killed');
  expect(excuseOf(failure({ ...reset, by: 'tally-api-b-3f' }), kills)).toBeUndefined();
  expect(excuseOf(failure(reset), kills)).toBe('killed');
  expect(excuseOf(failure(reset), [kill('worker'), kill('redis'), kill('influxdb')])).toBeUndefined();
});

test('a request may not fail long before or after a pod is killed', () => {
  const kills = [kill('api')];
  expect(excuseOf(failure({ ...reset, sentMs: 90_000, endedMs: 98_000 }), kills)).toBeUndefined();
  expect(excuseOf(failure({ ...reset, sentMs: 106_000, endedMs: 106_001 }), kills)).toBeUndefined();
  expect(excuseOf(failure({ ...reset, sentMs: 90_000, endedMs: 130_000 }), kills)).toBe('killed');
});

test('a request may be refused with 503 while Redis or Postgres is away, and at no other time', () => {
  for (const store of ['redis', 'postgres']) {
    expect(excuseOf(failure({ status: 503, sentMs: 109_000 }), [kill(store)])).toBe('no store');
    expect(excuseOf(failure({ status: 500, sentMs: 109_000 }), [kill(store)])).toBeUndefined();
    expect(
      excuseOf(failure({ status: 503, sentMs: 116_000, endedMs: 116_001 }), [kill(store)]),
    ).toBeUndefined();
  }
  expect(excuseOf(failure({ status: 503 }), [kill('api'), kill('worker'), kill('influxdb')])).toBeUndefined();
});

test('tells what is lost, there twice, wrong or invented', () => {
  const record = new RequestRecord();
  const answer = (serial: number, id: string, result = serial) =>
    record.add({ serial, id, result, kept: true, sentMs: 0, endedMs: 1 }, 0);
  answer(1_001, 'a');
  answer(1_002, 'b');
  answer(1_003, 'c', 7);
  record.add({ serial: 1_004, kept: true, sentMs: 0, endedMs: 1, status: 500 }, 0);
  const by = (id: string, result: number) => ({ id, result });
  const [hello, logged] = [by('x', 10), by('a', 1_001)];
  expect(judge(record, [hello, logged, by('b', 1_002), by('d', 1_004)], [])).toEqual({
    ...{ answered: 2, killed: 0, refused: 0, stored: 3, unexplained: 1 },
    ...{ lost: 0, twice: 0, wrong: 1, invented: 0 },
  });
  expect(judge(record, [logged, by('e', 1_001), by('f', 5_000)], [])).toMatchObject({
    ...{ lost: 1, twice: 1, invented: 1 },
  });
});
