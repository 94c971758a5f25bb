import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeCertificate } from '../src/drill/processes/self-signed.js';
import { freePort } from '../src/drill/stores/free-port.js';
import { until } from './latch.js';
import { WatchedService, INSTANCE, stateOf } from './watched-service.js';
import { WatchProcess } from './watch-process.js';

let service: WatchedService;
const opened: AsyncDisposable[] = [];
beforeEach(async () => {
  service = await WatchedService.open();
  opened.push(service);
});
afterEach(async () => {
  for (const resource of opened.splice(0).toReversed()) await resource[Symbol.asyncDispose]();
});

function watch(args: readonly string[], url = service.url): WatchProcess {
  const made = new WatchProcess(['--url', url, '--every', '100ms', ...args]);
  opened.push(made);
  return made;
}

/** Watches until it has seen that, and resolves with its exit code. */
async function endsAfter(watching: WatchProcess, holds: () => boolean): Promise<number | null> {
  await until(holds);
  watching.interrupt();
  return watching.ended();
}

const gapsBegun = ({ events }: WatchProcess) =>
  events.filter((event) => event.event === 'gap' && event.change === 'begins').length;

describe('tally watch', () => {
  test('asks both calls on new connections and on one that is kept, and ends well', async () => {
    const watching = watch(['--json', '--for', '2s']);
    expect(await watching.ended()).toBe(0);
    const { summary } = watching;
    expect(summary).toMatchObject({ ok: true, failed: 0, gapCount: 0, errors: [], unplaced: 0 });
    expect(summary.asked).toBe(summary.answered);
    expect(summary.versions).toEqual([{ version: '1.0.0', answered: summary.answered }]);
    for (const path of ['/sum', '/version']) {
      const ports = service.asked.get(path) ?? [];
      const [most = 0] = [...new Set(ports)]
        .map((port) => ports.filter((one) => one === port).length)
        .sort((a, b) => b - a);
      const lanes = summary.lanes.filter(({ call }) => call.endsWith(path));
      expect(lanes.map(({ answered }) => answered)).toEqual([new Set(ports).size - 1, most]);
      expect(lanes.every(({ latencyMs }) => latencyMs && latencyMs.p50 <= latencyMs.p99)).toBe(true);
    }
    const [one, other] = summary.lanes.map(({ asked }) => asked);
    expect(service.asked.get('/sum')).toHaveLength((one ?? 0) + (other ?? 0));
    expect(watching.said.err).toBe('');
  });

  test('ends with Ctrl+C as it does by itself', async () => {
    const watching = watch(['--json']);
    await watching.sees(({ type }) => type === 'second');
    watching.interrupt();
    expect(await watching.ended()).toBe(0);
    expect(watching.summary).toMatchObject({ ok: true, failed: 0 });
    expect(watching.seconds[0]).toMatchObject({ failed: 0, versions: [{ version: '1.0.0' }] });
  });

  test('ends when nobody reads its lines any more', async () => {
    const watching = watch(['--json']);
    await watching.sees(({ type }) => type === 'second');
    watching.closeOutput();
    expect([await watching.ended(), watching.said.err]).toEqual([0, '']);
  });

  test.each([
    [503, 'status 503'],
    ['cuts', 'closed by the server'],
    [{ body: '{"result":11,"id":"1-i"}' }, 'a wrong result, 11'],
    [{ body: '<html>' }, 'not an answer of Tally'],
  ] as const)('fails when an answer is %j, and names it', async (manner, reason) => {
    service.sums = manner;
    const watching = watch(['--json']);
    const errors = () => watching.events.filter(({ event }) => event === 'error');
    const some = () => (service.asked.get('/sum')?.length ?? 0) > 8;
    expect(await endsAfter(watching, () => errors().length > 1 && some())).toBe(1);
    const { errors: kinds, failed, lanes } = watching.summary;
    expect(kinds.map((kind) => kind.reason)).toEqual([reason]);
    expect(kinds[0]?.first).toMatchObject({ call: 'POST /sum' });
    expect(lanes.map((lane) => lane.failed > 0)).toEqual([true, true, false, false]);
    expect(failed).toBe(kinds[0]?.count);
    expect(failed).toBeGreaterThan(2);
    // Told once a lane, not each time.
    expect(errors()).toHaveLength(2);
  });

  test('sees a gap when answers keep away, while it lasts and when it is over', async () => {
    const watching = watch(['--json']);
    await watching.sees(({ type }) => type === 'second');
    service.sums = 'hangs';
    await watching.sees((seen) => seen.type === 'event' && seen.event === 'gap' && seen.change === 'begins');
    service.sums = 'well';
    await watching.sees((seen) => seen.type === 'event' && seen.event === 'gap' && seen.change === 'ends');
    watching.interrupt();
    expect(await watching.ended()).toBe(1);
    const { gaps, lanes, ok } = watching.summary;
    expect(ok).toBe(false);
    expect(gaps.map(({ call }) => call)).toContain('POST /sum');
    expect(gaps.every(({ ms }) => ms > 1_000)).toBe(true);
    expect(lanes.filter(({ call }) => call === 'GET /version').map((lane) => lane.gaps)).toEqual([0, 0]);
  });

  test('fails where nobody answers at all', async () => {
    const watching = watch(['--json'], `http://127.0.0.1:${await freePort()}`);
    expect(await endsAfter(watching, () => gapsBegun(watching) > 3)).toBe(1);
    const { errors, answered, lanes, missing } = watching.summary;
    expect(errors.map(({ reason }) => reason)).toEqual(['ECONNREFUSED']);
    expect(lanes.every(({ gaps }) => gaps > 0)).toBe(true);
    expect([answered, missing]).toEqual([0, null]);
  });

  test('leaves a kept connection when the server asks for it, and nothing fails', async () => {
    const watching = watch(['--json']);
    await watching.sees(({ type }) => type === 'second');
    const before = new Set(service.asked.get('/sum'));
    service.closing = true;
    await watching.sees((seen) => seen.type === 'second' && seen.answered > 0 && watching.seconds.length > 2);
    watching.interrupt();
    expect(await watching.ended()).toBe(0);
    const after = service.asked.get('/sum') ?? [];
    expect(before.has(after.at(-1) ?? 0) && before.has(after.at(-2) ?? 0)).toBe(false);
  });

  test('checks certificates unless it is told not to', async () => {
    const secure = await WatchedService.open(await makeCertificate());
    secure.state = stateOf();
    opened.push(secure);
    const checking = watch(['--json'], secure.url);
    expect(await endsAfter(checking, () => checking.events.some(({ event }) => event === 'error'))).toBe(1);
    expect(checking.summary.errors.map(({ reason }) => reason)).toEqual(['DEPTH_ZERO_SELF_SIGNED_CERT']);
    expect(checking.summary.source).toBe('none');
    const trusting = watch(['--json', '--insecure'], secure.url);
    expect(
      await endsAfter(trusting, () => trusting.seconds.some((one) => one.service.source === 'live')),
    ).toBe(0);
    expect(trusting.summary).toMatchObject({ failed: 0, source: 'live' });
  });

  test('names every fault of its options', async () => {
    const watching = new WatchProcess(['--url', 'tally', '--for', 'long', '--every', '2s']);
    opened.push(watching);
    expect(await watching.ended()).toBe(2);
    for (const fault of [
      '--url: "tally" is not',
      '--for: "long" is not',
      '--every: "2s" is not within bounds; expected 50ms to 1000ms',
    ])
      expect(watching.said.err).toContain(fault);
    expect(watching.said.out).toBe('');
  });
});

