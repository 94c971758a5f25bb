import { Redis } from 'ioredis';
import { parseRedisAddress } from '../../shared/redis-address.js';
import { ExternalStore } from './external.js';
import { StoreError, type Store } from './store.js';

/**
 * The Redis of `REDIS_URL`, under a key prefix of our own; disposing removes the keys that have it.
 *
 * @throws {StoreError} `START` when it does not answer, or is not a single server.
 */
export async function externalRedis(url: string, suffix: string): Promise<Store> {
  if (parseRedisAddress(url).kind !== 'server')
    throw new StoreError('START', 'REDIS_URL names a cluster or sentinels; this needs a single server');
  const prefix = `tally-demo-${suffix}`;
  await withRedis(url, (redis) => redis.ping()).catch((cause: unknown) => {
    throw new StoreError('START', `the Redis of REDIS_URL does not answer: ${(cause as Error).message}`, {
      cause,
    });
  });
  return new ExternalStore({
    name: 'redis',
    origin: 'REDIS_URL',
    url,
    environment: { REDIS_URL: url, QUEUE_PREFIX: prefix },
    cleanUp: () => withRedis(url, (redis) => unlinkPrefix(redis, prefix)),
  });
}

async function unlinkPrefix(redis: Redis, prefix: string): Promise<void> {
  for await (const keys of redis.scanStream({ match: `${prefix}*`, count: 1_000 })) {
    const found = keys as string[];
    if (found.length > 0) await redis.unlink(...found);
  }
}

async function withRedis<T>(url: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 5_000 });
  let cause: Error | undefined;
  redis.on('error', (error: Error) => (cause = error));
  try {
    await redis.connect();
    return await work(redis);
  } catch (error) {
    throw cause ?? error;
  } finally {
    redis.disconnect();
  }
}
