import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { Load } from '../../src/drill/clients/load.js';
import { runSql } from '../../src/drill/stores/answers.js';
import type { Store, StoreName } from '../../src/drill/stores/store.js';
import type { TcpProxy } from '../../src/drill/processes/tcp-proxy.js';
import { QUEUE_NAME } from '../../src/shared/operation-queue.js';
import { until } from '../latch.js';
import { openServers, Scene, type Servers } from '../system/scene.js';
import type { InfluxGeneration } from '../global-setup.js';
import { InfluxFront } from './influx-front.js';
import { Member } from './member.js';

/** When the relay may take a chunk, so that it meets whatever goes on. */
const RELAY_AFTER_MS = 2_000;

/** A request takes this long, so that the load is steady and leaves room for what is tested. */
const SUM_DELAY_MS = 10;

const CONNECTIONS = 10;

const PASSWORD = 'arena';

/** The lock of a killed worker, its lease in the ledger and the longest pause between retries, one after the other. */
const SETTLED_MS = 120_000;

/** Two APIs and two workers on real stores, each with a network of its own, under load. */
export class Arena implements AsyncDisposable {
  readonly scene: Scene;
  readonly front: InfluxFront;
  readonly apis: readonly Member[];
  readonly workers: readonly Member[];
  readonly redis: Redis;
  readonly queue: Queue;
  readonly quarantined: Queue;
  readonly role: string;
  #load: Load | undefined;
  #turn = 0;

  private constructor(parts: Pick<Arena, 'scene' | 'front' | 'apis' | 'workers' | 'role'>) {
    this.scene = parts.scene;
    this.front = parts.front;
    this.apis = parts.apis;
    this.workers = parts.workers;
    this.role = parts.role;
    this.redis = new Redis(parts.scene.env['REDIS_URL'] ?? '', { maxRetriesPerRequest: null });
    this.redis.on('error', () => undefined); // killed on purpose
    const options = { connection: this.redis, prefix: parts.scene.env['QUEUE_PREFIX'] ?? '' };
    this.queue = new Queue(QUEUE_NAME, options);
    this.quarantined = new Queue('quarantine', options);
    for (const queue of [this.queue, this.quarantined]) queue.on('error', () => undefined);
  }

  static async open(generation: InfluxGeneration): Promise<Arena> {
    const servers = await openServers(generation);
    const scene = await Scene.open(servers);
    const front = await InfluxFront.open(servers.influxdb.url);
    const role = await makeRole(scene);
    const url = new URL(scene.env['DATABASE_URL'] ?? '');
    [url.username, url.password] = [role, PASSWORD];
    const env = {
      DATABASE_URL: url.href,
      REDIS_URL: scene.env['REDIS_URL'] ?? '',
      INFLUX_URL: scene.env['INFLUX_URL'] ?? '',
      RELAY_AFTER: `${RELAY_AFTER_MS}ms`,
    };
    const ports = { redis: portOf(servers.redis), postgres: portOf(servers.postgres), influxdb: front.port };
    const api = () =>
      Member.start({
        env: { ...env, SUM_DELAY: `${SUM_DELAY_MS}ms` },
        ports,
        start: (settings) => scene.api(settings),
      });
    const worker = () =>
      Member.start({
        env: { ...env, BATCH_INTERVAL: '300ms' },
        ports,
        start: (settings) => scene.worker(settings),
      });
    const [apis, workers] = [await Promise.all([api(), api()]), await Promise.all([worker(), worker()])];
    return new Arena({ scene, front, apis, workers, role });
  }

  get servers(): Servers {
    return this.scene.servers;
  }

  get members(): readonly Member[] {
    return [...this.apis, ...this.workers];
  }

  /** Every way to this store. */
  networks(store: StoreName): readonly TcpProxy[] {
    return this.members.map(({ network }) => network[store]);
  }

  /** Puts the arena under a new load, and ends one that a failure has left. */
  async startLoad(): Promise<void> {
    await this.#load?.stop();
    this.#load = new Load({ connections: CONNECTIONS, target: () => this.#nextApi() });
  }

