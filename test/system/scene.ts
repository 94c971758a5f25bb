import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, inject } from 'vitest';
import { createBucket } from '../../src/shared/bucket.js';
import { INFLUX_VARIABLES, readVariables } from '../../src/shared/configuration.js';
import { countOperations } from '../../src/shared/counts.js';
import { Influx, type InfluxConfig } from '../../src/shared/influx.js';
import type { InfluxGeneration } from '../global-setup.js';
import { until } from '../latch.js';
import { Load } from '../../src/drill/clients/load.js';
import { migrate } from '../../src/cli/migrations.js';
import { openLog } from '../../src/shared/log.js';
import { Postgres } from '../../src/shared/postgres.js';
import { runSql } from '../../src/drill/stores/answers.js';
import { openInfluxDB1, openInfluxDB2, openPostgres, openRedis } from '../../src/drill/stores/open-stores.js';
import type { Store } from '../../src/drill/stores/store.js';
import { TallyProcess } from '../../src/drill/processes/tally-process.js';
import { judgeOperations, readOperations, type Verdict } from '../../src/drill/verdict/verdict.js';

/** Real servers that the tests of one file share; each test gets a bucket and a queue of its own on them. */
export interface Servers extends AsyncDisposable {
  readonly redis: Store;
  readonly postgres: Store;
  readonly influxdb: Store;
}

export async function openServers(generation = anyGeneration()): Promise<Servers> {
  const influx = generation === 1 ? openInfluxDB1 : openInfluxDB2;
  const [redis, postgres, influxdb] = await Promise.all([openRedis(), openPostgres(), influx()]);
  return {
    redis,
    postgres,
    influxdb,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([redis, postgres, influxdb].map((store) => store[Symbol.asyncDispose]()));
    },
  };
}

function anyGeneration(): InfluxGeneration {
  const [first = 1] = inject('influxGenerations');
  return first;
}

type Settings = Readonly<Record<string, string>>;

/** Tally's processes in one test, on a bucket, a queue and a ledger of their own. Whatever still runs at its end is killed. */
export class Scene implements AsyncDisposable {
  readonly servers: Servers;
  readonly env: Settings;
  readonly influx: Influx;
  readonly config: InfluxConfig;
  readonly postgres: Postgres;
  readonly #processes: TallyProcess[] = [];

  private constructor(servers: Servers, env: Settings) {
    this.servers = servers;
    this.env = env;
    this.config = readVariables(INFLUX_VARIABLES, env);
    this.influx = new Influx(this.config);
    const log = openLog('silent', 'test');
    this.postgres = new Postgres({
      url: env['DATABASE_URL'] ?? '',
      application: 'test',
      log,
      connections: 1,
    });
  }

  static async open(servers: Servers): Promise<Scene> {
    const name = `test_${randomBytes(4).toString('hex')}`;
    await runSql(servers.postgres.url, `create database ${name}`);
    const ledger = new URL(servers.postgres.url);
    ledger.pathname = `/${name}`;
    const scene = new Scene(servers, {
      ...servers.redis.environment,
      ...servers.influxdb.environment,
      DATABASE_URL: ledger.href,
      INFLUX_BUCKET: name,
      QUEUE_PREFIX: name,
      INSTANCE: 'test',
      SHUTDOWN_DELAY: '500ms',
      SHUTDOWN_TIMEOUT: '10s',
    });
    await createBucket(scene.influx, scene.config);
    await migrate(scene.postgres.sql);
    return scene;
  }

  api(settings: Settings = {}): Promise<TallyProcess> {
    return this.#start('api', settings);
  }

  /** Batches leave after half a second unless the test says otherwise. */
  worker(settings: Settings = {}): Promise<TallyProcess> {
    return this.#start('worker', { BATCH_INTERVAL: '500ms', ...settings });
  }

  async #start(kind: 'api' | 'worker', settings: Settings): Promise<TallyProcess> {
    const node = process.env['TALLY_NODE'];
    const started = await TallyProcess.start({
      kind,
      env: { ...this.env, ...settings },
      ...(node && { node }),
    });
    this.#processes.push(started);
    return started;
  }

  /** Operations that InfluxDB holds. */
  async count(): Promise<number> {
    const counts = await countOperations(this.influx, { by: 'name' });
    return counts.reduce((total, { count }) => total + count, 0);
  }

  async verdict(load: Load): Promise<Verdict> {
    return judgeOperations(load.answered, await readOperations(this.influx));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#processes.map((process) => process[Symbol.asyncDispose]()));
    this.influx[Symbol.dispose]();
    await this.postgres[Symbol.asyncDispose]();
  }
}

/** An answer of `POST /sum`. */
export interface SumAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: { readonly result?: number; readonly id?: string; readonly title?: string };
  readonly ms: number;
}

export async function sum(api: TallyProcess, numbers: unknown, headers: Settings = {}): Promise<SumAnswer> {
  const started = performance.now();
  const response = await fetch(`http://127.0.0.1:${api.port}/sum`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify({ numbers }),
  });
  const body = (await response.json()) as SumAnswer['body'];
  return { status: response.status, headers: response.headers, body, ms: performance.now() - started };
}

/** Keep-alive load on one API after the other: `load.turnTo(next)` is what a balancer does. */
export class TurningLoad extends Load {
  readonly #turn: { to: TallyProcess };

  constructor(api: TallyProcess, connections = 20) {
    const turn = { to: api };
    super({ connections, target: () => turn.to.port });
    this.#turn = turn;
  }

  turnTo(api: TallyProcess): void {
    this.#turn.to = api;
  }

  /** Resolves when so many requests were answered with 200. */
  async untilAnswered(count: number): Promise<void> {
    await until(() => this.answered.size >= count);
  }
}

/** Gives each test of this file a scene of its own, on servers that they share and that run again after each. */
export function useScene(take: (scene: Scene, servers: Servers) => void): void {
  let servers: Servers;
  let scene: Scene;
  beforeAll(async () => {
    servers = await openServers();
  });
  afterAll(() => servers[Symbol.asyncDispose]());
  beforeEach(async () => {
    scene = await Scene.open(servers);
    take(scene, servers);
  });
  afterEach(async () => {
    await scene[Symbol.asyncDispose]();
    await Promise.all([servers.redis.start(), servers.postgres.start(), servers.influxdb.start()]);
  });
}
