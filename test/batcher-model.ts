import { expect } from 'vitest';
import { Lines } from '../src/shared/lines.js';
import { Batcher, type Batch, type Settlement } from '../src/worker/batcher.js';
import { latch, turn, type Latch } from './latch.js';
import { ManualClock } from './manual-clock.js';

interface AddedChunk {
  readonly id: string;
  readonly dueAt: number;
  readonly lines: readonly string[];
  sent: number;
  written: number;
  settlements: Settlement[];
}

interface Write {
  readonly batch: Batch;
  readonly signal: AbortSignal;
  readonly end: Latch<void>;
}

/**
 * A batcher with a clock and writers that the test moves, and what has to hold whatever happens to it. Each line says
 * its chunk and its place, so that the writes alone tell what was lost, repeated or reordered.
 */
export class BatcherModel {
  readonly clock = new ManualClock();
  readonly batches: Batch[] = [];
  readonly #options: { readonly size: number; readonly writers: number };
  readonly #batcher: Batcher;
  readonly #chunks: AddedChunk[] = [];
  readonly #writes: Write[] = [];
  #drained = false;
  #abandoned = false;

  constructor(options: { readonly size: number; readonly writers: number }) {
    this.#options = options;
    this.#batcher = new Batcher({
      ...options,
      clock: this.clock,
      write: (batch, signal) => this.#write(batch, signal),
    });
  }

  get pendingLines(): number {
    return this.#batcher.pendingLines;
  }

  get writesOnTheWay(): number {
    return this.#writes.length;
  }

  /** What each chunk's promise resolved with, in order of arrival; nothing when it has not. */
  get settlements(): (Settlement | undefined)[] {
    return this.#chunks.map(({ settlements }) => settlements[0]);
  }

  add(lines: number, waitMs: number): void {
    const id = `c.${this.#chunks.length}`;
    const chunk: AddedChunk = {
      id,
      dueAt: this.clock.now() + waitMs,
      lines: Array.from({ length: lines }, (_, n) => `${id}:${n}`),
      sent: 0,
      written: 0,
      settlements: [],
    };
    this.#chunks.push(chunk);
    void this.#batcher.add({ id, lines: Lines.of(chunk.lines) }, waitMs).then((settlement) => {
      chunk.settlements.push(settlement);
      if (settlement === 'settled') expect(chunk.written).toBe(lines);
      else expect(this.#abandoned).toBe(true);
    });
  }

  drain(): void {
    this.#drained = true;
    this.#batcher.drain();
  }

  abandon(): void {
    this.#abandoned = true;
    this.#batcher.abandon();
    expect(this.#writes.every(({ signal }) => signal.aborted)).toBe(true);
  }

  /** Lets one of the writes on their way end well; which, is up to the caller. */
  async writeEnds(which: number): Promise<void> {
    const [write] = this.#writes.splice(which % Math.max(1, this.#writes.length), 1);
    if (!write) return;
    for (const { chunk, lines } of write.batch.segments) this.#chunk(chunk.id).written += lines.length;
    write.end.resolve();
    await turn();
  }

  /** Lets all writes on their way end as the abort makes them. */
  async writesAreCancelled(): Promise<void> {
    for (const { signal, end } of this.#writes.splice(0)) end.reject(signal.reason);
    await turn();
  }

  /** What has to hold after every step. */
  async check(): Promise<void> {
    await turn();
    const { size, writers } = this.#options;
    expect(this.#writes.length).toBeLessThanOrEqual(writers);
    for (const { lines, written, settlements } of this.#chunks) {
      if (written === lines.length && !this.#abandoned) expect(settlements).toEqual(['settled']);
      if (written < lines.length && !this.#abandoned) expect(settlements).toEqual([]);
      if (this.#abandoned) expect(settlements).toHaveLength(1);
    }
    if (this.#abandoned) return;
    const unwritten = this.#chunks.reduce((sum, { lines, written }) => sum + lines.length - written, 0);
    expect(this.pendingLines).toBe(unwritten);
    if (this.#writes.length === writers) return;
    // With a writer free, nothing waits that is full, due, or to be drained.
    const waiting = this.#chunks.filter(({ lines, sent }) => sent < lines.length);
    expect(waiting.reduce((sum, { lines, sent }) => sum + lines.length - sent, 0)).toBeLessThan(size);
    for (const { dueAt } of waiting) expect(dueAt).toBeGreaterThan(this.clock.now());
    if (this.#drained) expect(waiting).toEqual([]);
    // One alarm for what waits, none when nothing does.
    expect(this.clock.pending).toBe(waiting.length === 0 ? 0 : 1);
  }

  #write(batch: Batch, signal: AbortSignal): Promise<void> {
    expect(this.#abandoned).toBe(false);
    const { size } = this.#options;
    const lines = batch.segments.flatMap(({ lines: { text } }) => text.split('\n'));
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.length).toBeLessThanOrEqual(size);
    if (batch.reason === 'size') expect(lines).toHaveLength(size);
    if (batch.reason === 'drain') expect(this.#drained).toBe(true);
    const dueAts = batch.segments.map(({ chunk }) => this.#chunk(chunk.id).dueAt);
    if (batch.reason === 'interval') expect(Math.min(...dueAts)).toBeLessThanOrEqual(this.clock.now());
    for (const segment of batch.segments) {
      const chunk = this.#chunk(segment.chunk.id);
      // Each line once, in its order, none left out.
      expect(segment.lines).toEqual(
        Lines.of(chunk.lines.slice(chunk.sent, chunk.sent + segment.lines.length)),
      );
      chunk.sent += segment.lines.length;
    }
    this.batches.push(batch);
    const write = { batch, signal, end: latch() };
    this.#writes.push(write);
    return write.end.promise;
  }

  #chunk(id: string): AddedChunk {
    const chunk = this.#chunks.find((candidate) => candidate.id === id);
    if (!chunk) throw new Error(`nobody added ${id}`);
    return chunk;
  }
}
