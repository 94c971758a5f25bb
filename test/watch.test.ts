import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readReply } from '../src/cli/watch/answers.js';
import { Changes } from '../src/cli/watch/changes.js';
import type { WatchEvent } from '../src/cli/watch/events.js';
import { drawFrame } from '../src/cli/watch/frame.js';
import { GapFinder, type Gap } from '../src/cli/watch/gaps.js';
import type { LaneRecord } from '../src/cli/watch/lane-record.js';
import { readLiveEvent, type SeenState } from '../src/cli/watch/live-reading.js';
import { printable } from '../src/cli/watch/printable.js';
import { WatchRecord } from '../src/cli/watch/record.js';
import { WatchScreen } from '../src/cli/watch/screen.js';
import { viewService, type ServiceView } from '../src/cli/watch/service.js';
import { drawLegend, drawStrip } from '../src/cli/watch/strip.js';
import { paint, type Line } from '../src/cli/watch/styled.js';
import { describeSummary, summarize } from '../src/cli/watch/summary.js';
import { INSTANCE, POINT, stateOf } from './watched-service.js';

const ESCAPES = '\u001B[2J\u009B31m\r\n\u202Eé';

/** A moment of one lane. */
type Step = readonly ['asked' | 'answered' | 'failed', number];

/** At the same moment. */
const ORDER = ['asked', 'failed', 'answered'];

function gapsOf(steps: readonly Step[], endMs: number): Gap[] {
  const finder = new GapFinder();
  const gaps: (Gap | undefined)[] = [];
  for (const [what, ms] of steps) {
    if (what === 'asked') finder.asked(ms);
    else if (what === 'answered') gaps.push(finder.answered(ms));
    else finder.failed();
  }
  gaps.push(finder.found(endMs));
  return gaps.filter((gap) => gap !== undefined);
}

