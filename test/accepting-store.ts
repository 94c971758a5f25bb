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
  /** Chunks that it was told are refused and was not asked for. */
  readonly refusedElsewhere: Chunk[] = [];
  /** Chunks that it was asked for as the only store. */
  readonly askedAlone: Chunk[] = [];
  /** Chunks that it was told to be the only store with. */
  readonly hasAlone: Chunk[] = [];
  resets = 0;
  #answers: Latch<void>[] = [];
  #ping = latch();

  constructor(name: string) {
    this.name = name;
  }

  accept(chunk: Chunk, alone: boolean): Promise<void> {
    this.asked.push(chunk);
    if (alone) this.askedAlone.push(chunk);
    const answer = latch();
    this.#answers.push(answer);
    if (this.always !== undefined) this[this.always]();
    return answer.promise;
  }

  leftAlone(chunk: Chunk): void {
    this.hasAlone.push(chunk);
  }

  revoke(chunk: Chunk, asked: boolean): void {
    (asked ? this.revoked : this.refusedElsewhere).push(chunk);
  }

  ping(): Promise<void> {
    return this.#ping.promise;
  }

  reset(): void {
    this.resets++;
  }

  answersPings(): void {
    this.#ping.resolve();
  }

  refusesPings(): void {
    this.#ping.promise.catch(() => undefined); // nobody may ask
    this.#ping.reject(new Error(`${this.name} is away`));
  }

  /** Answers no ping that comes from now on. */
  hangsAgain(): void {
    this.#ping = latch();
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
