import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { runSql } from '../src/drill/stores/answers.js';
import { until } from './latch.js';
import { openServers, Scene, type Servers } from './system/scene.js';

/** Each a secret that nobody else has; what is written of them anywhere is a leak. */
const SECRETS = {
  redis: 'marked-redis-5b1e',
  postgres: 'marked-postgres-77c0',
  influx: 'marked-influx-e29d',
  chaos: 'marked-chaos-90af-token',
};

/** As they are, and as HTTP's Basic has them. */
const MARKS = [
  ...Object.values(SECRETS),
  ...Object.values(SECRETS).map((secret) =>
    Buffer.from(secret).toString('base64').replace(/=+$/, '').slice(0, -1),
  ),
];

const leaks = (text: string) => MARKS.filter((mark) => text.includes(mark));

/** A process with all that it writes. */
class Told implements AsyncDisposable {
  text = '';
  readonly #child: ChildProcess;

  constructor(kind: 'api' | 'worker', env: Readonly<Record<string, string>>) {
    const main = fileURLToPath(new URL(`../dist/${kind}/main.js`, import.meta.url));
    this.#child = spawn(process.execPath, [main], { env: { PATH: process.env['PATH'], ...env } });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (data: Buffer) => (this.text += data.toString()));
  }

  says(words: RegExp): Promise<void> {
    return until(() => words.test(this.text));
  }

  /** A port that its line `ready` names. */
  port(name: 'port' | 'adminPort'): number {
    return Number(new RegExp(`"${name}":(\\d+)`).exec(this.text)?.[1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'close');
  }
}

let servers: Servers;
let scene: Scene;
let processes: readonly [Told, Told];
beforeAll(async () => {
  // The newest: InfluxDB 1.x asks nobody for a token.
  servers = await openServers(inject('influxGenerations').at(-1));
});
afterEach(async () => {
  await Promise.all(processes.map((process) => process[Symbol.asyncDispose]()));
  await scene[Symbol.asyncDispose]();
});
afterAll(() => servers[Symbol.asyncDispose]());

const ask = async (port: number, path: string, init: RequestInit = {}) => {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    ...init,
    signal: AbortSignal.timeout(10_000),
  });
  const headers = JSON.stringify([...answer.headers]);
  if (!path.endsWith('/events')) return headers + (await answer.text());
  const reader = answer.body?.getReader();
  const { value } = (await reader?.read()) ?? {};
  await reader?.cancel();
  return headers + new TextDecoder().decode(value);
};

/** Everything that both processes answer to anybody, as one text. */
async function answers([api, worker]: readonly [Told, Told]): Promise<string> {
  const sum = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"numbers":[1]}' };
  const wrong = { method: 'POST', headers: { Authorization: 'Bearer wrong' } };
  const paths = [
    '/version',
    '/openapi.json',
    '/counts',
    '/operations/1-x',
    '/live',
    '/live/page.js',
    '/live/page.css',
    '/live/events',
  ];
  const admin = ['/version', '/metrics', '/readyz', '/livez'];
  const told = await Promise.all([
    ask(api.port('port'), '/sum', sum),
    ask(api.port('port'), '/crash', wrong),
    ...paths.map((path) => ask(api.port('port'), path)),
    ...[api, worker].flatMap((process) => admin.map((path) => ask(process.port('adminPort'), path))),
  ]);
  return told.join('\n');
}

/** Redis and Postgres with marked passwords. */
async function open(): Promise<Readonly<Record<string, string>>> {
  scene = await Scene.open(servers);
  const redis = new URL(servers.redis.url);
  redis.password = SECRETS.redis;
  const ledger = new URL(scene.env['DATABASE_URL'] ?? '');
  await runSql(servers.postgres.url, `create role marked superuser login password '${SECRETS.postgres}'`);
  ledger.username = 'marked';
  ledger.password = SECRETS.postgres;
  await configureRedis(servers.redis.url, SECRETS.redis);
  return {
    ...scene.env,
    ...{
      REDIS_URL: redis.href,
      DATABASE_URL: ledger.href,
      INFLUX_TOKEN: SECRETS.influx,
      CHAOS_TOKEN: SECRETS.chaos,
    },
    ...{
      LOG_LEVEL: 'trace',
      LIVE_PAGE: 'true',
      HOST: '127.0.0.1',
      PORT: '0',
      ADMIN_PORT: '0',
      BATCH_INTERVAL: '100ms',
    },
  };
}

/** Gives Redis another password, and breaks every connection. */
async function configureRedis(url: string, password: string): Promise<void> {
  const redis = new Redis(url);
  await redis.config('SET', 'requirepass', password);
  await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  redis.disconnect();
}

test('no password and no token is in any answer or any line of log, whatever the stores do', async () => {
  const env = await open();
  processes = [new Told('api', env), new Told('worker', env)];
  const [api, worker] = processes;
  await Promise.all(processes.map((process) => process.says(/"msg":"ready"/)));
  expect(leaks(await answers(processes))).toEqual([]);

  // The passwords are refused; InfluxDB refused the token all the while, or never asked for one.
  const redis = new URL(env['REDIS_URL'] ?? '');
  await configureRedis(redis.href, 'another');
  await runSql(servers.postgres.url, `alter role marked password 'another'`);
  await runSql(
    servers.postgres.url,
    `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'marked'`,
  );
  await Promise.all(processes.map((process) => process.says(/WRONGPASS/)));
  await until(async () => (await ask(api.port('adminPort'), '/readyz')).includes('no durable store answers'));
  expect(leaks(await answers(processes))).toEqual([]);

  // Nobody is there at all.
  await Promise.all([servers.redis.kill(), servers.postgres.kill(), servers.influxdb.kill()]);
  await Promise.all(processes.map((process) => process.says(/ECONNREFUSED/)));
  expect(leaks(await answers(processes))).toEqual([]);

  expect(api.text.length).toBeGreaterThan(1_000);
  expect(leaks(api.text)).toEqual([]);
  expect(leaks(worker.text)).toEqual([]);
  await Promise.all([servers.redis.start(), servers.postgres.start(), servers.influxdb.start()]);
});
