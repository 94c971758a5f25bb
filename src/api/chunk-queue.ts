import { once } from 'node:events';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { toJob, type Chunk, type ChunkJob } from '../shared/chunk.js';
import { SECOND } from '../shared/duration.js';
import { withDeadline } from '../shared/deadline.js';
import type { Logger } from '../shared/log.js';
import { JOB_NAME, JOB_OPTIONS, QUEUE_NAME, queueOptions } from '../shared/operation-queue.js';
import { closeRedis, openRedis } from '../shared/redis.js';
import type { AcceptanceStore } from './acceptance.js';

/** Refused chunks that are still to be taken back; older ones are forgotten (and said so) beyond this. */
const MAX_REVOCATIONS = 1_000;

/** The queue as the API sees it: a store that accepts chunks, one job each. The fast path to the worker. */
export class ChunkQueue implements AcceptanceStore, AsyncDisposable {
  readonly name = 'queue';
  readonly #redis: Redis;
  readonly #queue: Queue<ChunkJob>;
  readonly #log: Logger;
  readonly #revoked = new Set<string>();

  constructor({ url, prefix, log }: { url: string; prefix: string; log: Logger }) {
    this.#log = log;
    this.#redis = openRedis(url, { commands: 'fail-fast', log });
    this.#queue = new Queue(QUEUE_NAME, {
      ...queueOptions(prefix),
      connection: this.#redis,
      skipMetasUpdate: true,
    });
    this.#queue.on('error', () => undefined); // the connection has reported it already
    this.#redis.on('ready', () => void this.#takeBack());
  }

  async accept(chunk: Chunk): Promise<void> {
    // BullMQ would wait for a first connection and send the job then, long after its requests were refused.
    if (this.#redis.status !== 'ready') throw new Error(`redis is ${this.#redis.status}`);
    await this.#queue.add(JOB_NAME, toJob(chunk), { ...JOB_OPTIONS, jobId: chunk.id });
  }

  /** The worker that settles it adds it to the ledger. */
  leftAlone(): void {}

  /**
   * The job may sit in Redis, or in a socket on its way there. The connection is given up, so that nothing stale
   * arrives later, and what did arrive is removed over the next one, unless a worker was faster: a job that is done
   * stays until the ledger knows of it.
   */
  revoke(chunk: Chunk, asked: boolean): void {
    if (!asked) return;
    if (this.#revoked.size >= MAX_REVOCATIONS) {
      const [oldest = ''] = this.#revoked;
      this.#revoked.delete(oldest);
      this.#log.error({ chunk: oldest }, 'a refused chunk was not taken back and may be counted');
    }
    this.#revoked.add(chunk.id);
    this.reset();
  }

  reset(): void {
    if (this.#redis.status === 'ready') this.#redis.disconnect(true);
  }

  async ping(): Promise<void> {
    if (this.#redis.status !== 'ready') await once(this.#redis, 'ready');
    await this.#redis.ping();
  }

  async #takeBack(): Promise<void> {
    for (const id of this.#revoked) {
      try {
        const job = await this.#queue.getJob(id);
        const removed = job && job.finishedOn === undefined ? await this.#queue.remove(id) : 0;
        this.#revoked.delete(id);
        if (removed === 1) this.#log.info({ chunk: id }, 'a refused chunk was taken back');
      } catch (error) {
        this.#log.warn({ err: error, chunk: id }, 'a refused chunk could not be taken back yet');
        return;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // BullMQ's close waits for Redis, however long it is away; the connection is ours and is ended after it.
    await withDeadline(this.#queue.close(), 2 * SECOND, 'closing the queue').catch((error: unknown) => {
      this.#log.warn({ err: error }, 'the queue did not close in time');
    });
    await closeRedis(this.#redis);
  }
}
