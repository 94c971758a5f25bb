import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { redisAnswers } from '../../src/drill/stores/answers.js';
import { freePort } from '../../src/drill/stores/free-port.js';
import { openOwnStore, type Recipe } from '../../src/drill/stores/own-store.js';
import { localRedis } from '../../src/drill/stores/redis.js';
import { ServerProcess } from '../../src/drill/stores/server-process.js';
import type { Store } from '../../src/drill/stores/store.js';
import { TemporaryFolder } from '../../src/drill/stores/temporary-folder.js';
import { until } from '../latch.js';

const SLOTS = 16_384;

const portOf = ({ url }: Store) => Number(new URL(url).port);

/** One command on a connection of its own. */
export async function askRedis<T>(
  { url }: Pick<Store, 'url'>,
  ask: (redis: Redis) => Promise<T>,
): Promise<T> {
  const redis = new Redis(url, { retryStrategy: () => null });
  redis.on('error', () => undefined);
  try {
    return await ask(redis);
  } finally {
    redis.disconnect();
  }
}

/** A Redis Cluster of masters, each with an equal part of the slots, which goes on without those that are away. */
export class RedisCluster implements AsyncDisposable {
  readonly nodes: readonly Store[];

  private constructor(nodes: readonly Store[]) {
    this.nodes = nodes;
  }

  static async open(count = 3): Promise<RedisCluster> {
    const ports = await Promise.all(Array.from({ length: count }, freePort));
    const nodes = await Promise.all(ports.map((busPort) => openOwnStore(clusterNode(busPort))));
    const cluster = new RedisCluster(nodes);
    const [first, ...others] = nodes as [Store, ...Store[]];
    // A node takes its epoch only as long as it knows no other: none meets another before all of them have one.
    await Promise.all(
      nodes.map((node, n) =>
        askRedis(node, async (redis) => {
          const bounds = [n, n + 1].map((part) => Math.round((part * SLOTS) / count));
          await redis.call('CLUSTER', 'ADDSLOTSRANGE', bounds[0] ?? 0, (bounds[1] ?? 0) - 1);
          await redis.call('CLUSTER', 'SET-CONFIG-EPOCH', n + 1);
        }),
      ),
    );
    await Promise.all(
      others.map((node) =>
        askRedis(node, (redis) => redis.call('CLUSTER', 'MEET', '127.0.0.1', portOf(first), ports[0] ?? 0)),
      ),
    );
    await cluster.agrees();
    return cluster;
  }

  get environment(): Readonly<Record<string, string>> {
    const addresses = this.nodes.map((node) => new URL(node.url).host);
    return { REDIS_URL: `redis+cluster://${addresses.join(',')}` };
  }

  /** Resolves when every node knows all the others and that they are there. */
  async agrees(): Promise<void> {
    const fine = (info: string) =>
      info.includes('cluster_state:ok') && info.includes(`cluster_slots_ok:${SLOTS}`);
    await until(async () => {
      const infos = await Promise.all(
        this.nodes.map((node) => askRedis(node, (redis) => redis.call('CLUSTER', 'INFO'))),
      );
      return infos.every((info) => fine(String(info)));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
  }
}

function clusterNode(busPort: number): Recipe {
  return recipeOf([
    ...['--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--cluster-node-timeout', '1000'],
    ...['--cluster-require-full-coverage', 'no'],
  ]);
}

function recipeOf(options: readonly string[]): Recipe {
  const recipe = localRedis(process.env, options);
  if (!recipe) throw new Error('there is no redis-server on PATH');
  return recipe;
}

/** A master, its replica, and a sentinel that makes the replica the master when the master is away for a second. */
export class RedisSentinel implements AsyncDisposable {
  readonly master: Store;
  readonly replica: Store;
  readonly #sentinel: Store;

  private constructor(master: Store, replica: Store, sentinel: Store) {
    this.master = master;
    this.replica = replica;
    this.#sentinel = sentinel;
  }

  static async open(): Promise<RedisSentinel> {
    const master = await openOwnStore(recipeOf([]));
    const replica = await openOwnStore(recipeOf(['--replicaof', `127.0.0.1 ${portOf(master)}`]));
    const sentinel = await openOwnStore(sentinelOf(portOf(master)));
    const opened = new RedisSentinel(master, replica, sentinel);
    await until(async () => (await opened.#replicas()).includes(`127.0.0.1:${portOf(replica)}`));
    await until(async () =>
      (await askRedis(replica, (redis) => redis.info('replication'))).includes('master_link_status:up'),
    );
    return opened;
  }

  get environment(): Readonly<Record<string, string>> {
    return { REDIS_URL: `redis+sentinel://${new URL(this.#sentinel.url).host}/mymaster` };
  }

  /** Resolves when the replica is the master. */
  async failedOver(): Promise<void> {
    const master = () =>
      askRedis(this.#sentinel, (redis) => redis.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'mymaster'));
    await until(async () => String(await master()) === `127.0.0.1,${portOf(this.replica)}`);
    await until(async () =>
      (await askRedis(this.replica, (redis) => redis.info('replication'))).includes('role:master'),
    );
  }

  async #replicas(): Promise<string> {
    return JSON.stringify(
      await askRedis(this.#sentinel, (redis) => redis.call('SENTINEL', 'REPLICAS', 'mymaster')),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stores = [this.#sentinel, this.replica, this.master];
    await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
  }
}

function sentinelOf(masterPort: number): Recipe {
  const { origin } = recipeOf([]);
  return {
    name: 'redis',
    origin,
    folder: () => TemporaryFolder.create('sentinel', process.env),
    prepare: async ({ port, folder }) => {
      const path = join(folder.path, 'sentinel.conf');
      const settings = [
        `port ${port}`,
        'bind 127.0.0.1',
        `dir ${folder.path}`,
        `sentinel monitor mymaster 127.0.0.1 ${masterPort} 1`,
        'sentinel down-after-milliseconds mymaster 1000',
        'sentinel failover-timeout mymaster 5000',
      ];
      await writeFile(path, `${settings.join('\n')}\n`);
      const url = `redis://127.0.0.1:${port}`;
      const runner = new ServerProcess({
        command: origin,
        args: [path, '--sentinel'],
        folder,
        environment: {},
        stopSignal: 'SIGTERM',
        quitSignal: 'SIGKILL',
      });
      return { url, environment: {}, runner, answers: () => redisAnswers(url) };
    },
  };
}
