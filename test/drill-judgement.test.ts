import { describe, expect, test } from 'vitest';
import type { JudgedEnd } from '../src/drill/verdict/endings.js';
import {
  judge,
  percentile,
  type Audited,
  type Evidence,
  type Excuse,
} from '../src/drill/verdict/judgement.js';
import type { FailedRequest } from '../src/drill/clients/record.js';

const acknowledged = new Map([
  ['1-a', 1],
  ['2-a', 2],
  ['3-b', 3],
]);
const stored = [...acknowledged].map(([id, result]) => ({ id, result }));

const receipt = { accepted: 2, refused: 0, cut: 0, unaccounted: 0 };
const ended: JudgedEnd = {
  kind: 'api',
  instance: 'a',
  why: 'asked',
  ending: { code: 0, signal: null, receipt, ms: 3_000 },
  from: 0,
  to: 3_000,
  limitMs: 4_000,
};

const failure: FailedRequest = {
  serial: 4,
  client: 'busy',
  kind: 'reset',
  reason: 'ECONNRESET',
  sentMs: 90,
  endedMs: 110,
  endpoint: 'a',
  earlier: 7,
  idleMs: 0,
};
const killed: Excuse = { why: 'killed', endpoint: 'a', fromMs: 100, goneMs: 105, toMs: 200 };

/** A drill of three requests, all answered and stored, but for what is given. */
const evidence = (given: Partial<Evidence> = {}): Evidence => ({
  sent: 3 + (given.failed?.length ?? 0),
  acknowledged,
  misanswered: 0,
  failed: [],
  stored,
  excuses: [],
  ended: [ended],
  fresh: true,
  ...given,
});

const judged = (given: Partial<Evidence>) => judge(evidence(given));

test('all answered and stored once passes', () => {
  expect(judged({})).toEqual({
    verdict: 'pass',
    broken: [],
    requests: {
      ...{ sent: 3, answered: 3, refused: 0, reset: 0, timedOut: 0 },
      ...{ killed: 0, excused: 0, unexplained: 0 },
    },
    unexplained: [],
    operations: { acknowledged: 3, stored: 3, lost: 0, twice: 0, wrong: 0, invented: 0 },
  });
});

describe('the stores: the drill fails when', () => {
  test('an acknowledged operation is not stored', () => {
    const { verdict, operations, broken } = judged({ stored: stored.slice(1) });
    expect([verdict, operations.lost]).toEqual(['fail', 1]);
    expect(broken).toEqual(['1 acknowledged operations are not stored']);
  });

  test('an operation is stored under two ids', () => {
    const { verdict, operations } = judged({ stored: [...stored, { id: '9-b', result: 3 }] });
    expect(verdict).toBe('fail');
    expect(operations).toMatchObject({ twice: 1, invented: 0, lost: 0 });
  });

  test('a request without an answer is stored under two ids', () => {
    const twice = ['8-b', '9-b'].map((id) => ({ id, result: 4 }));
    const { verdict, operations } = judged({
      failed: [failure],
      excuses: [killed],
      stored: [...stored, ...twice],
    });
    expect([verdict, operations.twice, operations.invented]).toEqual(['fail', 1, 0]);
  });

  test('an operation is stored that nobody asked for', () => {
    const { verdict, operations } = judged({ stored: [...stored, { id: '9-b', result: 77 }] });
    expect([verdict, operations.invented]).toEqual(['fail', 1]);
  });

  test('an operation is stored under an id that was never answered, and not under its own', () => {
    const { operations } = judged({ stored: [...stored.slice(1), { id: '9-a', result: 1 }] });
    expect(operations).toMatchObject({ lost: 1, invented: 1 });
  });

  test('an operation is stored with another result than was asked for', () => {
    const { verdict, operations } = judged({ stored: [...stored.slice(1), { id: '1-a', result: 5 }] });
    expect([verdict, operations.wrong]).toEqual(['fail', 1]);
  });

  test('an operation was answered with another result than was asked for', () => {
    const { verdict, operations } = judged({ misanswered: 1 });
    expect([verdict, operations.wrong]).toEqual(['fail', 1]);
  });
});

describe('requests: the drill fails when', () => {
  test('one failed and nothing explains it', () => {
    const { verdict, requests, unexplained } = judged({ failed: [failure] });
    expect([verdict, requests.unexplained, requests.reset]).toEqual(['fail', 1, 1]);
    expect(unexplained).toEqual([failure]);
  });

  test('one failed on another process than the one that was killed', () => {
    const other = { ...failure, endpoint: 'b' };
    expect(judged({ failed: [other], excuses: [killed] }).verdict).toBe('fail');
  });

  test.each([
    ['ended before the kill', { sentMs: 80, endedMs: 99 }],
    ['was sent after the balancer had heard of it', { sentMs: 201, endedMs: 300 }],
  ])('one failed on the killed process, and it %s', (_when, times) => {
    expect(judged({ failed: [{ ...failure, ...times }], excuses: [killed] }).verdict).toBe('fail');
  });

  test('one was refused because of a kill', () => {
    const refused = { ...failure, kind: 'refused', reason: '503' } as const;
    expect(judged({ failed: [refused], excuses: [killed] }).verdict).toBe('fail');
  });

  test('one was never answered while there was no store', () => {
    const excuses: Excuse[] = [{ why: 'no store', fromMs: 0, toMs: 200 }];
    expect(judged({ failed: [failure], excuses }).verdict).toBe('fail');
  });

  test('one has no outcome', () => {
    expect(judged({ sent: 4 }).broken).toEqual(['1 requests have no outcome']);
  });

  test('an operation after it all was not answered', () => {
    expect(judged({ fresh: false }).verdict).toBe('fail');
  });
});