describe('a gap', () => {
  test.each<[string, readonly Step[], number, readonly Gap[]]>([
    [
      'is none while answers come',
      [
        ['asked', 0],
        ['answered', 5],
        ['asked', 250],
        ['answered', 255],
      ],
      900,
      [],
    ],
    [
      'is none when nothing is asked',
      [
        ['asked', 0],
        ['answered', 5],
      ],
      60_000,
      [],
    ],
    [
      'is none at a second to the millisecond',
      [
        ['asked', 0],
        ['answered', 1_000],
      ],
      1_000,
      [],
    ],
    [
      'begins with an ask and ends with its answer',
      [
        ['asked', 100],
        ['answered', 1_101],
      ],
      2_000,
      [{ fromMs: 100, toMs: 1_101 }],
    ],
    [
      'is not ended by asks that fail',
      [
        ['asked', 0],
        ['failed', 1],
        ['asked', 600],
        ['failed', 601],
        ['asked', 1_200],
        ['answered', 1_210],
      ],
      1_300,
      [{ fromMs: 0, toMs: 1_210 }],
    ],
    [
      'begins with the last answer where another ask was on its way',
      [
        ['asked', 0],
        ['asked', 250],
        ['answered', 300],
        ['answered', 1_400],
      ],
      1_500,
      [{ fromMs: 300, toMs: 1_400 }],
    ],
    ['is there at the end when no answer came', [['asked', 0]], 1_001, [{ fromMs: 0, toMs: 1_001 }]],
  ])('%s', (_, steps, endMs, gaps) => {
    expect(gapsOf(steps, endMs)).toEqual(gaps);
  });

  test('is found for any sequence of asks, wherever nothing was answered for longer, and nowhere else', () => {
    const asks = fc.array(
      fc.record({
        after: fc.integer({ min: 0, max: 800 }),
        took: fc.integer({ min: 0, max: 3_000 }),
        good: fc.boolean(),
      }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(asks, (list) => {
        let sentMs = 0;
        const spans = list.map(({ after, took, good }) => {
          sentMs += after;
          return { sentMs, endMs: sentMs + took, good };
        });
        const steps = spans
          .flatMap(({ sentMs: from, endMs, good }): Step[] => [
            ['asked', from],
            [good ? 'answered' : 'failed', endMs],
          ])
          .sort((one, other) => one[1] - other[1] || ORDER.indexOf(one[0]) - ORDER.indexOf(other[0]));
        const overMs = Math.max(0, ...spans.map(({ endMs }) => endMs));
        const answers = spans
          .flatMap(({ good, endMs }) => (good ? endMs : []))
          .sort((one, other) => one - other);
        const expected = [-1, ...answers].flatMap((answerMs, index) => {
          const due = spans.filter(({ endMs }) => endMs > answerMs);
          const fromMs = Math.min(...due.map((span) => Math.max(span.sentMs, answerMs)));
          const toMs = answers[index] ?? overMs;
          return toMs - fromMs > 1_000 ? [{ fromMs, toMs }] : [];
        });
        expect(gapsOf(steps, overMs)).toEqual(expected);
      }),
    );
  });

  test('does not grow by the time in which the asking itself stood still', () => {
    const finder = new GapFinder();
    finder.asked(0);
    expect(finder.paused(500, 9_000)).toBeUndefined();
    expect(finder.answered(9_010)).toBeUndefined();
    finder.asked(10_000);
    expect(finder.paused(11_500, 20_000)).toEqual({ fromMs: 10_000, toMs: 11_500 });
  });
});

/** A record whose lanes a test fills by hand. */
function record() {
  const events: WatchEvent[] = [];
  const made = new WatchRecord((event) => void events.push(event));
  const [lane] = made.lanes as [LaneRecord, ...LaneRecord[]];
  const answer = (turn: number, instance: string, tookMs = 5, version?: string) => {
    made.turn(lane, turn, true, turn * 250);
    const told = version === undefined ? {} : { told: { instance, version, state: 'ready' } };
    made.ended(lane, turn, { kind: 'answered', instance, ...told }, turn * 250 + tookMs, tookMs);
  };
  return { made, lane, events, answer };
}

const text = (line: Line) => paint(line, Infinity, false);

function strip(made: WatchRecord, { width = 30, height = 4 } = {}): string[] {
  return drawStrip(made.lanes, { everyMs: 250, beganAt: 0, width, height }).map(text);
}

describe('the strip', () => {
  test('has a letter for each version, and other signs for what is slow, failed, awaited or in a gap', () => {
    const { made, lane, answer } = record();
    answer(0, 'i', 5, 'one');
    answer(1, 'i', 1_001);
    answer(2, 'j', 5, 'two');
    made.turn(lane, 3, true, 750);
    made.ended(lane, 3, { kind: 'failed', reason: 'ECONNRESET' }, 760, 10);
    answer(5, 'stranger');
    made.turn(lane, 6, true, 1_500);
    expect(strip(made)[0]).toBe('sum new       AaB✗ ?.');
    made.look(2_600);
    expect(strip(made)[0]).toBe('sum new       AaB✗ ?-');
    expect(drawLegend(made.answerers.versions, 200).map(text)).toEqual([
      'A one: 2  B two: 1  a slower than 1 s  ✗ failed  - gap  . waiting  ? version not known yet',
    ]);
  });

  test('knows the version of an answer that came before its instance had told it', () => {
    const { made, answer } = record();
    answer(0, 'i');
    expect(strip(made)[0]).toBe('sum new       ?');
    answer(1, 'i', 5, 'one');
    expect(strip(made)[0]).toBe('sum new       AA');
    expect(made.answerers.versions).toMatchObject([{ name: 'one', answered: 2 }]);
  });

  test('is written from left to right in rows, and what was written stays where it is', () => {
    const { made, answer } = record();
    for (let turn = 0; turn < 20; turn++) answer(turn, 'i', 5, `v${turn < 10 ? 1 : 2}`);
    answer(20, 'j', 5, 'v2');
    const rows = strip(made, { width: 14 + 16, height: 11 }).filter((line) => line.startsWith('sum new'));
    expect(rows).toEqual(['sum new       AAAAAAAAAAAAAAAA', 'sum new       AAAAB']);
    // A row alone keeps its later half.
    expect(strip(made, { width: 30, height: 4 })[0]).toBe('sum new       AAAAAAAAAAAAB');
  });

  test('shows the time of a row where there is room', () => {
    const { made, answer } = record();
    answer(0, 'i', 5, 'one');
    expect(strip(made, { width: 80 })[0]).toMatch(/^\d\d:\d\d:00 {2}sum new {7}A$/);
  });
});

const LIVE = { point: undefined, audit: { at: 0, missing: 0, extra: 0 }, completeAt: 1, heardAt: 0 };

const COUNTS = { counts: undefined, at: 0, completeAt: null };

const SERVICE: ServiceView = {
  ...{
    source: 'live',
    about: 'all',
    totals: stateOf().totals,
    missing: 0,
    extra: 0,
    missingAt: 1,
    completeAt: 1,
  },
  ...{ oldestPendingSeconds: 1, point: POINT, away: [] },
  instances: Array.from({ length: 30 }, (_, index) => ({ ...INSTANCE, instance: `api-${index}`, seenMs: 1 })),
};

function frameOf(
  made: WatchRecord,
  service: ServiceView,
  size: { width: number; height: number },
  events: readonly WatchEvent[] = [],
) {
  const seen = events.map((event) => ({ at: 0, event }));
  const view = {
    url: 'http://x/',
    nowMs: 5_000,
    beganAt: 0,
    everyMs: 250,
    service,
    record: made,
    events: seen,
  };
  return drawFrame(view, size);
}

describe('the screen', () => {
  test('fits any terminal, and has no escape codes where there are no colours', () => {
    const { made, answer, events } = record();
    for (let turn = 0; turn < 100; turn++) answer(turn, `i${turn % 7}`, 5, `version ${turn % 40}`);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 100 }), (width, height) => {
        const lines = frameOf(made, SERVICE, { width, height }, events);
        expect(lines.length).toBeLessThanOrEqual(height);
        for (const line of lines) {
          expect(paint(line, width, false)).toMatch(/^[ -~✗]*$/);
          expect(paint(line, width, false).length).toBeLessThanOrEqual(width);
          expect(plain(paint(line, width, true))).toBe(paint(line, width, false));
        }
      }),
    );
  });

  test('on 24 lines of 80 shows totals, asks, a row of the strip, the legend, instances and events', () => {
    const { made, answer } = record();
    answer(0, 'i', 5, 'one');
    const events: WatchEvent[] = [{ event: 'version', version: 'one', change: 'appears' }];
    const shown = frameOf(made, SERVICE, { width: 80, height: 24 }, events).map(text).join('\n');
    for (const part of [
      'accepted 7',
      'missing 0',
      'asked here',
      'sum new       A',
      'A one: 1',
      'api-0',
      'version one appears',
    ])
      expect(shown).toContain(part);
  });

  test('has its strip and the totals on a very small terminal', () => {
    const { made, answer } = record();
    answer(0, 'i', 5, 'one');
    const shown = frameOf(made, SERVICE, { width: 39, height: 10 }).map(text);
    expect(shown.slice(1, 3).join(' ')).toContain('accepted 7');
    expect(shown.slice(-4)[0]).toBe('sum new       A');
  });

  test('is drawn in place on a screen of its own, which is left as it was', () => {
    const { made } = record();
    let written = '';
    const terminal = { columns: 40, rows: 10, write: (part: string) => (written += part) };
    const screen = new WatchScreen(terminal as never, false);
    const view = { url: 'u', nowMs: 0, beganAt: 0, everyMs: 250, service: SERVICE, record: made, events: [] };
    screen.show(view);
    screen.show(view);
    for (const _ of [1, 2]) screen[Symbol.dispose]();
    const [enter, first, second] = written.split('\u001B[H');
    expect(enter).toBe('\u001B[?1049h\u001B[?25l');
    expect(second?.replace('\u001B[?25h\u001B[?1049l', '')).toBe(first);
    expect(first?.endsWith('\u001B[J')).toBe(true);
    expect(first?.split('\r\n')).toHaveLength(10);
  });

  test('says that it is unknown what nobody tells, and never shows zero for it', () => {
    const { made } = record();
    const none = { totals: null, missing: null, extra: null, completeAt: null, point: null, instances: [] };
    const shown = frameOf(made, { ...SERVICE, ...none, source: 'none' }, { width: 200, height: 24 }).map(
      text,
    );
    expect(shown[1]).toContain(
      'accepted unknown  logged unknown  quarantined unknown  pending unknown  missing unknown',
    );
  });
});

