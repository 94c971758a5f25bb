import { WaitingError, type Job } from 'bullmq';
import { fromJob, type Chunk, type ChunkJob } from '../shared/chunk.js';
import { withDeadline } from '../shared/deadline.js';
import { SECOND } from '../shared/duration.js';
import { unreadable, type RefusedLine } from '../shared/ledger.js';
import type { Logger } from '../shared/log.js';
import { MAX_LINES } from '../shared/operation.js';
import { shardOf, type QueueAddress } from '../shared/queue-shards.js';
import type { Settlement } from './batcher.js';
import { ShardConsumer } from './shard-consumer.js';

/** As the batcher's; `'unrecorded'`: settled, and the ledger could not be told. */
export type Outcome = Settlement | 'unrecorded';

/** Chunks in hand at once, however small: each has a lock to renew and may have to be handed back. */
const CONCURRENCY = 1_000;

/**
 * Lines worth having in hand: 80 full batches keep every writer busy while others are marked and completed. More would
 * only fill memory, age there, and be missing to other workers. Chunks in hand tell how many of their like that is. With
 * several shards it may be a chunk more for each: BullMQ cannot be told to take none.
 */
export const ENOUGH_LINES = 80 * MAX_LINES;
const FEWEST_CHUNKS = ENOUGH_LINES / MAX_LINES;

/** Less than the second that a drain waits for an answer. */
const ANSWER_MS = SECOND / 2;

export interface ConsumerOptions {
  readonly queue: QueueAddress;
  readonly shards: number;
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

/** Takes chunks from all shards of the queue and gives none back as done before it is settled. */
export class Consumer implements AsyncDisposable {
  readonly #options: ConsumerOptions;
  readonly #shards: ShardConsumer[] = [];
  #inHand = 0;
  #linesInHand = 0;
  #most = FEWEST_CHUNKS;
  readonly #handedBack = new Set<string>();

  constructor(options: ConsumerOptions) {
    this.#options = options;
    for (let shard = 0; shard < options.shards; shard++) this.#open(shard);
    this.#shareRoom();
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
    for (const shard of this.#shards) shard.start();
  }

  /** Takes chunks from one more shard. */
  add(shard: number): void {
    this.#open(shard).start();
  }

  /** Takes no new chunk; the ones in hand go on. */
  async pause(): Promise<void> {
    await Promise.all(this.#shards.map((shard) => shard.pause()));
  }

  async resume(): Promise<void> {
    await Promise.all(this.#shards.map((shard) => shard.resume()));
  }

  /** True when nothing waits and no worker, alive or gone, has a chunk in hand, in any shard that answers. */
  async empty(): Promise<boolean> {
    return (await this.#answers((shard) => shard.empty())).every(Boolean);
  }

  /** True when no other worker is connected to any shard that answers. */
  async last(): Promise<boolean> {
    return (await this.#answers((shard) => shard.last())).every(Boolean);
  }

  /** What keeps the worker from taking chunks now, or nothing. */
  readonly hindrance = async (): Promise<string | undefined> =>
    this.#answers((shard) => shard.ping()).then(
      () => undefined,
      () => 'redis does not answer',
    );

  /** BullMQ workers can wedge after a reconnect: work waits, hands are free, and nothing is taken. */
  readonly sickness = async (): Promise<string | undefined> => {
    const { wedgedMs = 60 * SECOND } = this.#options;
    const found = await Promise.all(this.#shards.map((shard) => shard.wedged(wedgedMs)));
    return found.find((sickness) => sickness !== undefined);
  };

  #open(number: number): ShardConsumer {
    const { queue, shards, instance, log } = this.#options;
    const shard: ShardConsumer = new ShardConsumer({
      shard: shardOf(queue, number),
      instance,
      log: shards === 1 && number === 0 ? log : log.child({ shard: number }),
      onTaken: () => this.#shareRoom(),
      process: (job, token) => this.#process(shard, job, token),
    });
    this.#shards.push(shard);
    return shard;
  }

  /** What the shards say that answer in time; rejects when none does. */
  async #answers<T>(ask: (shard: ShardConsumer) => Promise<T>): Promise<readonly T[]> {
    const asked = this.#shards.map((shard) => withDeadline(ask(shard), ANSWER_MS, 'redis'));
    await Promise.any(asked);
    const answers = await Promise.allSettled(asked);
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  }

  async #process(shard: ShardConsumer, job: Job<ChunkJob, void>, token: string | undefined): Promise<void> {
    const { id = '', data, attemptsStarted } = job;
    const chunk = fromJob(id, data);
    const lines = chunk?.lines.length ?? 1;
    this.#hold(shard, 1, lines);
    try {
      if (!chunk) return await this.#options.keepUnreadable(unreadable(id, JSON.stringify(data)));
      const outcome = await this.#options.settle(chunk, attemptsStarted > 1);
      if (outcome === 'unrecorded') job.opts.removeOnComplete = false;
      if (outcome !== 'abandoned') return;
      await job.moveToWait(token);
      this.#handedBack.add(id);
    } finally {
      this.#hold(shard, -1, -lines);
    }
    throw new WaitingError(); // tells BullMQ that the job is no longer ours to complete
  }

  #hold(taking: ShardConsumer, chunks: number, lines: number): void {
    taking.inHand += chunks;
    this.#inHand += chunks;
    this.#linesInHand += lines;
    const enough = Math.ceil((ENOUGH_LINES * this.#inHand) / Math.max(1, this.#linesInHand));
    // Above the chunks in hand as long as their lines are not enough, so that a batch always fills.
    this.#most = this.#inHand === 0 ? FEWEST_CHUNKS : Math.min(CONCURRENCY, enough);
    this.#shareRoom();
  }

  /** Each shard may take its part of what is left; what BullMQ has taken and not begun with counts as well. */
  #shareRoom(): void {
    const taken = this.#shards.reduce((sum, shard) => sum + shard.taken, 0);
    const each = Math.ceil((this.#most - taken) / this.#shards.length);
    for (const shard of this.#shards) shard.concurrency = Math.max(1, shard.taken + each);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#shards.map((shard) => shard[Symbol.asyncDispose]()));
  }
}
