import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { INFLUX_VARIABLES, readVariables } from '../../shared/configuration.js';
import { countOperations } from '../../shared/counts.js';
import { Influx } from '../../shared/influx.js';
import { openLog } from '../../shared/log.js';
import { closeRedis, openRedis } from '../../shared/redis.js';
import type { LogTimes } from '../verdict/backlog.js';
import type { Underway } from '../verdict/underway.js';

/** A BullMQ queue by its name and the prefix of its keys. */
export interface QueueAddress {
  readonly name: string;
  readonly prefix: string;
}

interface StillCountOptions {
  readonly env: Readonly<Record<string, string>>;
  /** Nothing is under way when InfluxDB's count has not changed for so long, in milliseconds. */
  readonly stillMs: number;
  /** And nothing waits here, nor is in a worker's hands. */
  readonly queue?: QueueAddress | undefined;
}

const LOOK_MS = 200;

/** Tells from the outside when programs have logged what they accepted: nothing more comes. */
export class StillCount implements Underway {
  readonly blind = true;
  readonly #stillMs: number;
  readonly #influx: Influx;
  readonly #redis: ReturnType<typeof openRedis>;
  readonly #queue: Queue | undefined;

  constructor({ env, stillMs, queue }: StillCountOptions) {
    this.#stillMs = stillMs;
    this.#influx = new Influx(readVariables(INFLUX_VARIABLES, env));
    this.#redis = openRedis(env['REDIS_URL'] ?? '', {
      commands: 'fail-fast',
      log: openLog('silent', 'drill'),
    });
    this.#queue = queue && new Queue(queue.name, { prefix: queue.prefix, connection: this.#redis });
    this.#queue?.on('error', () => undefined); // killed on purpose
  }

  unlogged(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /** There is no telling one operation from another: all that was accepted until it is called, at the least. */
  async loggedUntil(_unixMs: number, patienceMs: number, signal?: AbortSignal): Promise<boolean> {
    let [count, since] = [-1, Date.now()];
    for (const deadline = Date.now() + patienceMs; Date.now() < deadline;) {
      const now = await this.#count();
      if (now !== count || (await this.#queued()) > 0) [count, since] = [now, Date.now()];
      else if (Date.now() - since > this.#stillMs) return true;
      await delay(LOOK_MS, undefined, signal ? { signal } : {});
    }
    return false;
  }

  /** Without a ledger nobody can tell, and it is forgotten all the same. */
  ledgerHasAll(): Promise<true> {
    return Promise.resolve(true);
  }

  async flushRedis(): Promise<void> {
    await this.#redis.flushall();
  }

  logTimes(): Promise<LogTimes> {
    return Promise.resolve([]);
  }

  async #count(): Promise<number> {
    const counts = await countOperations(this.#influx, { by: 'name' });
    return counts.reduce((sum, { count }) => sum + count, 0);
  }

  async #queued(): Promise<number> {
    const counts = await this.#queue?.getJobCounts('wait', 'active', 'delayed', 'prioritized');
    return Object.values(counts ?? {}).reduce((sum, count) => sum + count, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue?.close().catch(() => undefined);
    await closeRedis(this.#redis);
    this.#influx[Symbol.dispose]();
  }
}
