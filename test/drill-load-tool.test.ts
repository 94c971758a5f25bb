import { describe, expect, test } from 'vitest';
import { judgeCounted, type CountedEvidence } from '../src/drill/verdict/counted.js';
import { readToolReport, runLoadTool } from '../src/drill/clients/load-tool.js';

describe('what a load tool writes is read:', () => {
  test('ab, which counts answers with another status among the complete ones', () => {
    const lines = ['Complete requests:      1000', 'Failed requests:        3', 'Non-2xx responses:      20'];
    expect(readToolReport(lines)).toEqual({ sent: 1_000, answered: 977, refused: 20, lines });
    expect(readToolReport(lines.slice(0, 2))).toMatchObject({ answered: 997, refused: 0 });
  });

  test('siege, which counts those that failed apart', () => {
    const lines = ['\t"successful_transactions":\t       98,', '\t"failed_transactions":\t\t 2,'];
    expect(readToolReport(['{', ...lines, '}'])).toMatchObject({ sent: 100, answered: 98 });
  });

  test('k6', () => {
    const lines = [
      '    http_req_failed................: 0.01%  1 out of 8751',
      '    http_reqs......................: 8751   4342.344308/s',
    ];
    expect(readToolReport(lines)).toMatchObject({ sent: 8_751, answered: 8_750 });
  });

  test('nothing else', () => {
    expect(() => readToolReport(['100 requests'])).toThrow('known are ab, siege, k6');
  });
});

const never = new AbortController().signal;
const options = { url: 'http://tally', signal: never, say: () => undefined };

test('a load tool finds where Tally answers, and the body of a request', async () => {
  const said: string[] = [];
  const command = 'echo {url}; cat {sum}; echo; echo "Complete requests: 1"; echo "Failed requests: 0"';
  const report = await runLoadTool(command, { ...options, say: (line) => void said.push(line) });
  expect(report).toMatchObject({ sent: 1, answered: 1 });
  expect(said.slice(0, 2)).toEqual(['  http://tally', '  {"numbers":[1,2,3,4]}']);
});

test('a load tool that fails is said to', async () => {
  await expect(runLoadTool('exit 22', options)).rejects.toThrow('"exit 22" ended with exit code 22');
});

describe('a drill whose load comes from a tool', () => {
  const evidence: CountedEvidence = {
    tool: { sent: 100, answered: 100, refused: 0, lines: [] },
    ...{ stored: 100, ended: [], audit: undefined, fresh: true },
  };
  const judged = (given: Partial<CountedEvidence>) => judgeCounted({ ...evidence, ...given });

  test('passes when as many are stored as were answered', () => {
    const { verdict, broken, operations } = judged({});
    expect([verdict, broken]).toEqual(['pass', []]);
    expect(operations).toMatchObject({ acknowledged: 100, stored: 100, lost: 0, twice: 0 });
  });

  test.each<[string, Partial<CountedEvidence>, string]>([
    ['one is not stored', { stored: 99 }, '1 operations fewer are stored than were answered'],
    ['one is stored twice', { stored: 101 }, '1 operations more are stored than were sent'],
    [
      'a request failed, and was stored all the same',
      { tool: { ...evidence.tool, answered: 99 } },
      '1 requests failed',
    ],
    [
      'there was no load',
      { stored: 0, tool: { ...evidence.tool, sent: 0, answered: 0 } },
      'nothing was answered',
    ],
    ['an operation after it all was not answered', { fresh: false }, 'was not answered when all was over'],
    [
      'the audit misses one',
      { audit: { accepted: 100, logged: 99, missing: 1, extra: 0, gaps: [] } },
      'the audit misses 1 operations',
    ],
  ])('fails when %s', (_what, given, said) => {
    const { verdict, broken } = judged(given);
    expect([verdict, broken.length]).toEqual(['fail', 1]);
    expect(broken[0]).toContain(said);
  });
});
