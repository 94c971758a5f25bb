import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { fromJob, type Chunk, type ChunkJob } from '../shared/chunk.js';
import { withDeadline } from '../shared/deadline.js';
import { SECOND } from '../shared/duration.js';
import type { Logger } from '../shared/log.js';
import { QUEUE_NAME, queueOptions } from '../shared/operation-queue.js';
import { closeRedis, openRedis } from '../shared/redis.js';

const DEADLINE_MS = SECOND;

/** What the queue still holds, as the ledger's side of the worker asks it. Its calls reject while Redis is away. */
export class QueueView implements AsyncDisposable {
  readonly #redis: Redis;
  readonly #queue: Queue<ChunkJob>;

  constructor({ url, prefix, log }: { url: string; prefix: string; log: Logger }) {
    this.#redis = openRedis(url, { commands: 'fail-fast', log });
    this.#queue = new Queue(QUEUE_NAME, {
      ...queueOptions(prefix),
      connection: this.#redis,
      skipMetasUpdate: true,
    });
    this.#queue.on('error', () => undefined); // the connection has reported it already
  }

  /** True while Redis does not answer. */
  get away(): boolean {
    return this.#redis.status !== 'ready';
  }

  /** Which of these chunks the queue holds, in whatever state. */
  async holds(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#within(async () => {
      const asked = this.#redis.pipeline(ids.map((id) => ['exists', this.#queue.toKey(id)]));
      const answers = (await asked.exec()) ?? [];
      for (const [error] of answers) if (error) throw error;
      return new Set(ids.filter((_, index) => answers[index]?.[1] === 1));
    });
  }

  /** Up to `limit` chunks that were settled while the ledger was away, oldest first; see {@link forget}. */
  async settledUnrecorded(limit: number): Promise<readonly Chunk[]> {
    return this.#within(async () => {
      const jobs = await this.#queue.getJobs('completed', 0, limit - 1, true);
      return jobs.flatMap((job) => fromJob(job.id ?? '', job.data) ?? []);
    });
  }

  /** The ledger has these now. */
  async forget(ids: readonly string[]): Promise<void> {
    await this.#within(() => Promise.all(ids.map((id) => this.#queue.remove(id))));
  }

  /** BullMQ would wait for Redis, however long it is away. */
  #within<T>(ask: () => Promise<T>): Promise<T> {
    if (this.away) return Promise.reject(new Error(`redis is ${this.#redis.status}`));
    return withDeadline(ask(), DEADLINE_MS, 'the queue');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await withDeadline(this.#queue.close(), DEADLINE_MS, 'closing the queue').catch(() => undefined);
    await closeRedis(this.#redis);
  }
}
