import type { Chunk } from '../shared/chunk.js';
import { withDeadline } from '../shared/deadline.js';
import { SECOND } from '../shared/duration.js';
import type { Logger } from '../shared/log.js';
import { shardOf, type QueueAddress } from '../shared/queue-shards.js';
import { Rest } from '../shared/rest.js';
import type { AcceptanceStore } from './acceptance.js';
import { ChunkQueue, type ChunkQueueOptions } from './chunk-queue.js';

/** As long as acceptance waits. */
const DEADLINE_MS = SECOND / 2;

export interface OpenQueueOptions extends Pick<ChunkQueueOptions, 'log' | 'traceOf'> {
  readonly queue: QueueAddress;
  readonly shards: number;
}

/** The queue as the API sees it. One shard is that queue itself: nothing stands between. */
export function openChunkQueue({
  queue,
  shards,
  log,
  ...tracing
}: OpenQueueOptions): AcceptanceStore & AsyncDisposable {
  return shards === 1
    ? new ChunkQueue({ shard: shardOf(queue, 0), log, ...tracing })
    : new ShardedQueue(
        Array.from(
          { length: shards },
          (_, n) =>
            new ChunkQueue({
              ...{ shard: shardOf(queue, n), log: log.child({ shard: n }), name: `queue-${n}` },
              ...tracing,
            }),
        ),
        log,
      );
}

interface Shard {
  readonly queue: ChunkQueue;
  readonly rest: Rest;
}

/**
 * Several queues, perhaps on several servers, as one: chunks go to them in turn. One that failed gets none until it
 * answers again; its turn is the next one's. Acceptance leaves them all alone for a second when one fails, which costs
 * nothing: the ledger has what the queue has.
 */
class ShardedQueue implements AcceptanceStore, AsyncDisposable {
  readonly name = 'queue';
  readonly #shards: readonly Shard[];
  /** Which shard was asked to take a chunk; it alone can have it. */
  readonly #asked = new WeakMap<Chunk, ChunkQueue>();
  #turn = 0;

  constructor(queues: readonly ChunkQueue[], log: Logger) {
    this.#shards = queues.map((queue) => ({
      queue,
      rest: new Rest(queue, { log, deadlineMs: DEADLINE_MS }),
    }));
  }

  async accept(chunk: Chunk): Promise<void> {
    const shard = this.#next();
    if (!shard) throw new Error('no shard of the queue answers');
    this.#asked.set(chunk, shard.queue);
    try {
      await withDeadline(shard.queue.accept(chunk), DEADLINE_MS, `the ${shard.queue.name}`);
    } catch (error) {
      shard.rest.begin();
      throw error;
    }
  }

  leftAlone(): void {}

  revoke(chunk: Chunk, asked: boolean): void {
    this.#asked.get(chunk)?.revoke(chunk, asked);
  }

  /** Resolves when one shard answers. */
  async ping(): Promise<void> {
    await Promise.any(this.#shards.map(({ queue }) => queue.ping()));
  }

  reset(): void {
    for (const { queue } of this.#shards) queue.reset();
  }

  #next(): Shard | undefined {
    for (let tried = 0; tried < this.#shards.length; tried++) {
      const shard = this.#shards[this.#turn++ % this.#shards.length];
      if (shard && !shard.rest.resting) return shard;
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { rest } of this.#shards) rest[Symbol.dispose]();
    await Promise.all(this.#shards.map(({ queue }) => queue[Symbol.asyncDispose]()));
  }
}
