import { MOST_CHARACTERS } from './heartbeat.js';
import type { HeartbeatStore, KeptHeartbeat } from './heartbeat-store.js';
import type { Logger } from '../log.js';
import type { QueueAddress } from '../queue-shards.js';
import { closeRedis, openRedis, type RedisConnection } from '../redis.js';

/** Heartbeats in a hash, by instance, each behind the second that Redis had it: no two clocks are compared. */
const WRITE = `
  redis.call('HSET', KEYS[1], ARGV[1], redis.call('TIME')[1] .. ' ' .. ARGV[2])
  redis.call('EXPIRE', KEYS[1], 3600)`;

/** What is too long stays on the server. */
const READ = `
  local kept = {}
  for _, instance in ipairs(redis.call('HKEYS', KEYS[1])) do
    if #kept >= 2 * tonumber(ARGV[1]) then break end
    if redis.call('HSTRLEN', KEYS[1], instance) <= tonumber(ARGV[2]) then
      kept[#kept + 1] = instance
      kept[#kept + 1] = redis.call('HGET', KEYS[1], instance)
    end
  end
  return kept`;

const FORGET = `
  local now = tonumber(redis.call('TIME')[1])
  for _, instance in ipairs(redis.call('HKEYS', KEYS[1])) do
    local at = tonumber(string.match(redis.call('HGET', KEYS[1], instance), '^(%d+) '))
    if not at or now - at > tonumber(ARGV[1]) then redis.call('HDEL', KEYS[1], instance) end
  end`;

/** The second, and a space. */
const STAMP = /^\d{1,15} /;
const STAMP_CHARACTERS = 16;

/** Heartbeats in Redis, on a connection of their own. In a cluster all are on one node, that of the key. */
export class RedisHeartbeats implements HeartbeatStore {
  readonly #redis: RedisConnection;
  readonly #key: string;

  constructor({ url, prefix }: QueueAddress, log: Logger) {
    this.#redis = openRedis(url, { commands: 'fail-fast', log: log.child({ connection: 'heartbeats' }) });
    this.#key = `${prefix}:heartbeats`;
  }

  get away(): boolean {
    return this.#redis.status !== 'ready';
  }

  async write(instance: string, heartbeat: string): Promise<void> {
    await this.#redis.eval(WRITE, 1, this.#key, instance, heartbeat);
  }

  async read(limit: number): Promise<readonly KeptHeartbeat[]> {
    const longest = MOST_CHARACTERS + STAMP_CHARACTERS;
    const flat = (await this.#redis.eval(READ, 1, this.#key, limit, longest)) as string[];
    return Array.from({ length: flat.length / 2 }, (_, index) => ({
      instance: flat[2 * index] ?? '',
      heartbeat: (flat[2 * index + 1] ?? '').replace(STAMP, ''),
    }));
  }

  async forget(ageSeconds: number): Promise<void> {
    await this.#redis.eval(FORGET, 1, this.#key, ageSeconds);
  }

  isRefusal(error: unknown): boolean {
    return error instanceof Error && error.name === 'ReplyError';
  }

  reset(): void {
    if (!this.away) this.#redis.disconnect(true);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return closeRedis(this.#redis);
  }
}
