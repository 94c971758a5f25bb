import { pino } from 'pino';
import type { AcceptanceStore } from '../src/api/acceptance.js';
import type { Chunk } from '../src/shared/chunk.js';
import { latch, type Latch } from './latch.js';

export const quiet = pino({ level: 'silent' });

/** A store whose every answer the test gives, through a latch per chunk. */
export class AcceptingStore implements AcceptanceStore {
  readonly name: string;
  /** Answers every chunk like this at once, instead of waiting for the test. */
  always: 'has' | 'fails' | undefined;
  readonly asked: Chunk[] = [];
  readonly revoked: Chunk[] = [];
  #answers: Latch<void>[] = [];
  #ping = latch();

  constructor(name: string) {
    this.name = name;
  }

  accept(chunk: Chunk): Promise<void> {
    this.asked.push(chunk);
    const answer = latch();
    this.#answers.push(answer);
    if (this.always !== undefined) this[this.always]();
    return answer.promise;
  }

  revoke(chunk: Chunk): void {
    this.revoked.push(chunk);
  }

  ping(): Promise<void> {
    return this.#ping.promise;
  }

  answersPings(): void {
    this.#ping.resolve();
  }

  refusesPings(): void {
    this.#ping.reject(new Error(`${this.name} is away`));
  }

  /** Answers the oldest chunk that waits. */
  has(): void {
    this.#answers.shift()?.resolve();
  }

  fails(): void {
    this.#answers.shift()?.reject(new Error(`${this.name} is away`));
  }

  /** Chunks that were asked for and not answered. */
  get waiting(): number {
    return this.#answers.length;
  }
}