test('what was audited long ago is shown with its time', () => {
  const { made } = record();
  const at = (missingAt: number) =>
    text(frameOf(made, { ...SERVICE, missingAt }, { width: 200, height: 24 })[1] ?? []);
  expect(at(0)).toContain('missing 0  all');
  expect(at(-10_001)).toMatch(/missing 0 at \d\d:\d\d:\d\d {2}all/);
});

/** Without colours. */
// eslint-disable-next-line no-control-regex -- they are what is looked for
const plain = (painted: string) => painted.replaceAll(/\u001B\[[\d;]*m/g, '');

describe('what a service says of itself', () => {
  test('becomes printable ASCII of a sane length, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (name) => {
        expect(printable(name)).toMatch(/^[ -~]{0,80}$/);
      }),
    );
    expect(printable('0.1.0-rc.1+abc')).toBe('0.1.0-rc.1+abc');
  });

  test('cannot control the terminal by the name of a version, an instance, a state or a store', () => {
    const about = { version: `1${ESCAPES}`, commit: ESCAPES, instance: `i${ESCAPES}`, state: ESCAPES };
    const read = readReply('GET /version', { kind: 'answered', status: 200, body: JSON.stringify(about) });
    const { made, lane } = record();
    made.turn(lane, 0, true, 0);
    made.ended(lane, 0, read, 5, 5);
    const hostile = { ...INSTANCE, ...about } as typeof INSTANCE;
    const state = stateOf({ instances: [hostile], away: [ESCAPES] });
    const heard = readLiveEvent('state', JSON.stringify(state)) as { state: SeenState };
    const live = { ...LIVE, status: 'on' as const, state: heard.state };
    const view = viewService({ live, counts: COUNTS }, made, 1, 1);
    const events: WatchEvent[] = [];
    new Changes(made.answerers, (event) => void events.push(event)).look(view, 10);
    expect(events.map(({ event }) => event)).toContain('store');
    const lines = frameOf(made, view, { width: 300, height: 60 }, events).map(text);
    const summary = summarize({ url: 'http://x/', ms: 1, beganAt: 0, record: made, service: view });
    const said = [
      ...lines,
      ...describeSummary(summary).split('\n'),
      ...JSON.stringify([events, summary]).split('\n'),
    ];
    expect(said.join('\n')).toContain('?[2J?31m');
    for (const line of said) expect(line).toMatch(/^[ -~✗]*$/);
  });

  test('is not taken for an answer when it is none of Tally', () => {
    const read = (body: string, status = 200) => readReply('POST /sum', { kind: 'answered', status, body });
    expect(read('{"result":10,"id":"1-i"}')).toEqual({ kind: 'answered', instance: 'i' });
    expect(read('{"result":11,"id":"1-i"}')).toEqual({ kind: 'failed', reason: 'a wrong result, 11' });
    expect(read('{"result":10}')).toEqual({ kind: 'failed', reason: 'not an answer of Tally' });
    expect(read('<html>')).toEqual({ kind: 'failed', reason: 'not an answer of Tally' });
    expect(read('{"result":10,"id":"1-i"}', 201)).toEqual({ kind: 'failed', reason: 'status 201' });
  });

  test('is understood as the contract has it, and said to be strange otherwise', () => {
    const snapshot = { crash: true, points: [POINT], state: stateOf(), quarantine: { total: 0, lines: [] } };
    expect(readLiveEvent('snapshot', JSON.stringify(snapshot))).toMatchObject({
      event: 'state',
      state: { totals: { accepted: 7 }, instances: [{ instance: 'api-1', version: '1.0.0' }] },
      point: { answered: 12 },
    });
    expect(readLiveEvent('state', JSON.stringify(stateOf({ totals: null, audit: null })))).toMatchObject({
      state: { totals: null },
    });
    expect(readLiveEvent('point', JSON.stringify(POINT))).toMatchObject({ point: { backlog: 3 } });
    expect(readLiveEvent('moving', '{}')).toEqual({ event: 'moving' });
    expect(readLiveEvent('quarantine', '{}')).toBeUndefined();
    expect(readLiveEvent('of tomorrow', '{}')).toBeUndefined();
    for (const data of ['', '[]', '{"state":1}', '{"at":"now"}'])
      expect(readLiveEvent('state', data)).toEqual({ event: 'not understood' });
  });
});

