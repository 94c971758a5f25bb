import type { Logger } from '../shared/log.js';
import type { StoreHealth } from '../shared/process-metrics.js';
import { MAX_SHARDS, shardOf, type QueueAddress } from '../shared/queue-shards.js';
import { ShardView } from './shard-view.js';

export interface QueueViewOptions {
  readonly queue: QueueAddress;
  readonly shards: number;
  readonly log: Logger;
}

/** What the queue still holds, as the ledger's side of the worker asks it. */
export class QueueView implements AsyncDisposable {
  readonly #options: QueueViewOptions;
  readonly #shards = new Map<number, ShardView>();

  constructor(options: QueueViewOptions) {
    this.#options = options;
    for (let shard = 0; shard < options.shards; shard++) this.add(shard);
  }

  get shards(): readonly ShardView[] {
    return [...this.#shards.values()];
  }

  get numbered(): readonly (readonly [number, ShardView])[] {
    return [...this.#shards];
  }

  /** Each shard, asked, under the name that the API has for it. */
  async health(): Promise<readonly StoreHealth[]> {
    const away = (shard: ShardView) =>
      shard.counts().then(
        () => false,
        () => true,
      );
    return Promise.all(
      this.numbered.map(async ([n, shard]) => ({
        store: this.#options.shards === 1 && n === 0 ? 'queue' : `queue-${n}`,
        away: await away(shard),
      })),
    );
  }

  /** True while Redis does not answer for any one shard. */
  get away(): boolean {
    return this.shards.some(({ away }) => away);
  }

  /**
   * Which of these chunks the queue holds, in whatever state and shard, as far as its shards answer: a chunk that is
   * sent twice is stored once. Rejects when none answers.
   */
  async holds(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const asked = this.shards.map((shard) => shard.holds(ids));
    await Promise.any(asked);
    const answers = await Promise.allSettled(asked);
    return new Set(answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : [])));
  }

  /** Shards that hold chunks although they are not ours: `QUEUE_SHARDS` is, or was, greater elsewhere. */
  async strays(): Promise<readonly number[]> {
    const asked = this.shards.find(({ away }) => !away);
    const others = Array.from({ length: MAX_SHARDS }, (_, shard) => shard).filter(
      (n) => !this.#shards.has(n),
    );
    if (!asked) return [];
    const { queue } = this.#options;
    const found = await Promise.all(others.map((n) => asked.inUse(shardOf(queue, n)).catch(() => false)));
    return others.filter((_, index) => found[index]);
  }

  /** Looks into one more shard. */
  add(shard: number): void {
    const { queue, shards, log } = this.#options;
    const own = shards === 1 && shard === 0 ? log : log.child({ shard });
    this.#shards.set(shard, new ShardView(shardOf(queue, shard), own));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.shards.map((shard) => shard[Symbol.asyncDispose]()));
  }
}
