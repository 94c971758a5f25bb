import { describe, expect, test } from 'vitest';
import type { DrillResult } from '../src/drill/drill.js';
import { judge } from '../src/drill/verdict/judgement.js';
import { RequestRecord } from '../src/drill/clients/record.js';
import { renderReport } from '../src/drill/report/report.js';

const HOSTILE = '<img src="https://evil.example/x">&';

/** A drill of one answer, one failure that nothing explains and one event, with a hostile name wherever one can be. */
function drilled(given: Partial<DrillResult> = {}): DrillResult {
  const record = new RequestRecord();
  record.acknowledge(record.send(), '1-a', 1);
  const failure = { client: 'busy', kind: 'reset', earlier: 0, idleMs: 0 } as const;
  record.fail({ ...failure, serial: record.send(), reason: HOSTILE, endpoint: HOSTILE });
  const { sent, acknowledged, misanswered, failed } = record;
  const stored = [{ id: '1-a', result: 1 }];
  const judgement = judge({
    ...{ sent, acknowledged, misanswered, failed, stored, excuses: [], ended: [], fresh: true },
    failedCommands: [HOSTILE],
  });
  const sample = { sent: 2, inFlight: 0, unlogged: undefined, happening: '', pressure: 0 };
  const samples = [500, 1_000].map((ms) => ({ ...sample, ms, answered: 1, failed: 1, apis: 1, workers: 1 }));
  const event = { what: HOSTILE, target: HOSTILE, graceful: true, at: '', recoveryMs: undefined };
  const events = [{ ...event, fromMs: 100, healedMs: 900 }];
  return {
    ...{ judgement, events, record, ended: [], audit: undefined, samples, logTimes: [], loadMs: 1_000 },
    ...given,
  };
}

describe('the page of a drill', () => {
  test('says what does not hold, and shows what failed', () => {
    const page = renderReport(drilled(), 'A drill');
    expect(page).toContain('Not everything holds');
    expect(page).toContain('1 requests failed although nothing explains it');
    expect(page.match(/<svg/g)).toHaveLength(5);
  });

  test('needs nothing but itself, and lets no name become a part of it', () => {
    const page = renderReport(drilled(), HOSTILE);
    expect(page).not.toMatch(/<img|src="|href=|NaN|undefined|Infinity/);
    expect(page).toContain('&#60;img');
  });

  test('leaves out what a drill does not know: of a deployment its processes, of a tool its latencies', () => {
    const [sample] = drilled().samples;
    const foreign = { ...sample, apis: undefined, workers: undefined } as DrillResult['samples'][number];
    expect(renderReport(drilled({ samples: [foreign], foreign: true }), '')).not.toContain(
      'Processes that are ready',
    );
    const tool = { sent: 2, answered: 1, refused: 0, lines: [] };
    expect(renderReport(drilled({ tool }), '')).not.toContain('Latency');
  });
});
