import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis';
import type { Logger } from './log.js';
import { SECOND } from './duration.js';
import { withDeadline } from './deadline.js';
import { parseRedisAddress, type RedisAddress } from './redis-address.js';

/** Reconnects after 50 ms, then twice as long each time, at most a second: back within a second of Redis itself. */
const reconnectDelayMs = (attempt: number) => Math.min(50 * 2 ** (attempt - 1), SECOND);

const CLOSE_MS = SECOND / 2;

/** A cluster's nodes are asked who has which slots this often, so that a master that went silent is left. */
const SLOTS_REFRESH_MS = 5 * SECOND;

export interface OpenRedisOptions {
  /**
   * `'fail-fast'`: a command fails when there is no connection or it breaks; nothing is kept to be sent later.
   * `'wait'`: commands wait for the connection, as BullMQ's workers need it.
   */
  readonly commands: 'fail-fast' | 'wait';
  readonly log: Logger;
}

export type RedisConnection = Redis | Cluster;

/** A connection that repairs itself for ever and never throws outside of a command; see {@link parseRedisAddress}. */
export function openRedis(url: string, { commands, log }: OpenRedisOptions): RedisConnection {
  const address = parseRedisAddress(url);
  const failFast = commands === 'fail-fast';
  const common = {
    maxRetriesPerRequest: null,
    connectTimeout: 2 * SECOND,
    ...(failFast && { autoResendUnfulfilledCommands: false }),
  };
  return address.kind === 'cluster'
    ? openCluster(address, { common, failFast, log })
    : openServer(address, { common, failFast, log });
}

interface Details {
  readonly common: Pick<
    RedisOptions,
    'maxRetriesPerRequest' | 'connectTimeout' | 'autoResendUnfulfilledCommands'
  >;
  readonly failFast: boolean;
  readonly log: Logger;
}

function openServer(
  address: Exclude<RedisAddress, { kind: 'cluster' }>,
  { common, failFast, log }: Details,
): Redis {
  const options = {
    ...common,
    retryStrategy: reconnectDelayMs,
    ...(failFast && { enableOfflineQueue: false }),
    // A master that became a replica: 1 connects anew, to who is master now, 2 sends the command again as well.
    reconnectOnError: ({ message }: Error) => message.includes('READONLY') && (failFast ? 1 : 2),
  } satisfies RedisOptions;
  const redis =
    address.kind === 'server'
      ? new Redis(address.url, options)
      : new Redis({ ...options, ...throughSentinels(address) });
  let away = false;
  redis.on('ready', () => {
    if (away) log.info('redis is back');
    away = false;
  });
  // Errors come once per attempt to reconnect; one line per outage is enough.
  redis.on('error', (error: Error) => {
    if (!away) log.warn({ err: error }, 'redis is away');
    away = true;
  });
  return redis;
}

function throughSentinels({
  nodes,
  master,
  db,
  tls,
  sentinel,
  username,
  password,
}: RedisAddress & { kind: 'sentinel' }) {
  return {
    sentinels: [...nodes],
    name: master,
    db,
    sentinelRetryStrategy: reconnectDelayMs,
    // Leaves a master that keeps silent as soon as the sentinels have another.
    failoverDetector: true,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(sentinel.username !== undefined && { sentinelUsername: sentinel.username }),
    ...(sentinel.password !== undefined && { sentinelPassword: sentinel.password }),
    ...(tls && { tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true }),
  } satisfies RedisOptions;
}

/** A command for a node that is gone fails at once, or waits for it or its successor; the other nodes' go on. */
function openCluster(
  { nodes, tls, username, password }: RedisAddress & { kind: 'cluster' },
  { common, failFast, log }: Details,
): Cluster {
  const patience: ClusterOptions = failFast
    ? { enableOfflineQueue: false, retryDelayOnFailover: 0, retryDelayOnClusterDown: 0, maxRedirections: 4 }
    : {
        retryDelayOnFailover: SECOND / 2,
        retryDelayOnClusterDown: SECOND / 2,
        retryDelayOnMoved: SECOND / 20,
        maxRedirections: Infinity,
      };
  const cluster = new Cluster([...nodes], {
    ...patience,
    clusterRetryStrategy: reconnectDelayMs,
    slotsRefreshInterval: SLOTS_REFRESH_MS,
    // Names stay names, as certificates have them.
    dnsLookup: (host, found) => found(null, host),
    redisOptions: {
      ...common,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(tls && { tls: {} }),
    },
  });
  const away = new Set<string>();
  cluster.on('+node', (node: Redis) => {
    const name = `${node.options.host}:${node.options.port}`;
    node.on('ready', () => {
      if (away.delete(name)) log.info({ node: name }, 'a node of redis is back');
    });
  });
  cluster.on('node error', (error: Error, name: string) => {
    if (!away.has(name)) log.warn({ err: error, node: name }, 'a node of redis is away');
    away.add(name);
  });
  return cluster;
}

/** Ends the connection: politely within half a second, else at once. */
export async function closeRedis(redis: RedisConnection): Promise<void> {
  if (redis.status === 'end') return;
  if (redis.status === 'ready') {
    await withDeadline(redis.quit(), CLOSE_MS, 'closing redis').catch(() => undefined);
  }
  redis.disconnect();
}