  /** The load since {@link startLoad}. */
  get load(): Load {
    if (!this.#load) throw new Error('there is no load');
    return this.#load;
  }

  /** A living API's port, each in its turn; of a dead one while none lives. */
  #nextApi(): number {
    const alive = this.apis.filter((api) => api.alive);
    const candidates = alive.length > 0 ? alive : this.apis;
    return candidates[this.#turn++ % candidates.length]?.process.port ?? 0;
  }

  /** Resolves when so many more requests were answered. */
  async answersMore(count: number): Promise<void> {
    const { load } = this;
    const goal = load.answered.size + count;
    await until(() => load.answered.size >= goal);
  }

  /** Nothing is on its way: every row is logged, and Redis holds no chunk and no line of quarantine. */
  async settled(): Promise<void> {
    await until(async () => (await this.onTheWay()).every((count) => count === 0), SETTLED_MS);
  }

  /** Chunks in the ledger that are not logged; jobs that wait, are done or are quarantined. */
  async onTheWay(): Promise<readonly number[]> {
    const [row] = await this.scene.postgres.sql<[{ unlogged: number }]>`
      SELECT count(*)::integer AS unlogged FROM chunks WHERE logged_at IS NULL`;
    const { active, waiting, delayed, prioritized, failed, completed } = await this.queue.getJobCounts();
    const jobs = [active, waiting, delayed, prioritized, failed, completed].map((count) => count ?? 0);
    return [row.unlogged, ...jobs, await this.quarantined.count()];
  }

  /** Whether Redis holds nothing that the ledger has not, and every API writes to both, now or soon. */
  ledgerCatchesUp(ms: number): Promise<boolean> {
    return until(() => this.#ledgerHasAll(), ms).then(
      () => true,
      () => false,
    );
  }

  async #ledgerHasAll(): Promise<boolean> {
    if (this.apis.some((api) => api.alive && ledgerRests(api))) return false;
    if ((await this.queue.getCompletedCount()) + (await this.quarantined.count()) > 0) return false;
    const jobs = await this.queue.getRanges(['wait', 'active', 'delayed', 'prioritized'], 0, -1);
    const known = await this.scene.postgres.sql`SELECT FROM chunks WHERE id = ANY (${jobs})`;
    return known.length === jobs.length;
  }

  /** Starts Redis again without anything on its disk. */
  async emptyRedis(): Promise<void> {
    const [, folder = ''] = await this.redis.config('GET', 'dir');
    const [, appended = ''] = await this.redis.config('GET', 'appenddirname');
    await this.servers.redis.kill();
    await rm(join(folder, appended), { recursive: true });
    await this.servers.redis.start();
  }

  /** As many connections as Tally's role may have; those it has beyond that are ended. */
  async limitConnections(most: number): Promise<void> {
    const { sql } = this.scene.postgres;
    await sql`ALTER ROLE ${sql(this.role)} CONNECTION LIMIT ${sql.unsafe(String(most))}`;
    if (most === 0)
      await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ${this.role}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#load?.stop();
    await this.scene[Symbol.asyncDispose]();
    await this.queue.close();
    await this.quarantined.close();
    this.redis.disconnect();
    await Promise.all(this.members.map((member) => member[Symbol.asyncDispose]()));
    await this.front[Symbol.asyncDispose]();
    await this.servers[Symbol.asyncDispose]();
  }
}

/** No superuser, whom Postgres lets in whatever the limit. */
async function makeRole({ env }: Scene): Promise<string> {
  const url = env['DATABASE_URL'] ?? '';
  const role = `${env['INFLUX_BUCKET']}_app`;
  await runSql(url, `CREATE ROLE ${role} LOGIN PASSWORD '${PASSWORD}'`);
  await runSql(url, `GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role}`);
  return role;
}

function portOf({ url }: Store): number {
  return Number(new URL(url).port);
}

/** Whether this API leaves the ledger alone now, by its log. */
function ledgerRests({ process: { log } }: Member): boolean {
  const last = log.findLast(({ store }) => store === 'ledger');
  return last !== undefined && last.msg !== 'a store answers again';
}
