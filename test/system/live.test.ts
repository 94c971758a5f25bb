import { describe, expect, test } from 'vitest';
import { Redis } from 'ioredis';
import { Lines } from '../../src/shared/lines.js';
import type { LiveTotals } from '../../src/shared/live.js';
import type { TallyProcess } from '../../src/drill/processes/tally-process.js';
import { apiBeat } from '../heartbeats.js';
import { LiveReader } from './live-reader.js';
import { until } from '../latch.js';
import { useScene, type Scene, sum, TurningLoad, type Servers } from './scene.js';

const LIVE = { LIVE_PAGE: 'true' };

let servers: Servers;
let scene: Scene;
useScene((made, running) => {
  scene = made;
  servers = running;
});

const balances = ({ accepted, logged, quarantined, dropped, pending }: LiveTotals) =>
  accepted === logged + quarantined + dropped + pending;

describe('what is shown', () => {
  test('reaches the true counts, of all processes behind the service, and adds up at each moment', async () => {
    const [one, other, worker] = [await scene.api(LIVE), await scene.api(LIVE), await scene.worker()];
    using reader = await LiveReader.open(one);
    const load = new TurningLoad(one);
    await load.untilAnswered(500);
    const direct = await Promise.all(Array.from({ length: 50 }, () => sum(other, [1])));
    await load.stop();
    expect(load.failed).toEqual([]);
    const answered = load.answered.size + direct.filter(({ status }) => status === 200).length;
    await reader.shows(({ totals }) => totals?.logged === answered && totals.accepted === answered);
    expect(await scene.count()).toBe(answered);
    const done = () => [one, other].map((api) => reader.instance(api)?.accepted ?? 0);
    await until(() => done().reduce((total, accepted) => total + accepted, 0) === answered);
    expect(done()).toEqual([answered - 50, 50]);
    await until(() => reader.instance(worker)?.logged === answered);
    const { audit, completeAt, servedBy } = reader.state ?? {};
    expect(servedBy).toBe(one.instance);
    for (const { totals } of reader.all('state')) expect(totals === null || balances(totals)).toBe(true);
    await reader.shows(
      (state) => state.audit?.accepted === answered && (state.completeAt ?? 0) > (completeAt ?? 0),
    );
    expect(reader.state?.audit).toMatchObject({
      balanced: true,
      logged: answered,
      missing: 0,
      extra: 0,
      pending: 0,
    });
    expect(audit?.balanced ?? true).toBe(true);
  });

  test('is what has happened, second by second, also before anybody looked', async () => {
    const [api] = [await scene.api(LIVE), await scene.worker()];
    for (const numbers of [[1], [2], 'no numbers', [3]]) await sum(api, numbers);
    // Points tell rates, and on a busy machine a second that ended late was longer than one, or shorter.
    const about = (rates: number, count: number) => rates >= count / 2 && rates <= count * 2;
    const points = async () => {
      using reader = await LiveReader.open(api);
      await until(() => reader.told.length > 0);
      return reader.all('snapshot')[0]?.points ?? [];
    };
    await until(async () => {
      const seen = await points();
      const all = (name: 'answered' | 'rejected') => seen.reduce((total, point) => total + point[name], 0);
      return about(all('answered'), 3) && about(all('rejected'), 1);
    });
    await until(async () => (await points()).some(({ batches }) => batches.interval === 1));
    const seen = await points();
    expect(
      seen.some(({ latencyMs }) => latencyMs !== null && latencyMs.p50 > 0 && latencyMs.p50 <= latencyMs.p99),
    ).toBe(true);
    expect(seen.some(({ loggedAfterSeconds }) => (loggedAfterSeconds?.p50 ?? 0) > 0)).toBe(true);
    expect(seen.map(({ at }) => at % 1_000)).toEqual(seen.map(() => 0));
    expect(new Set(seen.map(({ at }) => at)).size).toBe(seen.length);
  });

  test('has what is in quarantine with the reason, when there is something new', async () => {
    const [api] = [await scene.api(LIVE), await scene.worker()];
    const typed = Lines.of([`operation,instance=x,name=sum request_id=1 ${Date.now()}000000`]);
    expect((await scene.influx.write(typed)).status).toBe(204);
    using reader = await LiveReader.open(api);
    await until(() => reader.told.length > 0);
    expect(reader.all('snapshot')[0]?.quarantine).toEqual({ total: 0, lines: [] });
    const { body } = await sum(api, [1], { 'X-Request-Id': 'refused' });
    await until(() => reader.all('quarantine').at(-1)?.total === 1);
    const [line] = reader.all('quarantine').at(-1)?.lines ?? [];
    expect(line?.line).toContain('request_id="refused"');
    expect(line?.reason).toMatch(/field type conflict/);
    expect(body.id).toMatch(new RegExp(`-${api.instance}$`));
    await reader.shows(({ totals }) => totals?.quarantined === 1 && balances(totals));
  });
});