describe('changes', () => {
  const instance = (name: string, state: string, version = 'one') =>
    ({ process: 'api', instance: name, version, state, seenMs: 0 }) as const;

  function look() {
    const events: WatchEvent[] = [];
    const changes = new Changes({ versions: [] }, (event) => void events.push(event));
    return (service: Partial<ServiceView>) => {
      changes.look({ ...SERVICE, instances: [], ...service }, 1_000_000);
      return events.splice(0).flatMap((event) => (event.event === 'source' ? [] : event));
    };
  }

  test('are told once: instances and versions that come and go', () => {
    const see = look();
    expect(see({ instances: [instance('a', 'ready'), instance('old', 'gone')] })).toMatchObject([
      { instance: 'a', state: 'ready' },
      { version: 'one', change: 'appears' },
    ]);
    expect(see({ instances: [instance('a', 'ready')] })).toEqual([]);
    expect(see({ instances: [instance('a', 'draining'), instance('b', 'ready', 'two')] })).toMatchObject([
      { instance: 'a', state: 'draining' },
      { instance: 'b', state: 'ready' },
      { version: 'two', change: 'appears' },
    ]);
    expect(see({ instances: [instance('a', 'stopped'), instance('b', 'ready', 'two')] })).toMatchObject([
      { instance: 'a', state: 'stopped' },
      { version: 'one', change: 'disappears' },
    ]);
    expect(see({ instances: [] })).toMatchObject([
      { instance: 'b', state: 'gone' },
      { version: 'two', change: 'disappears' },
    ]);
  });

  test('are not made up when another source knows of less', () => {
    const see = look();
    see({
      instances: [instance('a', 'ready'), { ...instance('w', 'ready'), process: 'worker' }],
      away: ['queue'],
    });
    expect(see({ source: 'none', about: 'silence', instances: [instance('a', 'ready')], away: [] })).toEqual([
      { event: 'version', version: 'one', change: 'disappears' },
    ]);
    expect(
      see({
        instances: [instance('a', 'ready'), { ...instance('w', 'ready'), process: 'worker' }],
        away: [],
      }),
    ).toEqual([
      { event: 'version', version: 'one', change: 'appears' },
      { event: 'store', store: 'queue', change: 'back' },
    ]);
  });

  test('are told of what is missing', () => {
    const see = look();
    expect(see({ missing: 3 })).toEqual([{ event: 'missing', missing: 3 }]);
    expect(see({ missing: 4 })).toEqual([]);
    expect(see({ missing: null })).toEqual([]);
    expect(see({ missing: 0 })).toEqual([{ event: 'missing', missing: 0 }]);
  });
});

