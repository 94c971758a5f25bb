import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Lines } from '../src/shared/lines.js';
import { fromJob, toJob } from '../src/shared/chunk.js';
import {
  fromLine,
  monotonicNanoseconds,
  newInstance,
  operationId,
  readOperationId,
  toLine,
} from '../src/shared/operation.js';
import { parseLine } from './line-protocol.js';

/** A clock that says what it is told, and at its end stands still. */
const clockOf = (times: readonly number[]) => {
  let reading = 0;
  return () => times[Math.min(reading++, times.length - 1)] ?? 0;
};

/** Characters that mean something in line protocol, and such as do not. */
const character = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...' ,="\\\n\r\t#{}/\0\u2028\x85'.split('')) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }) },
);
const hostile = fc.oneof(
  fc.string({ unit: character, maxLength: 12 }),
  fc.constantFrom(
    'a",result=99 1\noperation,instance=x,name=sum numbers=1i,result=1 1',
    'a,name=other',
    'a numbers=9i,result=9 1',
    'a\\',
    'a\\\\',
    'a\\\\\\',
    '\\,\\',
    '\\"',
    '\\\\"',
  ),
);

/** A tag cannot be empty, and ends in no backslash: it would escape what follows it. */
const asTag = (text: string) => text.replace(/[\r\n]+/g, ' ').replace(/\\+$/, '');
const asString = (text: string) => text.replace(/[\r\n]+/g, ' ');
const hostileTag = hostile.filter((text) => asTag(text) !== '');

describe('the time of an operation', () => {
  test('increases strictly, whatever the clock does', () => {
    const time = fc.oneof(
      fc.integer({ min: -1_000, max: 1_000 }),
      fc.double({ min: 0, max: 4e12, noNaN: true }),
    );
    fc.assert(
      fc.property(fc.array(time, { minLength: 1 }), (times) => {
        const next = monotonicNanoseconds(clockOf(times));
        const ats = Array.from({ length: times.length + 3 }, () => BigInt(next()));
        ats.reduce((before, at) => {
          expect(at > before).toBe(true);
          return at;
        }, 0n);
      }),
    );
  });

  test('is the clock in nanoseconds as long as the clock runs forward, and a decimal string', () => {
    const next = monotonicNanoseconds(clockOf([1_700_000_000_000, 1_700_000_000_001, 1_700_000_000_003]));
    expect([next(), next(), next()]).toEqual([
      '1700000000000000000',
      '1700000000001000000',
      '1700000000003000000',
    ]);
  });

  test('goes on from the last one by single nanoseconds while the clock stands still or is set back', () => {
    const next = monotonicNanoseconds(clockOf([5, 5, 1, 5, 6]));
    expect([next(), next(), next(), next(), next()]).toEqual([
      '5000000',
      '5000001',
      '5000002',
      '5000003',
      '6000000',
    ]);
  });
});

