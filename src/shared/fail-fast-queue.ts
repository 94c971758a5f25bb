import { Queue } from 'bullmq';
import { withDeadline } from './deadline.js';
import { SECOND } from './duration.js';
import type { Logger } from './log.js';
import { queueOptions } from './operation-queue.js';
import type { QueueName } from './queue-shards.js';
import { closeRedis, openRedis, type RedisConnection } from './redis.js';

const ANSWER_MS = SECOND;

export interface FailFastQueueOptions extends QueueName {
  readonly log: Logger;
}

/** A BullMQ queue on a connection of its own that never waits for Redis: what is asked while it is away fails. */
export class FailFastQueue<Data> implements AsyncDisposable {
  readonly redis: RedisConnection;
  readonly queue: Queue<Data, void>;

  constructor({ url, prefix, name, log }: FailFastQueueOptions) {
    this.redis = openRedis(url, { commands: 'fail-fast', log });
    this.queue = new Queue(name, { ...queueOptions(prefix), connection: this.redis });
    this.queue.on('error', () => undefined); // the connection has reported it already
  }

  /** True while Redis does not answer. */
  get away(): boolean {
    return this.redis.status !== 'ready';
  }

  /** BullMQ would wait for a first connection, and send then what nobody waits for any more. */
  assertReady(): void {
    if (this.away) throw new Error(`redis is ${this.redis.status}`);
  }

  /** What Redis answers within a second; rejects when it does not, and at once while it is away. */
  async within<T>(ask: () => Promise<T>): Promise<T> {
    this.assertReady();
    return withDeadline(ask(), ANSWER_MS, 'the queue');
  }

  /** BullMQ's close waits for Redis, however long it is away; the connection is ours and is ended after it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await withDeadline(this.queue.close(), ANSWER_MS, 'closing the queue').catch(() => undefined);
    await closeRedis(this.redis);
  }
}
