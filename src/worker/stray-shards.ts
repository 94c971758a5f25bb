import { SECOND } from '../shared/duration.js';
import type { Logger } from '../shared/log.js';
import type { Consumer } from './consumer.js';
import type { QueueView } from './queue-view.js';

const LOOK_MS = 5 * SECOND;

export interface StrayShardsOptions {
  readonly queue: Pick<QueueView, 'strays' | 'add'>;
  readonly consumer: Pick<Consumer, 'add'>;
  readonly log: Logger;
}

/**
 * Brings shards beyond `QUEUE_SHARDS` into view as soon as they hold chunks: while a greater number is rolled out, or
 * after a smaller one was. What they hold is logged like everything else; empty ones cost nothing.
 */
export class StrayShards implements Disposable {
  readonly #options: StrayShardsOptions;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: StrayShardsOptions) {
    this.#options = options;
  }

  start(): void {
    void this.#look();
  }

  async #look(): Promise<void> {
    const { queue, consumer, log } = this.#options;
    const found = await queue.strays();
    if (this.#closed) return;
    for (const shard of found) {
      log.info({ shard }, 'a shard beyond QUEUE_SHARDS holds chunks and is emptied too');
      queue.add(shard);
      consumer.add(shard);
    }
    this.#timer = setTimeout(() => void this.#look(), LOOK_MS);
  }

  /** Looks no more; the shards that were found stay. */
  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
