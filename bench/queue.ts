import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { ChunkQueue } from '../src/api/chunk-queue.js';
import { readVariables, SHARED_VARIABLES } from '../src/shared/configuration.js';
import { openLog } from '../src/shared/log.js';
import { QUEUE_NAME, queueOptions } from '../src/shared/operation-queue.js';
import { makeChunks } from './operations.js';
import { PLAIN_QUEUE, plainJob } from './peers/plain-queue.js';

/** Jobs on their way to Redis at once while a queue is filled. */
const WINDOW = 500;

/** The queues, as a bench fills and watches them. */
export class BenchQueue implements AsyncDisposable {
  readonly #redis: Redis;
  readonly #url: string;
  readonly #prefix: string;

  constructor(environment: Readonly<Record<string, string>>) {
    const { REDIS_URL, QUEUE_PREFIX } = readVariables(SHARED_VARIABLES, environment);
    this.#url = REDIS_URL;
    this.#prefix = QUEUE_PREFIX;
    this.#redis = new Redis(REDIS_URL);
  }

  async clear(): Promise<void> {
    await this.#redis.flushall();
  }

  /** Memory that Redis uses, in bytes. */
  async usedMemory(): Promise<number> {
    const [, bytes] = /^used_memory:(\d+)/m.exec(await this.#redis.info('memory')) ?? [];
    return Number(bytes);
  }

  /** Queues operations through the API's own code. */
  async fill(operations: number, chunkSize: number): Promise<void> {
    const log = openLog('silent', 'bench');
    await using queue = new ChunkQueue({ url: this.#url, prefix: this.#prefix, log });
    await untilAnswers(() => queue.ping());
    const window: Promise<void>[] = [];
    for (const chunk of makeChunks(operations, chunkSize)) {
      window.push(queue.accept(chunk));
      if (window.length === WINDOW) await Promise.all(window.splice(0));
    }
    await Promise.all(window);
    await this.#rewritten();
  }

  /** Queues operations the plain way: one job each. */
  async fillPlain(operations: number): Promise<void> {
    const queue = new Queue(PLAIN_QUEUE, { connection: { url: this.#url } });
    try {
      for (const { id, lines } of makeChunks(operations, WINDOW))
        await queue.addBulk(lines.text.split('\n').map((line, index) => plainJob(`${id}.${index}`, line)));
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

  /** Resolves when no chunk waits and none is in a worker's hands. */
  untilEmpty(): Promise<void> {
    return this.#untilEmpty(`${queueOptions(this.#prefix).prefix}:${QUEUE_NAME}`);
  }

  untilPlainEmpty(): Promise<void> {
    return this.#untilEmpty(`bull:${PLAIN_QUEUE}`);
  }

  async #untilEmpty(key: string): Promise<void> {
    for (;;) {
      // Together, for a job that moves from one list to the other must not be missed.
      const counts = await this.#redis.multi().llen(`${key}:wait`).llen(`${key}:active`).exec();
      if (counts?.every(([, count]) => count === 0)) return;
      await delay(5);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#redis.quit();
  }
}

async function untilAnswers(ask: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await ask();
    } catch {
      await delay(10);
    }
  }
}