describe('an instance', () => {
  test('that is killed is gone, and one that is asked to end drains and has stopped', async () => {
    const [watching, killed, worker] = [await scene.api(LIVE), await scene.api(), await scene.worker()];
    using reader = await LiveReader.open(watching);
    for (const process of [watching, killed, worker]) await reader.showsAs(process, 'ready');
    const asked = await scene.api({ SHUTDOWN_DELAY: '2s', TALLY_COMMIT: 'new' });
    await reader.showsAs(asked, 'ready');
    expect(reader.instance(asked)?.commit).toBe('new');
    await killed.kill();
    asked.signal('SIGTERM');
    await reader.showsAs(asked, 'draining');
    await reader.showsAs(asked, 'stopped');
    await reader.showsAs(killed, 'gone');
    expect((await worker.stop()).code).toBe(0);
    await reader.showsAs(worker, 'stopped');
    expect(reader.state?.instances[0]?.instance).toBe(watching.instance);
  });

  test('is shown as long as Redis or Postgres answers, and there are no totals while Postgres is away', async () => {
    const [api, other, worker] = [await scene.api(LIVE), await scene.api(), await scene.worker()];
    using reader = await LiveReader.open(api);
    const all = [api, other, worker];
    const seenAgain = async () => {
      const before = Date.now();
      await reader.shows(
        ({ instances }) => instances.filter(({ lastSeenAt }) => lastSeenAt > before).length === 3,
      );
    };
    await seenAgain();
    try {
      await servers.redis.kill();
      await reader.shows(({ away }) => away.includes('queue'));
      expect((await sum(other, [1])).status).toBe(200);
      await reader.shows(({ totals }) => totals?.accepted === 1);
      await seenAgain();
      await servers.redis.start();
      await reader.shows(({ away }) => away.length === 0);

      await servers.postgres.kill();
      await reader.shows(({ totals }) => totals === null);
      expect((await sum(other, [1])).status).toBe(200);
      await reader.shows(({ away }) => away.includes('ledger'));
      await seenAgain();
    } finally {
      await servers.redis.start();
      await servers.postgres.start();
    }
    await reader.shows(({ totals, away }) => totals?.logged === 2 && away.length === 0);
    expect(all.map((process) => reader.instance(process)?.state)).toEqual(['ready', 'ready', 'ready']);
    expect(reader.ended).toBe(false);
  });

  test('that nobody can read does nothing: texts that are none, are endless, or have names that are more than names', async () => {
    const api = await scene.api(LIVE);
    using reader = await LiveReader.open(api);
    await until(() => reader.told.length > 0);
    const redis = new Redis(servers.redis.url);
    const key = `${scene.env['QUEUE_PREFIX']}:heartbeats`;
    const write = async (beat: number) => {
      const hostile: Record<string, string> = {
        nonsense: '1 {',
        huge: `1 ${'x'.repeat(10_000_000)}`,
        '<img src=x onerror=alert(1)>': `1 ${JSON.stringify(apiBeat('<img src=x onerror=alert(1)>', { beat }))}`,
        [api.instance]: `1 ${JSON.stringify(apiBeat('somebody-else', { beat }))}`,
        __proto__: `1 ${JSON.stringify({ ...apiBeat('__proto__', { beat }), polluted: true })}`,
        honest: `1 ${JSON.stringify(apiBeat('honest', { beat }))}`,
      };
      for (const [instance, heartbeat] of Object.entries(hostile)) await redis.hset(key, instance, heartbeat);
    };
    let beat = 0;
    await until(async () => {
      await write(++beat);
      return reader.state?.instances.some(({ instance }) => instance === 'honest') ?? false;
    });
    const names = reader.state?.instances.map(({ instance }) => instance) ?? [];
    expect(names.filter((name) => name !== '__proto__').sort()).toEqual(['honest', api.instance].sort());
    expect((await sum(api, [1])).status).toBe(200);
    redis.disconnect();
  });
});

