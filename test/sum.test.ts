import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSum, sum } from '../src/api/sum.js';
import { exactSum, magnitudeOf, INFINITE_UNITS, toUnits } from './exact-sum.js';

const MAX = Number.MAX_VALUE;

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });

/** Numbers of nearly the same size, of which a plain sum loses the last places. */
const alike = fc.double({ min: -1e6, max: 1e6, noNaN: true });

/** Numbers whose partial sums may overflow. */
const huge = fc.oneof(
  finite,
  fc.constantFrom(MAX, -MAX, 1e308, -1e308, 2 ** 1023, -(2 ** 1023), 2 ** 969, 2 ** 970, 1, -1),
);

/**
 * Neumaier's own bound: one rounding of the sum, and n² roundings of roundings of what went into it.
 * `|error| ≤ 2^-53 · |sum| + n² · 2^-106 · Σ|number|`, and one unit for results that underflow.
 */
function expectWithinBound(numbers: readonly number[]) {
  const { exact, magnitude } = exactSum(numbers);
  const result = sum(numbers);
  if (magnitudeOf(exact) >= INFINITE_UNITS) {
    expect(result).toBe(exact > 0n ? Infinity : -Infinity);
    return;
  }
  const error = magnitudeOf(toUnits(result) - exact);
  const n = BigInt(numbers.length);
  expect(error * 2n ** 106n <= magnitudeOf(exact) * 2n ** 53n + (n * n * magnitude + 2n ** 106n)).toBe(true);
}

describe('a sum', () => {
  test('of ten times 0.1 is 1, and of no numbers 0', () => {
    expect(sum(Array<number>(10).fill(0.1))).toBe(1);
    expect(sum([])).toBe(0);
    expect(sum([1, 2, 3, 4])).toBe(10);
  });

  test('keeps a small number between two large ones that cancel out, in any order', () => {
    for (const numbers of [
      [1, 1e100, 1, -1e100],
      [1e100, 1, 1, -1e100],
      [1, 1, 1e100, -1e100],
      [1e100, -1e100, 1, 1],
    ])
      expect(sum(numbers)).toBe(2);
  });

  test.each([
    ['numbers of nearly the same size', alike],
    ['any finite numbers', finite],
    ['numbers whose partial sums overflow', huge],
  ])('of %s is the exact sum but for one rounding', (_, numbers) => {
    fc.assert(fc.property(fc.array(numbers, { maxLength: 200 }), expectWithinBound), { numRuns: 1_000 });
  });

  test('is not lost where only a partial sum is beyond the largest double', () => {
    expect(sum([1e308, 1e308, -1e308])).toBe(1e308);
    expect(sum([-1e308, -1e308, 1e308, 1e308, 42])).toBe(42);
    expect(sum([MAX, MAX, -MAX, -MAX])).toBe(0);
    expect(sum([MAX, 1])).toBe(MAX);
  });

  test('beyond the largest double is infinite, with its sign, and never NaN', () => {
    expect(sum([1e308, 1e308])).toBe(Infinity);
    expect(sum([-MAX, -MAX, 1])).toBe(-Infinity);
    expect(sum(Array<number>(100_000).fill(MAX))).toBe(Infinity);
    expect(sum([...Array<number>(1_000).fill(MAX), ...Array<number>(1_000).fill(-MAX)])).toBe(0);
  });

  test('changes nothing in the numbers it is given', () => {
    const numbers = Object.freeze([3, 1e308, 1e308, 2]);
    expect(() => sum(numbers)).not.toThrow();
    expect(numbers).toEqual([3, 1e308, 1e308, 2]);
  });
});

