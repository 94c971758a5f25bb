import { Queue, WaitingError, Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { fromJob, type Chunk, type ChunkJob } from '../shared/chunk.js';
import { withDeadline } from '../shared/deadline.js';
import { SECOND } from '../shared/duration.js';
import { unreadable, type RefusedLine } from '../shared/ledger.js';
import type { Logger } from '../shared/log.js';
import { MAX_LINES } from '../shared/operation.js';
import { QUEUE_NAME, queueOptions } from '../shared/operation-queue.js';
import { closeRedis, openRedis } from '../shared/redis.js';
import type { Settlement } from './batcher.js';

/** As the batcher's; `'unrecorded'`: settled, and the ledger could not be told. */
export type Outcome = Settlement | 'unrecorded';

/** Chunks in hand at once: 500 one-line chunks can fill a batch. */
const CONCURRENCY = 500;

/**
 * Lines worth having in hand: 20 full batches keep every writer busy. More would only fill memory, age there, and be
 * missing to other workers. Chunks in hand tell how many of their like that is.
 */
const ENOUGH_LINES = 20 * MAX_LINES;
const FEWEST_CHUNKS = ENOUGH_LINES / MAX_LINES;

/** A lock that is not renewed for 10 s is lost; looked for every 3 s, so that what a killed worker held is back within 15. */
const LOCK_MS = 10 * SECOND;
const STALLED_CHECK_MS = 3 * SECOND;

const CLOSE_MS = SECOND;

export interface ConsumerOptions {
  readonly url: string;
  readonly prefix: string;
  readonly instance: string;
  readonly log: Logger;
  /**
   * Resolves when the chunk's lines are stored or quarantined (then its job completes; it stays in Redis until the
   * ledger knows), or when they were given up (then its job goes back to the queue). `redelivered`: another worker had
   * the chunk before.
   */
  readonly settle: (chunk: Chunk, redelivered: boolean) => Promise<Outcome>;
  /** A worker with work waiting and room in its hands that takes none for this long, in milliseconds, is wedged. */
  readonly wedgedMs?: number;
  /** Keeps what cannot be read as a chunk; resolves when it is durable. */
  readonly keepUnreadable: (line: RefusedLine) => Promise<void>;
}

/** Takes chunks from the queue and gives none back as done before it is settled. */
export class Consumer implements AsyncDisposable {
  readonly #options: ConsumerOptions;
  readonly #redis: Redis;
  /** BullMQ's own connection for waiting; kept so that it can be ended when BullMQ does not. */
  readonly #duplicates: Redis[] = [];
  readonly #queue: Queue<ChunkJob>;
  readonly #worker: Worker<ChunkJob, void>;
  #inHand = 0;
  #linesInHand = 0;
  readonly #handedBack = new Set<string>();
  #lastTakenAt = Date.now();

  constructor(options: ConsumerOptions) {
    const { url, prefix, instance, log } = options;
    this.#options = options;
    this.#redis = openRedis(url, { commands: 'wait', log });
    const duplicate = this.#redis.duplicate.bind(this.#redis);
    this.#redis.duplicate = (override) => {
      const copy = duplicate(override);
      this.#duplicates.push(copy);
      return copy;
    };
    const shared = { ...queueOptions(prefix), connection: this.#redis };
    this.#queue = new Queue(QUEUE_NAME, shared);
    this.#worker = new Worker(QUEUE_NAME, (job, token) => this.#process(job, token), {
      ...shared,
      name: instance,
      autorun: false,
      concurrency: FEWEST_CHUNKS,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      // A job survives any number of crashes.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      // BullMQ waits 15 s after a lost connection by default; ours reconnects within one.
      runRetryDelay: SECOND / 2,
    });
    this.#queue.on('error', () => undefined); // the connection has reported it already
    this.#worker.on('error', (error) => log.debug({ err: error }, 'bullmq'));
    this.#worker.on('failed', (job, error) =>
      log.error({ err: error, chunk: job?.id }, 'a job failed; it is tried again'),
    );
    this.#worker.on('stalled', (chunk) =>
      log.warn({ chunk }, 'a chunk of a worker that is gone goes back to the queue'),
    );
  }

  /** Chunks taken and not settled yet. */
  get inHand(): number {
    return this.#inHand;
  }

  /** Chunks given back to the queue. */
  get handedBack(): number {
    return this.#handedBack.size;
  }

  /** Starts to take chunks, now and whenever there are any. */
  start(): void {
    void this.#worker.run();
  }

  /** Takes no new chunk; the ones in hand go on. */
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

  /** True when no other worker is connected to the queue. */
  async last(): Promise<boolean> {
    return (await this.#queue.getWorkersCount()) <= 1;
  }

  /** What keeps the worker from taking chunks now, or nothing. */
  readonly hindrance = async (): Promise<string | undefined> => {
    const pong = withDeadline(this.#redis.ping(), SECOND, 'redis');
    return pong.then(
      () => undefined,
      () => 'redis does not answer',
    );
  };

  /** BullMQ workers can wedge after a reconnect: work waits, hands are free, and nothing is taken. */
  readonly sickness = async (): Promise<string | undefined> => {
    const { wedgedMs = 60 * SECOND } = this.#options;
    const idleMs = Date.now() - this.#lastTakenAt;
    if (this.#inHand >= this.#worker.concurrency || idleMs < wedgedMs || this.#redis.status !== 'ready')
      return undefined;
    const waiting = await withDeadline(this.#queue.count(), SECOND, 'counting the queue').catch(() => 0);
    return waiting > 0
      ? `${waiting} chunks wait and none was taken for ${Math.round(idleMs / SECOND)} s`
      : undefined;
  };

  async #process(job: Job<ChunkJob, void>, token: string | undefined): Promise<void> {
    const { id = '', data, attemptsStarted } = job;
    const chunk = fromJob(id, data);
    const lines = chunk?.lines.length ?? 1;
    this.#lastTakenAt = Date.now();
    this.#hold(1, lines);
    try {
      if (!chunk) return await this.#options.keepUnreadable(unreadable(id, JSON.stringify(data)));
      const outcome = await this.#options.settle(chunk, attemptsStarted > 1);
      if (outcome === 'unrecorded') job.opts.removeOnComplete = false;
      if (outcome !== 'abandoned') return;
      await job.moveToWait(token);
      this.#handedBack.add(id);
    } finally {
      this.#hold(-1, -lines);
    }
    throw new WaitingError(); // tells BullMQ that the job is no longer ours to complete
  }

  #hold(chunks: number, lines: number): void {
    this.#inHand += chunks;
    this.#linesInHand += lines;
    const enough = Math.ceil((ENOUGH_LINES * this.#inHand) / Math.max(1, this.#linesInHand));
    // Above the chunks in hand as long as their lines are not enough, so that a batch always fills.
    this.#worker.concurrency = this.#inHand === 0 ? FEWEST_CHUNKS : Math.min(CONCURRENCY, enough);
  }

  /** Ends within a few seconds also while Redis is away, which BullMQ's own close would wait for. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closing = Promise.all([this.#worker.close(), this.#queue.close()]);
    await withDeadline(closing, CLOSE_MS, 'closing the consumer').catch((error: unknown) => {
      this.#options.log.warn(
        { err: error },
        'the consumer did not close in time; its locks run out by themselves',
      );
    });
    await Promise.all([this.#redis, ...this.#duplicates].map(closeRedis));
  }
}
