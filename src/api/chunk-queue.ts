import { once } from 'node:events';
import { toJob, type Chunk, type ChunkJob } from '../shared/chunk.js';
import { FailFastQueue } from '../shared/fail-fast-queue.js';
import type { Logger } from '../shared/log.js';
import { JOB_NAME, JOB_OPTIONS } from '../shared/operation-queue.js';
import type { QueueName } from '../shared/queue-shards.js';
import type { AcceptanceStore } from './acceptance.js';
import { UNTRACED, type ApiTracing } from './tracing.js';

/** Refused chunks that are still to be taken back; older ones are forgotten (and said so) beyond this. */
const MAX_REVOCATIONS = 1_000;

export interface ChunkQueueOptions {
  readonly shard: QueueName;
  readonly log: Logger;
  readonly name?: string;
  /** The trace that a chunk is sent in. */
  readonly traceOf?: ApiTracing['carried'];
}

/** A shard of the queue, or all of it, as the API sees it: a store that accepts chunks, one job each. The fast path to the worker. */
export class ChunkQueue implements AcceptanceStore, AsyncDisposable {
  readonly name: string;
  readonly #operations: FailFastQueue<ChunkJob>;
  readonly #log: Logger;
  readonly #traceOf: ApiTracing['carried'];
  readonly #revoked = new Set<string>();
  #takingBack = false;

  constructor({ shard, log, name = 'queue', traceOf = UNTRACED.carried }: ChunkQueueOptions) {
    this.name = name;
    this.#log = log;
    this.#traceOf = traceOf;
    this.#operations = new FailFastQueue({ ...shard, log });
    this.#operations.redis.on('ready', () => void this.#takeBack());
  }

  async accept(chunk: Chunk): Promise<void> {
    this.#operations.assertReady();
    await this.#operations.queue.add(JOB_NAME, toJob(chunk, this.#traceOf()), {
      ...JOB_OPTIONS,
      jobId: chunk.id,
    });
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
    if (!this.#operations.away) this.#operations.redis.disconnect(true);
  }

  async ping(): Promise<void> {
    const { redis, queue } = this.#operations;
    if (redis.status !== 'ready') await once(redis, 'ready');
    await redis.exists(queue.toKey('meta')); // of a cluster, the node that has the shard
    void this.#takeBack(); // a cluster's connection is ready as long as any node is
  }

  async #takeBack(): Promise<void> {
    if (this.#takingBack) return;
    this.#takingBack = true;
    const { queue } = this.#operations;
    for (const id of this.#revoked) {
      try {
        const job = await queue.getJob(id);
        const removed = job && job.finishedOn === undefined ? await queue.remove(id) : 0;
        this.#revoked.delete(id);
        if (removed === 1) this.#log.info({ chunk: id }, 'a refused chunk was taken back');
      } catch (error) {
        this.#log.warn({ err: error, chunk: id }, 'a refused chunk could not be taken back yet');
        break;
      }
    }
    this.#takingBack = false;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#operations[Symbol.asyncDispose]();
  }
}
