import { fromJob, type Chunk, type ChunkJob } from '../shared/chunk.js';
import { FailFastQueue } from '../shared/fail-fast-queue.js';
import type { Logger } from '../shared/log.js';
import { QUEUE_NAME } from '../shared/operation-queue.js';

/** What the queue still holds, as the ledger's side of the worker asks it. Its calls reject while Redis is away. */
export class QueueView implements AsyncDisposable {
  readonly #operations: FailFastQueue<ChunkJob>;

  constructor(redis: { url: string; prefix: string; log: Logger }) {
    this.#operations = new FailFastQueue({ ...redis, name: QUEUE_NAME });
  }

  /** True while Redis does not answer. */
  get away(): boolean {
    return this.#operations.away;
  }

  /** Which of these chunks the queue holds, in whatever state. */
  async holds(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const { redis, queue } = this.#operations;
    return this.#operations.within(async () => {
      const asked = redis.pipeline(ids.map((id) => ['exists', queue.toKey(id)]));
      const answers = (await asked.exec()) ?? [];
      for (const [error] of answers) if (error) throw error;
      return new Set(ids.filter((_, index) => answers[index]?.[1] === 1));
    });
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

  [Symbol.asyncDispose](): Promise<void> {
    return this.#operations[Symbol.asyncDispose]();
  }
}