describe('where LIVE_PAGE is off', () => {
  test('says so, and takes totals from /counts and instances from /version', async () => {
    const watching = watch(['--json']);
    expect(await endsAfter(watching, () => watching.seconds.some((one) => one.service.totals))).toBe(0);
    expect(watching.events).toContainEqual(
      expect.objectContaining({
        event: 'source',
        source: 'counts',
        why: expect.stringContaining('LIVE_PAGE is off'),
      }),
    );
    expect(watching.summary).toMatchObject({ source: 'counts', missing: 0, totals: { accepted: 9 } });
    expect(watching.summary.completeAt).not.toBeNull();
    expect(watching.events).toContainEqual(
      expect.objectContaining({ event: 'instance', instance: 'api-1', version: '1.0.0', state: 'ready' }),
    );
  });

  test('does not know what /counts cannot tell', async () => {
    service.counts = 503;
    const watching = watch(['--json']);
    expect(await endsAfter(watching, () => service.asked.has('/counts') && watching.seconds.length > 1)).toBe(
      0,
    );
    expect(watching.summary).toMatchObject({ ok: true, totals: null, missing: null });
  });

  test('fails when something is missing', async () => {
    service.counts = {
      body: JSON.stringify({
        accepted: 9,
        logged: 8,
        quarantined: 0,
        dropped: 0,
        pending: 0,
        missing: 1,
        extra: 0,
      }),
    };
    const watching = watch(['--json']);
    expect(await endsAfter(watching, () => watching.events.some(({ event }) => event === 'missing'))).toBe(1);
    expect(watching.summary).toMatchObject({ failed: 0, gapCount: 0, missing: 1 });
    expect(watching.events).toContainEqual(expect.objectContaining({ event: 'missing', missing: 1 }));
  });
});

