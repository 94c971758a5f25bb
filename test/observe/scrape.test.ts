import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TallyProcess } from '../../src/drill/processes/tally-process.js';
import { until } from '../latch.js';
import { openServers, Scene, sum, type Servers } from '../system/scene.js';
import { asked, dashboard, metricsIn, prometheusConfig, rules } from './files.js';
import { Prometheus, promtool } from './prometheus.js';

let servers: Servers;
let scene: Scene;
let processes: readonly [api: TallyProcess, worker: TallyProcess];
let prometheus: Prometheus;
const stop = new AbortController();
let load: Promise<void>;

beforeAll(async () => {
  servers = await openServers();
  scene = await Scene.open(servers);
  processes = await Promise.all([scene.api(), scene.worker()]);
  const [api, worker] = processes;
  prometheus = await Prometheus.open(prometheusConfig, {
    'tally-api': [api.adminPort],
    'tally-worker': [worker.adminPort],
  });
  load = someoneCounts(api);
});
afterAll(async () => {
  stop.abort();
  await load;
  await prometheus[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
  await servers[Symbol.asyncDispose]();
});

/** A few requests a second, some of them malformed, so that every rate has something to show. */
async function someoneCounts(api: TallyProcess): Promise<void> {
  for (let n = 0; !stop.signal.aborted; n++) {
    await sum(api, n % 10 === 0 ? 'none' : [n]);
    await delay(20);
  }
}

const exposed = async ({ adminPort }: TallyProcess) =>
  (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();

/** Awaits a query whose every answer is a number: at first rates have too little to go by. */
const answers = async (expr: string) => {
  let seen = '';
  await until(async () => {
    const samples = await prometheus.query(expr);
    seen = JSON.stringify(samples);
    return samples.some(({ value }) => Number.isFinite(value));
  }).catch(() => expect.fail(`${expr}\nanswers ${seen}`));
};

const queries = dashboard.panels.flatMap(({ title, targets }) =>
  targets.map(({ expr, refId }) => ({ title: `${title} ${refId}`, expr })),
);
const shown = queries.filter(({ expr }) => !expr.includes('ALERTS'));

describe('a real Prometheus', () => {
  test('reads API and worker', async () => {
    await until(async () => {
      const up = await prometheus.query('up');
      return up.length === 2 && up.every(({ value }) => value === 1);
    });
  });

  test.each(shown)('has data for $title of the dashboard', async ({ expr }) => {
    await answers(asked(expr));
  });

  test('has nothing for the panel of alerts, because none fires', async () => {
    const others = queries.filter((query) => !shown.includes(query));
    expect(others.map(({ title }) => title)).toEqual(['Alerts A']);
    for (const { expr } of others) expect(await prometheus.query(asked(expr))).toEqual([]);
  });

  test('evaluates every rule', async () => {
    await until(async () => (await prometheus.rules()).every(({ health }) => health !== 'unknown'));
    const evaluated = await prometheus.rules();
    const names = rules.map(({ alert, record }) => alert ?? record);
    expect(evaluated).toHaveLength(names.length);
    expect(new Set(evaluated.map(({ name }) => name))).toEqual(new Set(names));
    for (const { name, health, lastError } of evaluated)
      expect({ name, health, lastError }).toMatchObject({ health: 'ok' });
  });

  test('has data for every recording, and for everything that an alert looks at', async () => {
    for (const { record, expr } of rules) {
      if (record) await answers(record);
      else for (const [selector] of expr.matchAll(/\btally_\w+\{[^}]*\}/g)) await answers(selector);
    }
  });

  test('counts what was answered, accepted and logged, and finds nothing missing', async () => {
    await until(
      async () =>
        ((await prometheus.value('sum(tally_settled_operations_total{outcome="logged"})')) ?? 0) > 20,
    );
    expect(await prometheus.value('max(tally_audited_operations{state="missing"})')).toBe(0);
    for (const status of ['200', '400'])
      await until(
        async () =>
          ((await prometheus.value(`sum(tally_http_request_seconds_count{status="${status}"})`)) ?? 0) > 0,
      );
  });

  test('sees a store go away and come back, and the alert wait', async () => {
    const waits = async () => (await prometheus.rules()).find(({ name }) => name === 'TallyStoreAway')?.state;
    expect(await waits()).toBe('inactive');
    await servers.influxdb.kill();
    await until(async () => (await waits()) === 'pending');
    const seen = await prometheus.query('max by (store) (tally_store_away) == 1');
    expect(seen.map(({ metric }) => metric['store'])).toEqual(['influxdb']);
    await servers.influxdb.start();
    await until(async () => (await waits()) === 'inactive');
  });
});

describe('what Prometheus reads', () => {
  test('is named as it wants names', async () => {
    for (const process of processes) {
      const ours = (await exposed(process))
        .split('\n')
        .filter((line) => /^(# (HELP|TYPE) )?tally_/.test(line));
      expect(ours.length).toBeGreaterThan(20);
      expect(await promtool(['check', 'metrics'], `${ours.join('\n')}\n`)).toBe('');
    }
  });

  test('has every metric that the rules and the dashboard name', async () => {
    const texts = await Promise.all(processes.map(exposed));
    const named = metricsIn([...queries, ...rules].map(({ expr }) => expr).join('\n'));
    expect(named.length).toBeGreaterThan(15);
    for (const name of named) expect(texts.join(''), name).toContain(`# TYPE ${name} `);
  });
});
