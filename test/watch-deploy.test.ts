import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Balancer } from '../src/drill/processes/balancer.js';
import { Fleet } from '../src/drill/processes/fleet.js';
import { until } from './latch.js';
import { openServers, Scene, type Servers } from './system/scene.js';
import { WatchProcess } from './watch-process.js';

let servers: Servers;
let scene: Scene;
let balancer: Balancer;
const opened: AsyncDisposable[] = [];
beforeAll(async () => {
  servers = await openServers();
});
afterAll(() => servers?.[Symbol.asyncDispose]());
beforeEach(async () => {
  scene = await Scene.open(servers);
  balancer = await Balancer.open({ probeMs: 100, lagMs: 100 });
  opened.push(scene, balancer);
});
afterEach(async () => {
  for (const resource of opened.splice(0).toReversed()) await resource[Symbol.asyncDispose]();
});

async function fleet(kind: 'api' | 'worker', env: Readonly<Record<string, string>>, replicas: number) {
  const made = await Fleet.start({
    ...{ kind, env, replicas, minReadyMs: 500 },
    ...(kind === 'api' && {
      onStart: ({ instance, port, adminPort }) => balancer.add({ name: instance, port, adminPort }),
      onLeave: ({ instance }) => balancer.remove(instance),
    }),
  });
  opened.push(made);
  return made;
}

function watch(args: readonly string[]): WatchProcess {
  const made = new WatchProcess(['--url', `http://127.0.0.1:${balancer.port}`, '--json', ...args]);
  opened.push(made);
  return made;
}

describe('tally watch, on real processes and stores,', { timeout: 120_000 }, () => {
  test.each(['false', 'true'])(
    'sees both versions of a rolling update, and no error (LIVE_PAGE %s)',
    async (LIVE_PAGE) => {
      const env = { ...scene.env, LIVE_PAGE, SHUTDOWN_DELAY: '1s', BATCH_INTERVAL: '500ms' };
      const [apis] = await Promise.all([fleet('api', env, 2), fleet('worker', env, 1)]);
      const watching = watch([]);
      await watching.sees((seen) => seen.type === 'second' && seen.service.totals !== null);
      await apis.roll();
      await watching.sees(
        (seen) =>
          seen.type === 'event' &&
          seen.event === 'version' &&
          seen.version.includes('release-1') &&
          seen.change === 'disappears',
      );
      watching.interrupt();
      expect(await watching.ended(), watching.said.out).toBe(0);
      const { summary } = watching;
      expect(summary.versions.map(({ version }) => version)).toEqual([
        '0.1.0 (release-1)',
        '0.1.0 (release-2)',
      ]);
      expect(summary).toMatchObject({ ok: true, failed: 0, gapCount: 0, unplaced: 0, missing: 0 });
      expect(summary.source).toBe(LIVE_PAGE === 'true' ? 'live' : 'counts');
      expect(summary.versions.reduce((sum, { answered }) => sum + answered, 0)).toBe(summary.asked);
      // Who asks now and then may miss how an instance drains.
      for (const { instance } of LIVE_PAGE === 'true' ? apis.ended : [])
        for (const state of ['draining', 'stopped'])
          expect(watching.events).toContainEqual(
            expect.objectContaining({ event: 'instance', instance, state }),
          );
      const sums = summary.lanes.filter(({ call }) => call === 'POST /sum');
      const answered = sums.reduce((sum, lane) => sum + lane.answered, 0);
      await until(async () => (await scene.count()) === answered);
    },
  );

  test('sees errors and a gap when an API is killed and there is no other', async () => {
    const start = async () => {
      const api = await scene.api();
      balancer.add({ name: api.instance, port: api.port, adminPort: api.adminPort });
      return api;
    };
    const sees = (change: 'begins' | 'ends') =>
      watching.sees((seen) => seen.type === 'event' && seen.event === 'gap' && seen.change === change);
    const api = await start();
    const watching = watch([]);
    await watching.sees((seen) => seen.type === 'second' && seen.answered > 0);
    await api.kill();
    await sees('begins');
    await start();
    await sees('ends');
    watching.interrupt();
    expect(await watching.ended()).toBe(1);
    const { summary } = watching;
    expect(summary.ok).toBe(false);
    expect(summary.errors.length).toBeGreaterThan(0);
    expect(summary.gaps.length).toBeGreaterThan(0);
  });
});