describe('where LIVE_PAGE is on', () => {
  beforeEach(() => {
    service.state = stateOf();
  });

  test('shows what /live/events tells, and asks nobody for counts', async () => {
    const worker = { ...INSTANCE, process: 'worker', instance: 'w', logged: 4 } as const;
    service.state = stateOf({ instances: [INSTANCE, worker] });
    const watching = watch(['--json']);
    await watching.sees((seen) => seen.type === 'second' && seen.service.backlog === 3);
    service.state = stateOf({ away: ['queue'], instances: [INSTANCE, { ...worker, state: 'gone' }] });
    await watching.sees((seen) => seen.type === 'event' && seen.event === 'store');
    watching.interrupt();
    expect(await watching.ended()).toBe(0);
    expect(watching.seconds[0]?.service).toMatchObject({
      source: 'live',
      totals: { accepted: 7, logged: 4, pending: 3 },
      answeredPerSecond: 12,
      instances: [
        { instance: 'api-1', accepted: 7 },
        { process: 'worker', logged: 4 },
      ],
    });
    expect(watching.events).toContainEqual(expect.objectContaining({ instance: 'w', state: 'gone' }));
    expect(watching.events).toContainEqual(expect.objectContaining({ store: 'queue', change: 'away' }));
    // The service's clock stands in 1970: half a second ago it was complete.
    expect(Date.parse(watching.summary.completeAt ?? '')).toBeGreaterThan(
      Date.parse(watching.summary.from) - 10_000,
    );
    expect(watching.summary).toMatchObject({ missing: 0, missingAt: expect.stringMatching(/^20/) });
    expect(service.asked.has('/counts')).toBe(false);
  });

  test('moves over to another instance when the one that tells drains, and its totals go on', async () => {
    const watching = watch(['--json']);
    await watching.sees((seen) => seen.type === 'second' && seen.service.source === 'live');
    service.state = stateOf({ servedBy: 'api-2', audit: null, totals: null });
    service.tell('moving', {});
    await watching.sees((seen) => seen.type === 'second' && seen.service.totals === null);
    watching.interrupt();
    expect(await watching.ended()).toBe(0);
    expect(watching.summary).toMatchObject({ totals: null, missing: 0 }); // the last audit that anybody told of
    expect(service.streams).toHaveLength(2);
    expect(new Set(service.asked.get('/live/events')).size).toBe(2);
    expect(watching.seconds.map((second) => second.service.source)).not.toContain('none');
  });

  test('comes back to a stream that was cut', async () => {
    const watching = watch(['--json']);
    await watching.sees((seen) => seen.type === 'second' && seen.service.source === 'live');
    service.streams.at(-1)?.destroy();
    const before = watching.seconds.length;
    await watching.sees(() => service.streams.length === 2 && watching.seconds.length > before + 1);
    watching.interrupt();
    expect(await watching.ended()).toBe(0);
    expect(watching.summary.source).toBe('live');
  });

  test('says that it understands nothing of a stream from another world, and goes on asking', async () => {
    service.state = { strange: true } as never;
    const watching = watch(['--json']);
    const strange = () => watching.said.out.includes('what this version of tally does not understand');
    expect(await endsAfter(watching, strange)).toBe(0);
    expect(watching.summary).toMatchObject({ source: 'none', totals: null, missing: null, failed: 0 });
  });
});

describe('where nobody sits at a terminal', () => {
  test('writes plain lines: events, what comes in between, and the summary', async () => {
    const hostile = '\u001B[2J\u009B31m\u0007';
    service.about = { ...service.about, version: `2.0${hostile}`, instance: `i${hostile}` };
    service.state = stateOf({ instances: [{ ...INSTANCE, ...service.about } as never], away: [hostile] });
    const watching = watch(['--for', '6s']);
    expect(await watching.ended()).toBe(0);
    const { out, err } = watching.said;
    expect(err).toBe('');
    for (const line of out.split('\n')) expect(line).toMatch(/^[ -~✗]*$/);
    expect(out).toMatch(/\d\d:\d\d:\d\d {2}version 2\.0\?\[2J\?31m\? appears\n/);
    expect(out).toMatch(/ {2}✗ \?\[2J\?31m\? is away\n/);
    expect(out).toMatch(
      / {2}\d+ answered \(\d+\.\d\/s, p50 .* ms\) by .*, 0 failed; accepted 7, logged 4, pending 3; missing 0/,
    );
    expect(out).toMatch(/in total +\d+ +\d+ +0 +0\n[^]*PASS: every ask was answered, without a gap\.\n$/);
  });
});
