import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { ChunkQueue } from '../src/api/chunk-queue.js';
import type { Store } from '../src/drill/stores/store.js';
import type { Chunk } from '../src/shared/chunk.js';
import { SHARED_VARIABLES } from '../src/shared/configuration.js';
import { openLog } from '../src/shared/log.js';
import { QUEUE_NAME, queueOptions } from '../src/shared/operation-queue.js';
import { shardOf } from '../src/shared/queue-shards.js';
import { acceptAll } from './operations.js';
import { PLAIN_QUEUE, plainJob } from './peers/plain-queue.js';

/** Jobs that are added at once the plain way. */
const BULK = 500;

/** Seldom enough to cost Redis nothing, and a small part of the seconds that a measurement takes. */
const LOOK_MS = 50;

/** The queues, as a bench fills and watches them. */
export class BenchQueue implements AsyncDisposable {
  readonly #redis: Redis;
  readonly #url: string;
  readonly #prefix: string;

  constructor({ url }: Pick<Store, 'url'>) {
    this.#url = url;
    this.#prefix = SHARED_VARIABLES.QUEUE_PREFIX.parse(undefined);
    this.#redis = new Redis(url);
    this.#redis.on('error', () => undefined); // Redis is away on purpose
  }

  async clear(): Promise<void> {
    await this.#redis.flushall();
  }

  /** How many chunks wait. */
  chunks(): Promise<number> {
    return this.#redis.llen(`${queueOptions(this.#prefix).prefix}:${QUEUE_NAME}:wait`);
  }

  /** Memory that Redis uses, in bytes. */
  async usedMemory(): Promise<number> {
    const [, bytes] = /^used_memory:(\d+)/m.exec(await this.#redis.info('memory')) ?? [];
    return Number(bytes);
  }

  /** Queues chunks through the API's own code. */
  async accept(chunks: Iterable<Chunk>): Promise<void> {
    const log = openLog('silent', 'bench');
    await using queue = new ChunkQueue({ shard: shardOf({ url: this.#url, prefix: this.#prefix }, 0), log });
    await queue.ping();
    await acceptAll(chunks, (chunk) => queue.accept(chunk));
    await this.#rewritten();
  }

  /** Keeps workers from taking chunks, until the queue is cleared. */
  async pause(): Promise<void> {
    const queue = new Queue(QUEUE_NAME, {
      ...queueOptions(this.#prefix),
      connection: { url: this.#url },
    });
    try {
      await queue.pause();
    } finally {
      await queue.close();
    }
  }

  /** Queues chunks of one operation the plain way. */
  async acceptPlain(chunks: readonly Chunk[]): Promise<void> {
    const queue = new Queue(PLAIN_QUEUE, { connection: { url: this.#url } });
    const jobs = chunks.map(({ id, lines }) => plainJob(id, lines.text));
    try {
      for (let first = 0; first < jobs.length; first += BULK)
        await queue.addBulk(jobs.slice(first, first + BULK));
    } finally {
      await queue.close();
    }
    await this.#rewritten();
  }

  /** Filling makes Redis rewrite its file; that is no part of what is measured next. */
  async #rewritten(): Promise<void> {
    while (/aof_rewrite_(in_progress|scheduled):1/.test(await this.#redis.info('persistence')))
      await delay(20);
  }

  /** Resolves when no more than so many chunks wait or are in a worker's hands. */
  untilLeft(chunks: number): Promise<void> {
    return this.#untilLeft(chunks, `${queueOptions(this.#prefix).prefix}:${QUEUE_NAME}`);
  }

  untilPlainLeft(jobs: number): Promise<void> {
    return this.#untilLeft(jobs, `bull:${PLAIN_QUEUE}`);
  }

  async #untilLeft(limit: number, key: string): Promise<void> {
    for (;;) {
      // Together, for a job that moves from one list to the other must not be missed.
      const counts = await this.#redis.multi().llen(`${key}:wait`).llen(`${key}:active`).exec();
      const left = counts?.reduce((sum, [, count]) => sum + Number(count), 0);
      if (left !== undefined && left <= limit) return;
      await delay(LOOK_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#redis.quit();
  }
}
