import { Queue, type Job } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import type { TallyProcess } from '../../src/drill/processes/tally-process.js';
import { JOB_NAME, JOB_OPTIONS, QUEUE_NAME } from '../../src/shared/operation-queue.js';
import { Collector, type CollectedSpan } from '../tracing-collector.js';
import { until } from '../latch.js';
import { openServers, Scene, sum, type Servers } from './scene.js';

type Settings = Readonly<Record<string, string>>;

/** Tally's processes in one test, and the collector that they send their spans to. */
export class TracedScene implements AsyncDisposable {
  readonly collector: Collector;
  readonly scene: Scene;
  readonly #redis: Redis;
  readonly #queue: Queue;

  private constructor(scene: Scene, collector: Collector) {
    this.scene = scene;
    this.collector = collector;
    this.#redis = new Redis(scene.env['REDIS_URL'] ?? '', { maxRetriesPerRequest: null });
    this.#redis.on('error', () => undefined);
    this.#queue = new Queue(QUEUE_NAME, { connection: this.#redis, prefix: scene.env['QUEUE_PREFIX'] ?? '' });
    this.#queue.on('error', () => undefined);
  }

  static async open(servers: Servers): Promise<TracedScene> {
    return new TracedScene(await Scene.open(servers), await Collector.open());
  }

  api(settings: Settings = {}): Promise<TallyProcess> {
    return this.scene.api({ ...this.#settings, ...settings });
  }

  worker(settings: Settings = {}): Promise<TallyProcess> {
    return this.scene.worker({ ...this.#settings, ...settings });
  }

  get #settings(): Settings {
    return {
      OTEL_EXPORTER_OTLP_ENDPOINT: this.collector.url,
      OTEL_BSP_SCHEDULE_DELAY: '20',
      SHUTDOWN_DELAY: '0ms',
    };
  }

  /** Resolves with the spans of this name when there are so many. */
  async spans(name: string, count = 1): Promise<readonly CollectedSpan[]> {
    await until(() => this.collector.named(name).length >= count);
    return this.collector.named(name);
  }

  async span(name: string): Promise<CollectedSpan> {
    const [first] = await this.spans(name);
    return first ?? expect.fail(`there is no span ${name}`);
  }

  /** Resolves when InfluxDB holds so many operations. */
  async logged(count: number): Promise<void> {
    await until(async () => (await this.scene.count()) === count);
  }

  /** What the jobs that wait in the queue carry. */
  async jobs(): Promise<readonly unknown[]> {
    const jobs = await this.#queue.getJobs('wait');
    return jobs.map(({ data }: Job<unknown>) => data);
  }

  async add(id: string, data: object): Promise<void> {
    await this.#queue.add(JOB_NAME, data, { ...JOB_OPTIONS, jobId: id });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scene[Symbol.asyncDispose]();
    await this.collector[Symbol.asyncDispose]();
    await this.#queue.close();
    this.#redis.disconnect();
  }
}

/** Gives each test of this file a scene of its own, on servers that they share. */
export function useTracedScene(take: (scene: TracedScene, servers: Servers) => void): void {
  let servers: Servers;
  let traced: TracedScene;
  beforeAll(async () => {
    servers = await openServers();
  });
  afterAll(() => servers[Symbol.asyncDispose]());
  beforeEach(async () => {
    traced = await TracedScene.open(servers);
    take(traced, servers);
  });
  afterEach(async () => {
    await Promise.all([servers.redis.start(), servers.postgres.start(), servers.influxdb.start()]);
    await traced[Symbol.asyncDispose]();
  });
}

/** Resolves with the id of an operation that was accepted. */
export async function accepted(api: TallyProcess, headers: Settings = {}): Promise<string> {
  const { status, body } = await sum(api, [1, 2], headers);
  expect(status).toBe(200);
  return body.id ?? '';
}