describe('what is heard', () => {
  const counts = COUNTS;
  const told = { told: new Map([['i', { instance: 'i', version: 'v', state: 'ready', ms: 0 }]]) };
  const { state } = readLiveEvent('state', JSON.stringify(stateOf())) as { state: SeenState };

  test('two seconds ago is not shown as if it were so now', () => {
    const live = { ...LIVE, status: 'on' as const, state };
    expect(viewService({ live, counts }, told, 1_999, 1_999)).toMatchObject({ source: 'live', missing: 0 });
    expect(viewService({ live, counts }, told, 2_000, 2_000)).toMatchObject({
      ...{ source: 'none', totals: null, missing: null, about: '/live/events has fallen silent' },
      instances: [{ instance: 'i', state: 'ready', seenMs: 2_000 }],
    });
  });

  test('of an instance long ago says that it is not seen, and later nothing', () => {
    const live = { ...LIVE, status: 'off' as const, state: undefined, heardAt: -Infinity };
    const at = (ms: number) =>
      viewService({ live, counts }, told, ms, ms).instances.map((seen) => seen.state);
    expect([at(9_999), at(10_000), at(60_000)]).toEqual([['ready'], ['not seen'], []]);
  });
});

describe('the summary', () => {
  test.each<[string, Partial<ServiceView>, boolean]>([
    ['is good when nothing is missing', {}, true],
    ['is good, and says so, when nobody can tell what is missing', { missing: null, extra: null }, true],
    ['is not good when something is missing', { missing: 1 }, false],
    ['is not good when something is there twice', { extra: 1 }, false],
  ])('%s', (_, service, ok) => {
    const { made, answer } = record();
    answer(0, 'i', 5, 'one');
    const summary = summarize({
      url: 'x',
      ms: 1,
      beganAt: 0,
      record: made,
      service: { ...SERVICE, ...service },
    });
    expect(summary).toMatchObject({ ok, asked: 1, answered: 1, versions: [{ version: 'one', answered: 1 }] });
    expect(describeSummary(summary)).toContain(ok ? 'PASS' : 'FAIL');
    if (service.missing === null) expect(describeSummary(summary)).toContain('Missing: unknown');
  });

  test('names each kind of error with its first, and each gap with its time and length', () => {
    const { made, lane, events } = record();
    for (const [turn, reason] of ['ECONNREFUSED', 'ECONNREFUSED', 'status 503', 'ECONNREFUSED'].entries()) {
      made.turn(lane, turn, true, turn * 250);
      made.ended(lane, turn, { kind: 'failed', reason }, turn * 250 + 1, 1);
    }
    made.turn(lane, 4, true, 1_000);
    made.ended(lane, 4, { kind: 'answered', instance: 'i' }, 1_500, 500);
    expect(events.map(({ event }) => event)).toEqual(['error', 'error', 'error', 'gap', 'gap']);
    const at = { call: 'POST /sum', connection: 'new' };
    const summary = summarize({ url: 'x', ms: 1, beganAt: 0, record: made, service: SERVICE });
    expect(summary).toMatchObject({
      ok: false,
      failed: 4,
      errors: [
        { reason: 'ECONNREFUSED', count: 3, first: { ...at, at: '1970-01-01T00:00:00.000Z' } },
        { reason: 'status 503', count: 1, first: { ...at, at: '1970-01-01T00:00:00.500Z' } },
      ],
      gaps: [{ ...at, from: '1970-01-01T00:00:00.000Z', ms: 1_500 }],
      unplaced: 1,
    });
    const words = describeSummary(summary);
    expect(words).toContain('✗ 3 failed: ECONNREFUSED; first POST /sum on new connections at ');
    expect(words).toContain('✗ no answer to POST /sum on new connections for 1.5 s from ');
  });

  test('does not judge what failed while this process stood still', () => {
    const { made, lane } = record();
    made.turn(lane, 0, true, 0);
    made.paused(10, 20_000);
    made.ended(lane, 0, { kind: 'failed', reason: 'no answer in time' }, 20_001, undefined);
    const summary = summarize({ url: 'x', ms: 1, beganAt: 0, record: made, service: SERVICE });
    expect(summary).toMatchObject({ ok: true, asked: 1, answered: 0, failed: 0, unjudged: 1, gapCount: 0 });
  });
});
