import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Lines } from '../src/shared/lines.js';
import type { InfluxAnswer } from '../src/shared/influx.js';
import { judge, Store, type Refusal, type Verdict } from '../src/worker/store.js';
import { latch } from './latch.js';

const never = new AbortController().signal;

/** More than any of these tests has reason for. */
const MAX_POSTS = 10_000;

/** An InfluxDB that answers as it is told, with what was posted to it and how long it was left alone between. */
class ScriptedInflux {
  readonly posts: (readonly string[])[] = [];
  readonly stored = new Set<string>();
  readonly pausesMs: number[] = [];
  readonly verdicts: [Verdict, number][] = [];
  readonly store: { store(lines: readonly string[], signal: AbortSignal): Promise<readonly Refusal[]> };

  constructor(answer: (lines: readonly string[]) => Partial<InfluxAnswer>, random: () => number = () => 0) {
    const store = new Store({
      post: async ({ text }) => {
        const lines = text.split('\n');
        if (this.posts.push(lines) > MAX_POSTS) throw new Error('it does not end');
        const given = { status: undefined, body: '', ...answer(lines) };
        if (given.status === 204 || given.status === 200) for (const line of lines) this.stored.add(line);
        return given;
      },
      onAnswer: (verdict, _, lines) => this.verdicts.push([verdict, lines]),
      random,
      sleep: async (ms) => void this.pausesMs.push(ms),
    });
    this.store = { store: (lines, signal) => store.store(Lines.of(lines), signal) };
  }
}

/** Answers with these, one after the other, and with 204 from then on. */
function inTurn(...answers: Partial<InfluxAnswer>[]) {
  const left = [...answers];
  return () => left.shift() ?? { status: 204 };
}

const numbered = (count: number) => Array.from({ length: count }, (_, n) => `line ${n}`);

describe('the answer table', () => {
  test.each<[number | undefined, Verdict]>([
    [200, 'stored'],
    [204, 'stored'],
    [201, 'line-refused'],
    [400, 'line-refused'],
    [422, 'line-refused'],
    [413, 'too-large'],
    [401, 'misconfigured'],
    [403, 'misconfigured'],
    [404, 'misconfigured'],
    [408, 'unavailable'],
    [429, 'unavailable'],
    [500, 'unavailable'],
    [502, 'unavailable'],
    [503, 'unavailable'],
    [504, 'unavailable'],
    [undefined, 'unavailable'],
  ])('takes %s as %s', (status, verdict) => {
    expect(judge({ status })).toBe(verdict);
  });

  test('takes nothing it does not know as stored, nor as the fault of a line', () => {
    const known = new Set([200, 204, 201, 400, 422, 413, 401, 403, 404]);
    for (let status = 100; status < 600; status++)
      if (!known.has(status)) expect([status, judge({ status })]).toEqual([status, 'unavailable']);
  });
});