describe('a request may fail', () => {
  test('in flight on a process when it is killed, whether it was stored or not', () => {
    const { verdict, requests } = judged({ failed: [failure], excuses: [killed] });
    expect([verdict, requests.killed, requests.excused]).toEqual(['pass', 1, 0]);
    const unanswered = [...stored, { id: '9-a', result: 4 }];
    expect(judged({ failed: [failure], excuses: [killed], stored: unanswered }).verdict).toBe('pass');
  });

  test('that was sent to a killed process before the balancer had heard of it', () => {
    const late = { ...failure, sentMs: 150, endedMs: 151 };
    const { verdict, requests } = judged({ failed: [late], excuses: [killed] });
    expect([verdict, requests.killed, requests.excused]).toEqual(['pass', 0, 1]);
  });

  test('at the balancer while there is no store, because nothing is ready then', () => {
    const excuses: Excuse[] = [{ why: 'no store', fromMs: 100, toMs: 200 }];
    expect(judged({ failed: [{ ...failure, endpoint: undefined }], excuses }).verdict).toBe('pass');
  });

  test('with a refusal while there is no store', () => {
    const refused = { ...failure, kind: 'refused', reason: '503' } as const;
    const excuses: Excuse[] = [{ why: 'no store', fromMs: 100, toMs: 200 }];
    expect(judged({ failed: [refused], excuses }).verdict).toBe('pass');
  });
});

describe('receipts: the drill fails when a process', () => {
  const ending = ended.ending;
  test.each<[string, Partial<JudgedEnd>, string]>([
    ['ended by itself', { why: 'by itself', ending: { ...ending, code: 1 } }, 'by itself with exit code 1'],
    ['left no receipt', { ending: { ...ending, receipt: undefined } }, 'without a receipt'],
    [
      'left something unaccounted for',
      { ending: { ...ending, code: 1, receipt: { ...receipt, unaccounted: 5 } } },
      '5 unaccounted',
    ],
    ['cut requests', { ending: { ...ending, receipt: { ...receipt, cut: 1 } } }, 'cut 1 requests'],
    [
      'answered more than it accounts for',
      { ending: { ...ending, receipt: { ...receipt, accepted: 1 } } },
      'answered 2 operations and accounts for 1',
    ],
    ['took longer than it may', { limitMs: 2_999 }, 'took 3000 ms to end, and may take 2999 ms'],
  ])('%s', (_what, changed, said) => {
    const { verdict, broken } = judged({ ended: [{ ...ended, ...changed }] });
    expect([verdict, broken.length]).toEqual(['fail', 1]);
    expect(broken[0]).toContain(said);
  });

  test('but not when it was killed', () => {
    const unfinished = { ...ending, code: null, signal: 'SIGKILL', receipt: undefined } as const;
    expect(judged({ ended: [{ ...ended, why: 'killed', ending: unfinished }] }).verdict).toBe('pass');
  });
});

describe('the audit: the drill fails when', () => {
  const audit = { accepted: 3, logged: 3, missing: 0, extra: 0, gaps: [] };
  const gap = { instance: 'a', from: 1, to: 1 };
  test.each<[string, Partial<Audited>, string]>([
    ['it misses operations', { missing: 2 }, 'the audit misses 2 operations'],
    ['it finds too many', { extra: 1 }, 'the audit finds 1 operations too many'],
    ['the ledger lacks chunks', { gaps: [gap] }, 'the ledger lacks chunk numbers in 1 places'],
  ])('%s', (_what, found, said) => {
    expect(judged({ audit: { ...audit, ...found } }).broken).toEqual([said]);
  });

  test('but not for a number that a killed process had in hand', () => {
    expect(judged({ audit: { ...audit, gaps: [gap] }, ended: [{ ...ended, why: 'killed' }] }).broken).toEqual(
      [],
    );
  });
});

test('a percentile is the least value that so many are not above', () => {
  const values = [
    { ms: 1, operations: 50 },
    { ms: 2, operations: 49 },
    { ms: 900, operations: 1 },
  ];
  expect([0.5, 0.99, 1].map((share) => percentile(share, values))).toEqual([1, 2, 900]);
  expect(percentile(0.5, [])).toBe(0);
});