describe('the body of a request for a sum', () => {
  const faultsOf = (body: string) => {
    const parsed = parseSum(body);
    return parsed.ok ? [] : parsed.faults;
  };
  const pointers = (body: string) => faultsOf(body).map(({ pointer }) => pointer);

  test('comes back as the numbers that were sent, for any finite numbers', () => {
    fc.assert(
      fc.property(fc.array(finite), (numbers) => {
        const sent = JSON.stringify({ numbers });
        expect(parseSum(sent)).toEqual({
          ok: true,
          numbers: (JSON.parse(sent) as { numbers: number[] }).numbers,
        });
      }),
    );
    expect(parseSum('{"numbers":[]}')).toEqual({ ok: true, numbers: [] });
    expect(parseSum(' {"numbers":[1e308,-0,5e-324]}\n')).toEqual({ ok: true, numbers: [1e308, -0, 5e-324] });
  });

  test.each([
    '',
    '{',
    'numbers=1',
    '{"numbers":[1,]}',
    '{"numbers":[NaN]}',
    '{"numbers":[01]}',
    '[1] [2]',
    "{'a':1}",
  ])('that is not JSON (%j) is one fault of all of it', (body) => {
    expect(faultsOf(body)).toEqual([{ pointer: '', detail: expect.stringMatching(/^is not JSON: ./) }]);
  });

  test.each(['null', '[]', '[1,2]', '3', '"numbers"', 'true'])(
    'that is not an object (%s) is one fault of all of it',
    (body) => {
      expect(faultsOf(body)).toEqual([{ pointer: '', detail: 'must be an object {"numbers": […]}' }]);
    },
  );

  test.each(['{}', '{"numbers":null}', '{"numbers":"1,2"}', '{"numbers":{"0":1}}', '{"numbers":7}'])(
    'whose numbers are missing or no array (%s) is a fault at /numbers',
    (body) => {
      expect(faultsOf(body)).toEqual([{ pointer: '/numbers', detail: 'must be an array of numbers' }]);
    },
  );

  test.each(['"1"', '""', 'null', 'true', '[1]', '[]', '{}', '1e999', '-1e999'])(
    'with %s among the numbers names its place, and never sums what is left over',
    (wrong) => {
      expect(faultsOf(`{"numbers":[1,${wrong},2]}`)).toEqual([
        { pointer: '/numbers/1', detail: 'must be a finite number' },
      ]);
    },
  );

  test('has every one of its faults named, not only the first', () => {
    const body = '{"numbers":[1,"2",3,null,1e999,[4]],"more":1,"again":2}';
    expect(pointers(body).sort()).toEqual(
      ['/numbers/1', '/numbers/3', '/numbers/4', '/numbers/5', '/more', '/again'].sort(),
    );
  });

  test('has unknown fields named by pointers that lead back to them, whatever they are called', () => {
    expect(faultsOf('{"numbers":[],"a/b":1,"m~n":2,"":3}')).toEqual([
      { pointer: '/a~1b', detail: 'is not a known field' },
      { pointer: '/m~0n', detail: 'is not a known field' },
      { pointer: '/', detail: 'is not a known field' },
    ]);
    const key = fc.string({ unit: fc.constantFrom('~', '/', '0', '1', 'x', ' ', '"', '\\') });
    fc.assert(
      fc.property(
        key.filter((name) => name !== 'numbers'),
        (name) => {
          const [pointer = ''] = pointers(JSON.stringify({ numbers: [1], [name]: 2 }));
          // RFC 6901: ~1 is read before ~0.
          expect(pointer.slice(1).replaceAll('~1', '/').replaceAll('~0', '~')).toBe(name);
        },
      ),
    );
  });

  test('cannot hide an unknown field behind a name that JavaScript treats in its own way', () => {
    expect(pointers('{"numbers":[1],"__proto__":{"a":1}}')).toEqual(['/__proto__']);
    expect(pointers('{"numbers":[1],"constructor":1,"toString":2}')).toEqual(['/constructor', '/toString']);
    expect(pointers('{"__proto__":{"numbers":[1]}}')).toContain('/numbers');
  });

  test('is read in bounds when it is nested as deep as its size allows', () => {
    const depth = 500_000;
    expect(pointers(`{"numbers":[${'['.repeat(depth)}${']'.repeat(depth)}]}`)).toEqual(['/numbers/0']);
    expect(pointers('['.repeat(depth))).toEqual(['']);
  });

  test('has each of as many faults as fit into a megabyte named', () => {
    const parsed = parseSum(`{"numbers":[${Array(349_000).fill('[]').join()}]}`);
    const faults = parsed.ok ? [] : parsed.faults;
    expect([faults.length, faults.at(-1)?.pointer]).toEqual([349_000, '/numbers/348999']);
  });
});
