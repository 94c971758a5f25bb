import { fromJob, type Chunk, type ChunkJob } from '../shared/chunk.js';
import { FailFastQueue } from '../shared/fail-fast-queue.js';
import type { Logger } from '../shared/log.js';
import type { QueueName } from '../shared/queue-shards.js';

/** The keys of a queue that hold jobs; one that would hold none does not exist. */
const STATES = ['wait', 'active', 'delayed', 'prioritized', 'completed', 'failed', 'paused'];

/** What one shard of the queue still holds, as the ledger's side of the worker asks it. Its calls reject while Redis is away. */
export class ShardView implements AsyncDisposable {
  readonly #operations: FailFastQueue<ChunkJob>;

  constructor(shard: QueueName, log: Logger) {
    this.#operations = new FailFastQueue({ ...shard, log });
  }

  /** True while Redis does not answer. */
  get away(): boolean {
    return this.#operations.away;
  }

  /** Which of these chunks the shard holds, in whatever state. */
  async holds(ids: readonly string[]): Promise<readonly string[]> {
    const { redis, queue } = this.#operations;
    return this.#operations.within(async () => {
      const asked = redis.pipeline(ids.map((id) => ['exists', queue.toKey(id)]));
      const answers = (await asked.exec()) ?? [];
      for (const [error] of answers) if (error) throw error;
      return ids.filter((_, index) => answers[index]?.[1] === 1);
    });
  }

  /** Chunks by what they wait for: a worker, the end of its work, or a ledger that was away. */
  async counts(): Promise<Readonly<Record<'waiting' | 'active' | 'unrecorded', number>>> {
    const { queue } = this.#operations;
    const {
      active = 0,
      completed = 0,
      ...waiting
    } = await this.#operations.within(() =>
      queue.getJobCounts('wait', 'delayed', 'prioritized', 'active', 'completed'),
    );
    const sum = Object.values(waiting).reduce((total, count) => total + count, 0);
    return { waiting: sum, active, unrecorded: completed };
  }

  /** Up to `limit` chunks that were settled while the ledger was away, oldest first; see {@link forget}. */
  async settledUnrecorded(limit: number): Promise<readonly Chunk[]> {
    return this.#operations.within(async () => {
      const jobs = await this.#operations.queue.getJobs('completed', 0, limit - 1, true);
      return jobs.flatMap((job) => fromJob(job.id ?? '', job.data) ?? []);
    });
  }

  /** The ledger has these now. */
  async forget(ids: readonly string[]): Promise<void> {
    const { queue } = this.#operations;
    await this.#operations.within(() => Promise.all(ids.map((id) => queue.remove(id))));
  }

  /** True when that shard, which another connection is for, holds any chunk, in whatever state. */
  async inUse({ prefix, name }: QueueName): Promise<boolean> {
    const keys = STATES.map((state) => `${prefix}:${name}:${state}`);
    return this.#operations.within(async () => (await this.#operations.redis.exists(keys)) > 0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#operations[Symbol.asyncDispose]();
  }
}
