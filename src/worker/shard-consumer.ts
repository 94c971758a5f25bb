import { Queue, Worker, type Job } from 'bullmq';
import { Cluster } from 'ioredis';
import type { ChunkJob } from '../shared/chunk.js';
import { withDeadline } from '../shared/deadline.js';
import { SECOND } from '../shared/duration.js';
import type { Logger } from '../shared/log.js';
import { queueOptions } from '../shared/operation-queue.js';
import type { QueueName } from '../shared/queue-shards.js';
import { closeRedis, openRedis, type RedisConnection } from '../shared/redis.js';
import { openQueueClient } from './queue-client.js';

/** A lock that is not renewed for 10 s is lost; looked for every 3 s, so that what a killed worker held is back within 15. */
const LOCK_MS = 10 * SECOND;
const STALLED_CHECK_MS = 3 * SECOND;

const CLOSE_MS = SECOND;

export interface ShardConsumerOptions {
  readonly shard: QueueName;
  readonly instance: string;
  readonly log: Logger;
  /** Told each chunk that BullMQ has taken and will begin with. */
  readonly onTaken: () => void;
  readonly process: (job: Job<ChunkJob, void>, token: string | undefined) => Promise<void>;
}

/** BullMQ's worker on one shard of the queue, with connections of its own. */
export class ShardConsumer implements AsyncDisposable {
  readonly #log: Logger;
  readonly #redis: RedisConnection;
  /** BullMQ's own connection for waiting; kept so that it can be ended when BullMQ does not. */
  readonly #duplicates: RedisConnection[] = [];
  readonly #queue: Queue<ChunkJob>;
  readonly #worker: Worker<ChunkJob, void>;
  /** Chunks of this shard that were taken and not settled yet, as the consumer counts them. */
  inHand = 0;
  /** Chunks that BullMQ has taken and not begun with. */
  #waiting = 0;
  #lastTakenAt = Date.now();

  constructor({ shard, instance, log, onTaken, process }: ShardConsumerOptions) {
    this.#log = log;
    this.#redis = openRedis(shard.url, { commands: 'wait', log });
    this.#keepDuplicatesOf(this.#redis);
    const shared = { ...queueOptions(shard.prefix), connection: openQueueClient(this.#redis) };
    this.#queue = new Queue(shard.name, shared);
    const take = (job: Job<ChunkJob, void>, token: string | undefined) => {
      this.#waiting -= 1;
      return process(job, token);
    };
    this.#worker = new Worker(shard.name, take, {
      ...shared,
      name: instance,
      autorun: false,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      // A job survives any number of crashes.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      // BullMQ waits 15 s after a lost connection by default; ours reconnects within one.
      runRetryDelay: SECOND / 2,
    });
    this.#queue.on('error', () => undefined); // the connection has reported it already
    this.#worker.on('error', (error) => log.debug({ err: error }, 'bullmq'));
    this.#worker.on('active', () => {
      this.#lastTakenAt = Date.now();
      this.#waiting += 1;
      onTaken();
    });
    this.#worker.on('failed', (job, error) =>
      log.error({ err: error, chunk: job?.id }, 'a job failed; it is tried again'),
    );
    this.#worker.on('stalled', (chunk) =>
      log.warn({ chunk }, 'a chunk of a worker that is gone goes back to the queue'),
    );
  }

  get taken(): number {
    return this.inHand + this.#waiting;
  }

  /** Chunks in hand at once, at least 1, which it is at first. */
  set concurrency(chunks: number) {
    this.#worker.concurrency = chunks;
  }

  start(): void {
    void this.#worker.run();
  }

  async pause(): Promise<void> {
    await this.#worker.pause(true);
  }

  async resume(): Promise<void> {
    await this.#worker.resume();
  }

  /** True when nothing waits and no worker, alive or gone, has a chunk in hand. */
  async empty(): Promise<boolean> {
    const counts = await this.#queue.getJobCounts('wait', 'active', 'delayed', 'prioritized');
    return Object.values(counts).every((count) => count === 0);
  }

  /** True when no other worker is connected to this shard. */
  async last(): Promise<boolean> {
    return (await this.#queue.getWorkersCount()) <= 1;
  }

  async ping(): Promise<void> {
    await this.#redis.exists(this.#queue.toKey('meta')); // of a cluster, the node that has the shard
  }

  /** Says so when chunks wait, hands are free, and none was taken for so long. */
  async wedged(afterMs: number): Promise<string | undefined> {
    const idleMs = Date.now() - this.#lastTakenAt;
    if (this.inHand >= this.#worker.concurrency || idleMs < afterMs || this.#redis.status !== 'ready')
      return undefined;
    const waiting = await withDeadline(this.#queue.count(), SECOND, 'counting the queue').catch(() => 0);
    return waiting > 0
      ? `${waiting} chunks wait and none was taken for ${Math.round(idleMs / SECOND)} s`
      : undefined;
  }

  #keepDuplicatesOf(redis: RedisConnection): void {
    const keep = <C extends RedisConnection>(copy: C): C => {
      this.#duplicates.push(copy);
      return copy;
    };
    if (redis instanceof Cluster) {
      const duplicate = redis.duplicate.bind(redis);
      redis.duplicate = (nodes, override) => keep(duplicate(nodes, override));
    } else {
      const duplicate = redis.duplicate.bind(redis);
      redis.duplicate = (override) => keep(duplicate(override));
    }
  }

  /** Ends within a few seconds also while Redis is away, which BullMQ's own close would wait for. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closing = Promise.all([this.#worker.close(), this.#queue.close()]);
    await withDeadline(closing, CLOSE_MS, 'closing the consumer').catch((error: unknown) => {
      this.#log.warn({ err: error }, 'the consumer did not close in time; its locks run out by themselves');
    });
    await Promise.all([this.#redis, ...this.#duplicates].map(closeRedis));
  }
}