describe('heartbeats', () => {
  const kept = async () => {
    const redis = new Redis(servers.redis.url);
    const inRedis = Object.keys(await redis.hgetall(`${scene.env['QUEUE_PREFIX']}:heartbeats`));
    redis.disconnect();
    const rows = await scene.postgres.sql<{ instance: string }[]>`SELECT instance FROM heartbeats`;
    return { inRedis, inPostgres: rows.map(({ instance }) => instance) };
  };

  test('are written by every process, and without LIVE_PAGE nobody shows or reads them', async () => {
    const [api, worker] = [await scene.api(), await scene.worker()];
    await until(async () => (await kept()).inRedis.length === 2 && (await kept()).inPostgres.length === 2);
    expect(new Set((await kept()).inRedis)).toEqual(new Set([api.instance, worker.instance]));
    for (const path of ['/live', '/live/', '/live/events', '/live/page.js'])
      expect((await fetch(`http://127.0.0.1:${api.port}${path}`)).status, path).toBe(404);
    const shown = await scene.api(LIVE);
    await until(async () => (await lastAsked(shown)).some((query) => query.includes('SELECT instance')));
    const { beat = 0 } = await beatOf(api);
    const asked: string[] = [];
    await until(async () => {
      asked.push(...(await lastAsked(api)));
      return ((await beatOf(api)).beat ?? 0) > beat + 3;
    });
    expect(asked.filter((query) => query.includes('heartbeats')).length).toBeGreaterThan(0);
    expect(asked.filter((query) => query.includes('SELECT instance'))).toEqual([]);
  });

  /** What a process's connections asked Postgres last. */
  const lastAsked = async ({ instance }: TallyProcess) => {
    const rows = await scene.postgres.sql<{ query: string }[]>`
      SELECT query FROM pg_stat_activity WHERE application_name = ${instance}`;
    return rows.map(({ query }) => query);
  };

  const beatOf = async ({ instance }: TallyProcess) => {
    const [row] = await scene.postgres.sql<{ heartbeat: string }[]>`
      SELECT heartbeat FROM heartbeats WHERE instance = ${instance}`;
    return JSON.parse(row?.heartbeat ?? '{}') as { beat?: number };
  };

  test('cost an old database, in which there is no place for them, neither a process nor a line of log each time', async () => {
    await scene.postgres.sql`DROP TABLE heartbeats`;
    const [api, worker] = [await scene.api(LIVE), await scene.worker()];
    using reader = await LiveReader.open(api);
    await reader.showsAs(worker, 'ready');
    expect((await sum(api, [1])).status).toBe(200);
    await reader.shows(({ totals }) => totals?.logged === 1);
    for (const process of [api, worker]) {
      expect((await process.stop()).code).toBe(0);
      expect(process.log.filter(({ level }) => Number(level) >= 40)).toEqual([]);
    }
  });

  test('that processes left behind are deleted by others, in both stores', async () => {
    const api = await scene.api();
    await api.kill();
    const redis = new Redis(servers.redis.url);
    const key = `${scene.env['QUEUE_PREFIX']}:heartbeats`;
    const text = await redis.hget(key, api.instance);
    await redis.hset(key, api.instance, `1 ${text?.replace(/^\d+ /, '')}`);
    redis.disconnect();
    await scene.postgres.sql`UPDATE heartbeats SET beat_at = now() - interval '61 seconds'`;
    const other = await scene.api();
    await until(async () => {
      const { inRedis, inPostgres } = await kept();
      return [inRedis, inPostgres].every((names) => names.length === 1 && names[0] === other.instance);
    });
  });
});

describe('an API that drains', () => {
  const tenOf = (api: TallyProcess) => Promise.all(Array.from({ length: 10 }, () => LiveReader.open(api)));

  test.each([
    ['with a delay', { SHUTDOWN_DELAY: '1s' }],
    ['without one', { SHUTDOWN_DELAY: '0ms' }],
  ])('sends ten open pages to another one at once and ends in time, %s', async (_, settings) => {
    const api = await scene.api({ ...LIVE, ...settings });
    const readers = await tenOf(api);
    for (const reader of readers) await until(() => reader.told.length > 0);
    const ending = api.stop();
    for (const reader of readers) await until(() => reader.ended);
    for (const reader of readers) expect(reader.told.at(-1)?.name).toBe('moving');
    if (settings.SHUTDOWN_DELAY !== '0ms') {
      using late = await LiveReader.open(api);
      await until(() => late.ended);
      expect(late.told.map(({ name }) => name)).toEqual(['snapshot', 'moving']);
    }
    expect(await ending).toMatchObject({ code: 0, receipt: { cut: 0 } });
  });
});

test('an operation that was accepted is in a state that is told, and then logged', async () => {
  const [api] = [await scene.api(LIVE), await scene.worker({ BATCH_INTERVAL: '2s' })];
  using reader = await LiveReader.open(api);
  await until(() => reader.told.length > 0);
  await sum(api, [1]);
  await reader.shows(
    ({ totals }) => totals?.accepted === 1 && totals.pending === 1 && totals.oldestPendingSeconds > 0,
  );
  await until(() => reader.all('point').some(({ backlog }) => backlog === 1));
  await reader.shows(({ totals }) => totals?.logged === 1 && totals.pending === 0);
});