describe('the name of a process start', () => {
  test('holds only characters that need no escaping, is bounded, and is never empty', () => {
    fc.assert(
      fc.property(hostile, (host) => {
        expect(newInstance(host)).toMatch(/^[A-Za-z0-9_-]{1,64}-[0-9a-z]{8}$/);
      }),
    );
    expect(newInstance('host-1.example.org')).toMatch(/^host-1-example-org-[0-9a-z]{8}$/);
    expect(newInstance('')).toMatch(/^tally-/);
    expect(newInstance('x'.repeat(300)).length).toBeLessThanOrEqual(73);
  });

  test('is new at each start of the same host', () => {
    const names = Array.from({ length: 10_000 }, () => newInstance('host'));
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('an operation', () => {
  test('has an id that leads back to its instance and time alone', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), hostile, (at, host) => {
        const instance = newInstance(host);
        const id = operationId({ at: at.toString(), instance });
        expect(/^(\d+)-(.+)$/.exec(id)?.slice(1)).toEqual([at.toString(), instance]);
        expect(id).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(readOperationId(id)).toEqual({ at: at.toString(), instance });
      }),
    );
  });

  test.each([
    '',
    '-',
    '1',
    '1-',
    '-host',
    'host-1',
    '01-host',
    '+1-host',
    '1.0-host',
    '9223372036854775808-host',
    '10000000000000000000-host',
    '1-ho st',
    "1-host'",
    '1-host"',
    '1-host;',
    '1-host.example',
    '1-höst',
    '1-host\n',
    '\n1-host',
    '١-host',
  ])('has no id like %j', (id) => {
    expect(readOperationId(id)).toBeUndefined();
  });

  test('is written as the design has it', () => {
    const operation = {
      at: '1700000000000000001',
      instance: 'host-ab12cd34',
      name: 'sum',
      numbers: 4,
      result: 10,
    };
    const line = 'operation,instance=host-ab12cd34,name=sum numbers=4i,result=10';
    expect(toLine(operation)).toBe(`${line} 1700000000000000001`);
    expect(toLine({ ...operation, requestId: 'r-1' })).toBe(`${line},request_id="r-1" 1700000000000000001`);
  });

  test('stays one point with its own tags, fields and time, whatever strings it is made of', () => {
    fc.assert(
      fc.property(
        fc.record({
          instance: hostileTag,
          name: hostileTag,
          requestId: fc.option(hostile, { nil: undefined }),
        }),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.nat(),
        fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
        ({ instance, name, requestId }, result, numbers, at) => {
          const line = toLine({ at: at.toString(), instance, name, numbers, result, requestId });
          expect(line).not.toMatch(/[\r\n]/);
          expect(parseLine(line)).toEqual({
            measurement: 'operation',
            tags: { instance: asTag(instance), name: asTag(name) },
            fields: {
              numbers: `${numbers}i`,
              result: String(result),
              ...(requestId !== undefined && { request_id: asString(requestId) }),
            },
            timestamp: at.toString(),
          });
        },
      ),
      { numRuns: 5_000 },
    );
  });

  test('keeps its result exactly, in every notation that JavaScript writes', () => {
    const base = { at: '1', instance: 'i', name: 'sum', numbers: 1 };
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (result) => {
        expect(Number(parseLine(toLine({ ...base, result })).fields['result'])).toBe(
          result === 0 ? 0 : result,
        );
      }),
    );
  });
});

