import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Chunk } from '../shared/chunk.js';
import { Lines } from '../shared/lines.js';
import { MAX_LINES, monotonicNanoseconds, toLine, type Operation } from '../shared/operation.js';
import type { Acceptance } from './acceptance.js';
import { UNTRACED, type ApiTracing, type TracedOperation } from './tracing.js';

/** Operations that may wait for acceptance: 10,000 × about 120 bytes of line ≈ 1.2 MB. */
const MAX_WAITING = 10_000;

/** Turns of the event loop between two chunks: a caller whom one has answered, and who asks again, is in the next. */
const TURNS_BETWEEN = 2;

/** Why an operation was not accepted: too many wait already, or no store has it. */
export class RefusedError extends Error {
  constructor(readonly code: 'OVERLOADED' | 'UNAVAILABLE') {
    super(
      code === 'OVERLOADED'
        ? 'too many operations wait for acceptance'
        : 'no durable store accepted the operation',
    );
    this.name = 'RefusedError';
  }
}

/** A calculation that was answered, before it has an identity. */
export type Calculation = Pick<Operation, 'name' | 'numbers' | 'result' | 'requestId'>;

/** What was decided on a chunk, and how long that took. */
export interface ChunkOutcome {
  readonly outcome: 'accepted' | 'refused';
  readonly operations: number;
  readonly seconds: number;
}

interface Waiting extends TracedOperation {
  readonly resolve: (operation: Operation) => void;
  readonly reject: (error: RefusedError) => void;
}

export interface RecorderOptions {
  readonly instance: string;
  readonly acceptance: Pick<Acceptance, 'open' | 'accept'>;
  readonly now?: () => number;
  readonly onChunk?: (chunk: ChunkOutcome) => void;
  readonly tracing?: Pick<ApiTracing, 'current' | 'accept'>;
}

/**
 * Gives each operation its identity and has it accepted. It gathers while it sends: an operation leaves at the end of
 * the current turn of the event loop when no chunk is on its way, otherwise in the next chunk, which leaves two turns
 * after the one before was decided. There is no timer, and no added delay when idle; under load chunks fill by
 * themselves and share the cost of durability.
 */
export class Recorder {
  readonly #instance: string;
  readonly #acceptance: Pick<Acceptance, 'open' | 'accept'>;
  readonly #nextAt: () => string;
  readonly #onChunk: NonNullable<RecorderOptions['onChunk']>;
  readonly #tracing: Pick<ApiTracing, 'current' | 'accept'>;
  #waiting: Waiting[] = [];
  #onTheWay = 0;
  #sending = false;
  #chunks = 0;

  constructor({ instance, acceptance, now, onChunk = () => undefined, tracing = UNTRACED }: RecorderOptions) {
    this.#instance = instance;
    this.#acceptance = acceptance;
    this.#nextAt = monotonicNanoseconds(now);
    this.#onChunk = onChunk;
    this.#tracing = tracing;
  }

  /** Operations that were taken in and are neither accepted nor refused yet. */
  get pending(): number {
    return this.#waiting.length + this.#onTheWay;
  }

  /**
   * Resolves when the operation is accepted.
   *
   * @throws {RefusedError} when it is not: it is then neither kept nor counted.
   */
  record(calculation: Calculation): Promise<Operation> {
    if (this.pending >= MAX_WAITING) return Promise.reject(new RefusedError('OVERLOADED'));
    const operation = { at: this.#nextAt(), instance: this.#instance, ...calculation };
    const request = this.#tracing.current();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operation, request, resolve, reject });
      if (this.#sending) return;
      this.#sending = true;
      setImmediate(() => void this.#send());
    });
  }

  async #send(): Promise<void> {
    while (this.#waiting.length > 0) {
      const leaving = this.#waiting.slice(0, MAX_LINES);
      this.#waiting = this.#waiting.slice(MAX_LINES);
      this.#onTheWay = leaving.length;
      const accepted = await this.#accept(leaving);
      this.#onTheWay = 0;
      for (const { operation, resolve, reject } of leaving) {
        if (accepted) resolve(operation);
        else reject(new RefusedError('UNAVAILABLE'));
      }
      for (let turn = 0; turn < TURNS_BETWEEN && this.#waiting.length < MAX_LINES; turn++) await nextTurn();
    }
    this.#sending = false;
  }

  /** A number once sent is never used again, even if the chunk is refused: two chunks must not share an id. */
  async #accept(leaving: readonly Waiting[]): Promise<boolean> {
    const started = performance.now();
    let accepted = false;
    if (this.#acceptance.open) {
      const chunk: Chunk = {
        id: `${this.#instance}.${this.#chunks++}`,
        lines: Lines.of(leaving.map(({ operation }) => toLine(operation))),
      };
      accepted = await this.#tracing.accept(chunk, leaving, () => this.#acceptance.accept(chunk));
    }
    const outcome = accepted ? 'accepted' : 'refused';
    this.#onChunk({ outcome, operations: leaving.length, seconds: (performance.now() - started) / 1_000 });
    return accepted;
  }
}
