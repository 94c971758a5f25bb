import { setTimeout as delay } from 'node:timers/promises';
import { withDeadline } from '../shared/deadline.js';
import { SECOND } from '../shared/duration.js';
import type { Logger } from '../shared/log.js';
import type { LedgerLink } from './ledger-link.js';
import type { Quarantine } from './quarantine.js';
import type { QueueView } from './queue-view.js';
import type { ShardView } from './shard-view.js';

/** Chunks that move into the ledger in one statement. */
const MOVED_AT_ONCE = 20;

const IDLE_MS = 2 * SECOND;

const CLOSE_MS = SECOND / 2;

export interface CatchUpOptions {
  readonly queue: Pick<QueueView, 'shards'>;
  readonly quarantine: Pick<Quarantine, 'moveIn'>;
  readonly link: LedgerLink;
  readonly log: Logger;
}

/**
 * Tells the ledger what happened while it was away: Redis keeps the chunks that were settled and the lines that were
 * refused until then. Every worker does it; done twice, it changes nothing.
 */
export class CatchUp implements AsyncDisposable {
  readonly #options: CatchUpOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: CatchUpOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run(this.#stop.signal);
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const moved = await this.#once();
      if (moved === 0) await delay(IDLE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #once(): Promise<number> {
    const { queue, quarantine, link } = this.#options;
    if (link.away) return 0;
    const ways = [() => quarantine.moveIn(), ...queue.shards.map((shard) => () => this.#moveFrom(shard))];
    let moved = 0;
    for (const move of ways) moved += await move().catch(() => 0); // Redis is away, which its connection has reported
    return moved;
  }

  async #moveFrom(shard: ShardView): Promise<number> {
    const { link, log } = this.#options;
    const chunks = await shard.settledUnrecorded(MOVED_AT_ONCE);
    if (chunks.length === 0 || !(await link.tell((ledger) => ledger.addLogged(chunks)))) return 0;
    await shard.forget(chunks.map(({ id }) => id));
    log.info({ chunks: chunks.length }, 'the ledger caught up on chunks that were logged while it was away');
    return chunks.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await withDeadline(this.#running ?? Promise.resolve(), CLOSE_MS, 'ending').catch(() => undefined);
  }
}