describe('a line', () => {
  const operations = fc.record(
    {
      at: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String),
      instance: hostileTag.map(asTag),
      name: hostileTag.map(asTag),
      numbers: fc.nat(),
      result: fc.double({ noNaN: true, noDefaultInfinity: true }).map((result) => result + 0),
      requestId: hostile.map(asString),
    },
    { requiredKeys: ['at', 'instance', 'name', 'numbers', 'result'] },
  );

  test('is read back as the operation it was made of, whatever strings that has', () => {
    fc.assert(
      fc.property(operations, (operation) => {
        expect(fromLine(toLine(operation))).toEqual(operation);
      }),
      { numRuns: 5_000 },
    );
  });

  test('that was changed is read as what it says to the letter, or not at all', () => {
    const change = fc.tuple(fc.nat(), fc.nat({ max: 3 }), hostile);
    fc.assert(
      fc.property(operations, change, (operation, [where, removed, added]) => {
        const line = toLine(operation);
        const at = where % (line.length + 1);
        const changed = line.slice(0, at) + added + line.slice(at + removed);
        const read = fromLine(changed);
        if (read) expect(toLine(read)).toBe(changed);
      }),
      { numRuns: 5_000 },
    );
  });

  const right = 'operation,instance=i,name=sum numbers=2i,result=3 17';
  test.each([
    ['nothing', ''],
    ['another measurement', right.replace('operation', 'operations')],
    ['a comment', `# ${right}`],
    ['no time', right.slice(0, -3)],
    ['a time that is none', `${right}s`],
    ['a time of 20 digits', `${right}123456789012345678`],
    ['a time before 1970', right.replace(' 17', ' -17')],
    ['a tag that is not known', right.replace(',name', ',host=h,name')],
    ['a tag that is empty', right.replace('instance=i', 'instance=')],
    ['an end of its tags that is escaped', right.replace('instance=i', 'instance=i\\')],
    ['its tags in another order', 'operation,name=sum,instance=i numbers=2i,result=3 17'],
    ['a field that is not known', right.replace(' 17', ',unit="m" 17')],
    ['a field that is missing', right.replace('numbers=2i,', '')],
    ['a count that is a float', right.replace('2i', '2')],
    ['a count that no double holds', right.replace('2i', '9007199254740993i')],
    ['a result that is an integer', right.replace('=3', '=3i')],
    ['a result that is not finite', right.replace('=3', '=Infinity')],
    ['a result that is no number', right.replace('=3', '=NaN')],
    ['a result that no double holds', right.replace('=3', '=9007199254740993')],
    ['a result in hexadecimal', right.replace('=3', '=0x3')],
    ['a request id without quotes', right.replace(' 17', ',request_id=r 17')],
    ['a request id that ends too early', right.replace(' 17', ',request_id="a"b" 17')],
    ['a request id without an end', right.replace(' 17', ',request_id="a\\" 17')],
    ['two lines', `${right}\n${right}`],
    ['a line feed at its end', `${right}\n`],
    ['spaces around it', ` ${right} `],
  ])('with %s is not guessed', (_, line) => {
    expect(fromLine(right)).toEqual({ at: '17', instance: 'i', name: 'sum', numbers: 2, result: 3 });
    expect(fromLine(line)).toBeUndefined();
  });
});

describe('a chunk', () => {
  const line = fc.string({ unit: 'binary', minLength: 1 }).filter((text) => !/[\n\0]/.test(text));

  test('comes out of its job as it went in, also through JSON', () => {
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 500 }), (lines) => {
        const data: unknown = JSON.parse(JSON.stringify(toJob({ id: 'i.7', lines: Lines.of(lines) })));
        expect(fromJob('i.7', data)).toEqual({ id: 'i.7', lines: Lines.of(lines) });
      }),
    );
    const full = Array.from({ length: 500 }, (_, n) => `line ${n}`);
    expect(fromJob('i.0', toJob({ id: 'i.0', lines: Lines.of(full) }))?.lines).toEqual(Lines.of(full));
  });

  test('divides its lines anywhere, counts them, and puts them together again', () => {
    const lines = fc.array(line, { minLength: 2, maxLength: 60 });
    fc.assert(
      fc.property(lines, fc.nat(), (all, where) => {
        const at = 1 + (where % (all.length - 1));
        const halves = Lines.of(all).split(at);
        expect(halves).toEqual([Lines.of(all.slice(0, at)), Lines.of(all.slice(at))]);
        expect(Lines.concat(halves)).toEqual(Lines.read(all.join('\n')));
        expect(all.every((one) => Lines.of(all).has(one))).toBe(true);
      }),
    );
  });

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'operation,a=b c=1 1'],
    ['a list', ['operation,a=b c=1 1']],
    ['no lines', {}],
    ['lines that are a list', { lines: ['operation,a=b c=1 1'] }],
    ['lines that are a number', { lines: 1 }],
    ['empty lines', { lines: '' }],
    ['an empty line among others', { lines: 'a\n\nb' }],
    ['a line feed at the end', { lines: 'a\n' }],
    ['a character that Postgres cannot keep', { lines: 'a\0' }],
    ['more lines than a chunk has', { lines: 'a\n'.repeat(500) + 'a' }],
  ])('is not guessed from a job that holds %s', (_, data) => {
    expect(fromJob('i.0', data)).toBeUndefined();
  });
});
