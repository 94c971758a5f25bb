import { setTimeout as delay } from 'node:timers/promises';
import { SECOND } from '../shared/duration.js';
import type { Lines } from '../shared/lines.js';
import type { InfluxAnswer } from '../shared/influx.js';

/** What an answer means for the lines that were sent. */
export type Verdict = 'stored' | 'line-refused' | 'too-large' | 'misconfigured' | 'unavailable';

/** The answer table: the one place that decides what InfluxDB's answer means. */
export function judge({ status }: Pick<InfluxAnswer, 'status'>): Verdict {
  switch (status) {
    case 200:
    case 204:
      return 'stored';
    case 201:
    case 400:
    case 422:
      return 'line-refused';
    case 413:
      return 'too-large';
    case 401:
    case 403:
    case 404:
      return 'misconfigured';
    default:
      return 'unavailable';
  }
}

/** A line that InfluxDB refuses for good, with what it said. */
export interface Refusal {
  readonly line: string;
  readonly status: number;
  readonly reason: string;
}

export interface StoreOptions {
  /** Posts lines and reports the answer; never rejects. */
  readonly post: (lines: Lines, signal: AbortSignal) => Promise<InfluxAnswer>;
  /** Told each answer, before what follows from it. */
  readonly onAnswer: (verdict: Verdict, answer: InfluxAnswer, lines: number) => void;
  readonly random?: () => number;
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

const FIRST_RETRY_MS = 0.25 * SECOND;
const LAST_RETRY_MS = 15 * SECOND;

/** Longer than any server has reason to ask for: a wrong header must not stop the flow for a day. */
const MAX_RETRY_AFTER_MS = 300 * SECOND;

/** Brings lines into InfluxDB, for as long as it takes. */
export class Store {
  readonly #post: StoreOptions['post'];
  readonly #onAnswer: StoreOptions['onAnswer'];
  readonly #random: () => number;
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<void>;

  constructor({ post, onAnswer, random = Math.random, sleep = pause }: StoreOptions) {
    this.#post = post;
    this.#onAnswer = onAnswer;
    this.#random = random;
    this.#sleep = sleep;
  }

  /**
   * Resolves when each line is stored or refused for good, with the refused ones. A refused batch is halved and sent
   * again until the refused lines stand alone, which is safe: what is stored already is folded into one. While
   * InfluxDB is away, or our configuration of it is wrong, it retries with backoff and keeps everything.
   *
   * @throws the signal's reason when it is aborted: then nothing is known of the lines.
   */
  async store(lines: Lines, signal: AbortSignal): Promise<readonly Refusal[]> {
    const answer = await this.#postUntilJudged(lines, signal);
    const verdict = judge(answer);
    if (verdict === 'stored') return [];
    if (lines.length === 1)
      return [{ line: lines.text, status: answer.status ?? 0, reason: answer.body.trim() }];
    const [first, second] = lines.split(Math.ceil(lines.length / 2));
    const left = await this.store(first, signal);
    const right = await this.store(second, signal);
    return [...left, ...right];
  }

  /** Posts until the answer is about the lines, and not about InfluxDB or our way to it. */
  async #postUntilJudged(lines: Lines, signal: AbortSignal): Promise<InfluxAnswer> {
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted();
      const answer = await this.#post(lines, signal);
      signal.throwIfAborted();
      const verdict = judge(answer);
      this.#onAnswer(verdict, answer, lines.length);
      if (verdict !== 'unavailable' && verdict !== 'misconfigured') return answer;
      await this.#sleep(this.#retryDelayMs(attempt, answer.retryAfterMs), signal);
    }
  }

  /** Exponential with jitter: between half and all of 250 ms, 500 ms, … 15 s; never sooner than the server asks. */
  #retryDelayMs(attempt: number, retryAfterMs = 0): number {
    const backoff = Math.min(FIRST_RETRY_MS * 2 ** attempt, LAST_RETRY_MS);
    return Math.max(backoff * (0.5 + this.#random() / 2), Math.min(retryAfterMs, MAX_RETRY_AFTER_MS));
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal });
}
