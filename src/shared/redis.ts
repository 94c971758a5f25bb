import { Redis } from 'ioredis';
import type { Logger } from './log.js';
import { SECOND } from './duration.js';
import { withDeadline } from './deadline.js';

/** Reconnects after 50 ms, then twice as long each time, at most a second: back within a second of Redis itself. */
const reconnectDelayMs = (attempt: number) => Math.min(50 * 2 ** (attempt - 1), SECOND);

const CLOSE_MS = SECOND / 2;

interface RedisOptions {
  /**
   * `'fail-fast'`: a command fails when there is no connection or it breaks; nothing is kept to be sent later.
   * `'wait'`: commands wait for the connection, as BullMQ's workers need it.
   */
  readonly commands: 'fail-fast' | 'wait';
  readonly log: Logger;
}

/** A connection that repairs itself for ever and never throws outside of a command. */
export function openRedis(url: string, { commands, log }: RedisOptions): Redis {
  const redis = new Redis(url, {
    maxRetriesPerRequest: null,
    retryStrategy: reconnectDelayMs,
    connectTimeout: 2 * SECOND,
    ...(commands === 'fail-fast' && { enableOfflineQueue: false, autoResendUnfulfilledCommands: false }),
  });
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

/** Ends the connection: politely within half a second, else at once. */
export async function closeRedis(redis: Redis): Promise<void> {
  if (redis.status === 'end') return;
  if (redis.status === 'ready') {
    await withDeadline(redis.quit(), CLOSE_MS, 'closing redis').catch(() => undefined);
  }
  redis.disconnect();
}