describe('lines that InfluxDB refuses', () => {
  const refusing = fc.constantFrom(400, 422, 201);
  const batch = fc.integer({ min: 1, max: 500 }).chain((count) =>
    fc.record({
      lines: fc.constant(numbered(count)),
      bad: fc.uniqueArray(fc.nat({ max: count - 1 }), { maxLength: 12 }),
    }),
  );

  test('are found exactly, whichever they are, and every other line is stored', async () => {
    await fc.assert(
      fc.asyncProperty(batch, refusing, fc.boolean(), async ({ lines, bad }, status, partial) => {
        const refused = new Set(bad.map((index) => lines[index]));
        const influx = new ScriptedInflux((posted) => {
          if (!posted.some((line) => refused.has(line))) return { status: 204 };
          // Some refuse the whole batch, some store the rest of it.
          if (partial) for (const line of posted) if (!refused.has(line)) influx.stored.add(line);
          return { status, body: ' because \n' };
        });
        const refusals = await influx.store.store(lines, never);
        const inOrder = lines.filter((line) => refused.has(line));
        expect(refusals).toEqual(inOrder.map((line) => ({ line, status, reason: 'because' })));
        expect([...influx.stored].sort()).toEqual(lines.filter((line) => !refused.has(line)).sort());
        // Each refused post that is halved makes two more; on each level at most one per bad line is refused.
        const levels = Math.ceil(Math.log2(lines.length));
        expect(influx.posts.length).toBeLessThanOrEqual(1 + 2 * refused.size * levels);
        expect(influx.pausesMs).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  test('cost one post when there are none', async () => {
    const influx = new ScriptedInflux(inTurn());
    expect(await influx.store.store(numbered(500), never)).toEqual([]);
    expect(influx.posts).toEqual([numbered(500)]);
  });

  test('are not taken for those that an outage in the middle of the search hides', async () => {
    let post = 0;
    const influx = new ScriptedInflux((posted) => {
      if (++post % 2 === 0) return { status: post % 4 === 0 ? 503 : 401 };
      return posted.includes('line 3') ? { status: 400, body: 'bad' } : { status: 204 };
    });
    expect(await influx.store.store(numbered(8), never)).toEqual([
      { line: 'line 3', status: 400, reason: 'bad' },
    ]);
    expect(influx.stored.size).toBe(7);
  });
});

describe('a batch that is too large', () => {
  test('goes in halves until they are small enough, and no line is refused for it', async () => {
    const influx = new ScriptedInflux((lines) => ({ status: lines.length > 100 ? 413 : 204 }));
    expect(await influx.store.store(numbered(500), never)).toEqual([]);
    expect([...influx.stored]).toEqual(numbered(500));
  });

  test('although it is one line is refused with what was said', async () => {
    const influx = new ScriptedInflux(() => ({ status: 413, body: 'too large' }));
    expect(await influx.store.store(['long'], never)).toEqual([
      { line: 'long', status: 413, reason: 'too large' },
    ]);
  });
});

describe('while InfluxDB is away or refuses our configuration', () => {
  const trouble = fc.constantFrom(undefined, 302, 401, 403, 404, 408, 418, 429, 500, 502, 503, 504);

  test('everything is kept, tried again whole, and nothing is ever refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(trouble, { maxLength: 30 }), async (statuses) => {
        const influx = new ScriptedInflux(inTurn(...statuses.map((status) => ({ status }))));
        expect(await influx.store.store(numbered(7), never)).toEqual([]);
        expect(influx.posts).toEqual(Array.from({ length: statuses.length + 1 }, () => numbered(7)));
        expect(influx.verdicts.map(([verdict]) => verdict)).toEqual(
          [...statuses, 204].map((status) => judge({ status })),
        );
        expect(influx.pausesMs).toHaveLength(statuses.length);
      }),
    );
  });

  const pauses = async (answers: Partial<InfluxAnswer>[], random: () => number) => {
    const influx = new ScriptedInflux(inTurn(...answers), random);
    await influx.store.store(['a'], never);
    return influx.pausesMs;
  };
  const outage = (attempts: number) => Array.from({ length: attempts }, () => ({ status: 503 }));

  test('the pauses double from 250 ms to 15 s, and jitter takes at most half of them', async () => {
    const whole = [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000];
    expect(await pauses(outage(9), () => 1)).toEqual(whole);
    expect(await pauses(outage(9), () => 0)).toEqual(whole.map((ms) => ms / 2));
    expect((await pauses(outage(5_000), () => 1)).at(-1)).toBe(15_000);
  });

  test('the pauses of many workers differ', async () => {
    const first = await Promise.all(Array.from({ length: 50 }, () => pauses(outage(1), Math.random)));
    expect(new Set(first.flat()).size).toBeGreaterThan(40);
    for (const ms of first.flat()) expect(ms >= 125 && ms <= 250).toBe(true);
  });

  test('no pause is shorter than Retry-After asks, and none waits less than the backoff for a small one', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 300_000 }), { minLength: 1, maxLength: 12 }), async (asked) => {
        const answers = asked.map((retryAfterMs) => ({ status: 429, retryAfterMs }));
        const waited = await pauses(answers, Math.random);
        const backoff = await pauses(outage(asked.length), () => 0);
        for (const [n, ms] of waited.entries()) {
          expect(ms).toBeGreaterThanOrEqual(asked[n] ?? Infinity);
          expect(ms).toBeGreaterThanOrEqual(backoff[n] ?? Infinity);
        }
      }),
    );
  });

  test('a Retry-After beyond five minutes does not stop the flow for longer than that', async () => {
    expect(await pauses([{ status: 503, retryAfterMs: 86_400_000 }], () => 1)).toEqual([300_000]);
  });

  test('the pauses begin anew with each batch', async () => {
    const influx = new ScriptedInflux(inTurn(...outage(3), { status: 204 }, ...outage(1)), () => 1);
    await influx.store.store(['a'], never);
    await influx.store.store(['b'], never);
    expect(influx.pausesMs).toEqual([250, 500, 1_000, 250]);
  });
});

describe('giving up', () => {
  test('ends a pause at once, and claims nothing of the lines', async () => {
    const abort = new AbortController();
    const asked = latch();
    const store = new Store({
      post: async () => {
        asked.resolve();
        return { status: 503, body: '', retryAfterMs: 300_000 };
      },
      onAnswer: () => undefined,
    });
    const storing = store.store(Lines.of(['a']), abort.signal);
    await asked.promise;
    abort.abort();
    await expect(storing).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('while a post is on its way claims nothing of the lines, whatever it is answered', async () => {
    for (const status of [204, 400, 503, undefined]) {
      const abort = new AbortController();
      const store = new Store({
        post: async () => {
          abort.abort();
          return { status, body: '' };
        },
        onAnswer: () => expect.unreachable(),
      });
      await expect(store.store(Lines.of(['a']), abort.signal)).rejects.toBe(abort.signal.reason);
    }
  });

  test('before the first post sends nothing', async () => {
    const influx = new ScriptedInflux(inTurn());
    await expect(influx.store.store(['a'], AbortSignal.abort())).rejects.toMatchObject({
      name: 'AbortError',
    });
    expect(influx.posts).toEqual([]);
  });

  test('hands its signal to the post, so that a hanging one ends with it', async () => {
    const abort = new AbortController();
    const signals: AbortSignal[] = [];
    const store = new Store({
      post: async (_, signal) => {
        signals.push(signal);
        return { status: 204, body: '' };
      },
      onAnswer: () => undefined,
    });
    await store.store(Lines.of(['a']), abort.signal);
    expect(signals).toEqual([abort.signal]);
  });
});
