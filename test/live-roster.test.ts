import { beforeEach, describe, expect, test } from 'vitest';
import { Roster } from '../src/api/live/roster.js';
import { MINUTE, SECOND } from '../src/shared/duration.js';
import type { Heartbeat } from '../src/shared/heartbeats/heartbeat.js';
import { apiBeat, workerBeat } from './heartbeats.js';

let roster: Roster;
let now: number;
let ownBeat: number;
beforeEach(() => {
  roster = new Roster('own');
  now = 10_000;
  ownBeat = 0;
});

const own = () => apiBeat('own', { beat: ++ownBeat });

/** A look half a second after the one before. */
function look(heard: readonly Heartbeat[] | undefined): void {
  now += SECOND / 2;
  roster.look(heard, own(), now);
}

/** One whose number grows with each look. */
function alive(instance: string, from = 1) {
  let beat = from;
  return () => workerBeat(instance, { beat: beat++ });
}

const shown = () => roster.instances.map(({ instance, state }) => `${instance} ${state}`);

describe('an instance', () => {
  test('is there when its number has grown under our eyes, and a leftover of the past never is', () => {
    const worker = alive('w');
    look([worker(), workerBeat('left', { beat: 900 })]);
    expect(shown()).toEqual(['own ready']);
    for (let n = 0; n < 20; n++) look([worker(), workerBeat('left', { beat: 900 })]);
    expect(shown()).toEqual(['own ready', 'w ready']);
  });

  test('is shown with what its heartbeat says, and when we saw it grow by our own clock', () => {
    const worker = (beat: number) =>
      workerBeat('w', { beat, startedAt: 5, counts: { logged: 7, quarantined: 1 } });
    look([worker(1)]);
    look([worker(2)]);
    expect(roster.instances.at(-1)).toEqual({
      ...{ process: 'worker', instance: 'w', version: '1.2.3', commit: 'abc', state: 'ready' },
      ...{ startedAt: 5, lastSeenAt: now, logged: 7, quarantined: 1 },
    });
    look([worker(2)]);
    expect(roster.instances.at(-1)?.lastSeenAt).toBe(now - SECOND / 2);
  });

  test('is gone after three seconds of silence, and not before; its last words stay', () => {
    const worker = alive('w');
    look([worker()]);
    const last = worker();
    look([last]);
    for (let n = 0; n < 5; n++) look([last]);
    expect(shown()).toEqual(['own ready', 'w ready']);
    look([last]);
    expect(shown()).toEqual(['own ready', 'w gone']);
  });

  test('is gone as well when what it said is not there any more', () => {
    const worker = alive('w');
    look([worker()]);
    look([worker()]);
    for (let n = 0; n < 6; n++) look([]);
    expect(shown()).toEqual(['own ready', 'w gone']);
  });

  test('is not gone because we could not hear anybody', () => {
    const worker = alive('w');
    look([worker()]);
    look([worker()]);
    for (let n = 0; n < 100; n++) look(undefined);
    expect(shown()).toEqual(['own ready', 'w ready']);
    for (let n = 0; n < 6; n++) look([]);
    expect(shown()).toEqual(['own ready', 'w gone']);
  });

  test('comes back when it was only frozen', () => {
    const worker = alive('w');
    look([worker()]);
    look([worker()]);
    for (let n = 0; n < 10; n++) look([]);
    expect(shown()).toEqual(['own ready', 'w gone']);
    look([worker()]);
    expect(shown()).toEqual(['own ready', 'w ready']);
  });

  test('that said it has stopped has stopped, and is never gone', () => {
    const worker = alive('w');
    look([worker()]);
    look([worker()]);
    const last = { ...worker(), state: 'stopped' as const };
    for (let n = 0; n < 20; n++) look([last]);
    expect(shown()).toEqual(['own ready', 'w stopped']);
  });

  test('that has left is shown for five minutes, the latest first, and fifty of them at the most', () => {
    const names = Array.from({ length: 60 }, (_, n) => `w${n}`);
    for (const name of names) {
      const worker = alive(name);
      look([worker()]);
      look([worker()]);
      look([{ ...worker(), state: 'stopped' }]);
    }
    expect(roster.instances.slice(1).map(({ instance }) => instance)).toEqual(
      names.toReversed().slice(0, 50),
    );
    now += 5 * MINUTE;
    look([]);
    expect(shown()).toEqual(['own ready']);
  });

  test('of a long past is forgotten, so that names do not gather', () => {
    for (let n = 0; n < 2_000; n++)
      look([workerBeat(`w${n}`, { beat: 1 }), workerBeat(`w${n}`, { beat: 2 })]);
    expect(roster.heard.length).toBeLessThanOrEqual(51);
  });
});

test('we ourselves are there whatever the stores say', () => {
  look(undefined);
  expect(shown()).toEqual(['own ready']);
  look([apiBeat('own', { beat: 999, state: 'stopped' })]);
  expect(shown()).toEqual(['own ready']);
});

test('living instances are bounded, and so are names of the kind that objects have', () => {
  const many = (beat: number) =>
    ['__proto__', 'constructor', ...Array.from({ length: 1_000 }, (_, n) => `w${n}`)].map((name) =>
      workerBeat(name, { beat }),
    );
  look(many(1));
  look(many(2));
  expect(roster.instances).toHaveLength(500);
  expect(shown()).toContain('__proto__ ready');
});

test('those that live come by process and age, and stores are away that one of them finds away', () => {
  const beats = (beat: number) => [
    workerBeat('w', { beat, startedAt: 1, away: ['queue', 'influxdb'] }),
    apiBeat('young', { beat, startedAt: 3_000, away: ['queue'] }),
    apiBeat('old', { beat, startedAt: 2_000 }),
  ];
  look(beats(1));
  look(beats(2));
  expect(shown()).toEqual(['own ready', 'old ready', 'young ready', 'w ready']);
  expect(roster.away).toEqual(['influxdb', 'queue']);
  for (let n = 0; n < 6; n++) look([]);
  expect(roster.away).toEqual([]);
});

test('who began under our eyes counts from its start, and who was at work before does not', () => {
  const [before, shortly] = [alive('before', 1_000), alive('shortly', 10)];
  for (let n = 0; n < 4; n++) look([before(), shortly()]);
  const later = alive('later');
  for (let n = 0; n < 4; n++) look([before(), shortly(), later()]);
  const fromStart = Object.fromEntries(
    roster.heard.map(({ heartbeat, fromStart: began }) => [heartbeat.instance, began]),
  );
  expect(fromStart).toEqual({ own: true, before: false, shortly: false, later: true });
});
