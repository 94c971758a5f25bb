import { setMaxListeners } from 'node:events';
import type { Chunk } from '../shared/chunk.js';
import type { Lines } from '../shared/lines.js';

/** Why a batch left: it was full, its first line had waited long enough, or the process drains. */
export type BatchReason = 'size' | 'interval' | 'drain';

/** Lines of one chunk, all or some of them. */
interface Segment {
  readonly chunk: GatheredChunk;
  readonly lines: Lines;
}

/** Lines that go to InfluxDB in one request, and why they left. */
export interface Batch {
  readonly segments: readonly {
    readonly chunk: { readonly id: string };
    readonly lines: Lines;
  }[];
  readonly reason: BatchReason;
}

/** What became of a chunk: all its lines are stored or quarantined, or it was given up and is another worker's. */
export type Settlement = 'settled' | 'abandoned';

/** Time as the batcher needs it; tests give their own. */
export interface Clock {
  /** Milliseconds, never going backwards. */
  readonly now: () => number;
  /** Calls back after `ms` milliseconds, unless the returned function is called before. */
  readonly schedule: (ms: number, callback: () => void) => () => void;
}

export interface BatcherOptions {
  /** Lines that make a batch leave. */
  readonly size: number;
  /** Batches that may be on their way at once. */
  readonly writers: number;
  /** Resolves when every line of the batch is stored or quarantined; rejects only when `signal` is aborted. */
  readonly write: (batch: Batch, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
}

interface GatheredChunk {
  readonly id: string;
  /** When it has to leave, on the batcher's clock. */
  readonly dueAt: number;
  unsettledLines: number;
  readonly settle: (settlement: Settlement) => void;
}

interface LeavingBatch extends Batch {
  readonly segments: readonly Segment[];
}

/**
 * Gathers lines into batches and settles each chunk exactly once, after the last of its lines. A line is in one of
 * three places: *gathering* (the open batch), *ready* (a batch that waits for a free writer), *on its way*. It moves
 * on by size, when its time is up, or by draining; `abandon()` settles everything that is left as abandoned.
 *
 * Its memory is bounded by what it is given: about 40,000 lines × 120 bytes ≈ 5 MB, or 1,000 chunks.
 */
export class Batcher {
  readonly #options: BatcherOptions;
  readonly #abort = new AbortController();
  readonly #onTheWay = new Set<LeavingBatch>();
  #gathering: Segment[] = [];
  #gatheredLines = 0;
  #ready: LeavingBatch[] = [];
  #timer: { readonly dueAt: number; readonly cancel: () => void } | undefined;
  #draining = false;

  constructor(options: BatcherOptions) {
    this.#options = options;
    setMaxListeners(options.writers, this.#abort.signal); // more than ten that wait are no leak
  }

  /** Lines that were added and are neither stored nor quarantined. */
  get pendingLines(): number {
    const leaving = [...this.#ready, ...this.#onTheWay].flatMap(({ segments }) => segments);
    return leaving.reduce((sum, { lines }) => sum + lines.length, this.#gatheredLines);
  }

  /** Takes a chunk; its lines leave within `waitMs`, or with whatever batch fills before. */
  add({ id, lines }: Chunk, waitMs: number): Promise<Settlement> {
    if (this.#abort.signal.aborted) return Promise.resolve('abandoned');
    return new Promise((settle) => {
      const chunk = { id, dueAt: this.#options.clock.now() + waitMs, unsettledLines: lines.length, settle };
      this.#gathering.push({ chunk, lines });
      this.#gatheredLines += lines.length;
      this.#moveOn();
    });
  }

  /** Sends what is gathered now, whatever its age, and from now on whatever comes as soon as it comes. */
  drain(): void {
    this.#draining = true;
    this.#moveOn();
  }

  /** Gives up: cancels writes on their way, and settles every chunk that is left as abandoned. */
  abandon(): void {
    this.#abort.abort();
    this.#timer?.cancel();
    const left = [...this.#onTheWay, ...this.#ready]
      .flatMap(({ segments }) => segments)
      .concat(this.#gathering);
    this.#gathering = [];
    this.#gatheredLines = 0;
    this.#ready = [];
    for (const { chunk } of left) chunk.settle('abandoned');
  }

  #moveOn(): void {
    const { size, clock } = this.#options;
    while (this.#gatheredLines >= size) this.#close(size, 'size');
    if (this.#draining) this.#close(this.#gatheredLines, 'drain');
    else if (this.#dueAt() <= clock.now()) this.#close(this.#gatheredLines, 'interval');
    this.#setTimer();
    this.#dispatch();
  }

  /** Makes a batch of the first `count` lines gathered; a chunk that does not fit is split between two. */
  #close(count: number, reason: BatchReason): void {
    if (count === 0) return;
    const segments: Segment[] = [];
    for (let missing = count; missing > 0;) {
      const first = this.#gathering.shift();
      if (!first) break;
      if (first.lines.length > missing) {
        const [fitting, rest] = first.lines.split(missing);
        segments.push({ chunk: first.chunk, lines: fitting });
        this.#gathering.unshift({ chunk: first.chunk, lines: rest });
        break;
      }
      segments.push(first);
      missing -= first.lines.length;
    }
    this.#gatheredLines -= count;
    this.#ready.push({ segments, reason });
  }

  #dueAt(): number {
    return this.#gathering.reduce((earliest, { chunk }) => Math.min(earliest, chunk.dueAt), Infinity);
  }

  #setTimer(): void {
    const dueAt = this.#dueAt();
    if (this.#timer?.dueAt === dueAt) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (dueAt === Infinity) return;
    const cancel = this.#options.clock.schedule(Math.max(0, dueAt - this.#options.clock.now()), () => {
      this.#timer = undefined;
      this.#moveOn();
    });
    this.#timer = { dueAt, cancel };
  }

  #dispatch(): void {
    while (this.#onTheWay.size < this.#options.writers) {
      const batch = this.#ready.shift();
      if (!batch) return;
      this.#onTheWay.add(batch);
      void this.#write(batch);
    }
  }

  async #write(batch: LeavingBatch): Promise<void> {
    try {
      await this.#options.write(batch, this.#abort.signal);
    } catch (error) {
      if (!this.#abort.signal.aborted) throw error;
      return; // abandon() has settled its chunks
    } finally {
      this.#onTheWay.delete(batch);
    }
    for (const { chunk, lines } of batch.segments) {
      chunk.unsettledLines -= lines.length;
      if (chunk.unsettledLines === 0) chunk.settle('settled');
    }
    this.#dispatch();
  }
}
