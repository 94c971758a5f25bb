import { askSum, askVersion, WrongAnswer } from './questions.js';
import type { Versions } from './versions.js';
import { milliseconds } from './words.js';

export const LANES = ['sum', 'version'] as const;

/** One question to the service over its own address, and what came of it. Times are Unix milliseconds. */
export interface Ask {
  readonly lane: (typeof LANES)[number];
  readonly sentAt: number;
  /** `failed`: another answer than the right one, or the connection broke. `silent`: no answer for {@link SILENT_MS}. */
  state: 'waiting' | 'answered' | 'failed' | 'silent';
  endedAt?: number;
  instance?: string;
  words?: string;
}

/** Each lane is asked this often. */
export const EVERY_MS = 250;

/** An answer that takes longer is a gap. */
const GAP_MS = 1_000;

const SILENT_MS = 5_000;

/** A turn that comes so late says that this page stood still. */
const LATE_MS = 500;

/** What the strip shows. */
export const KEPT_MS = 120_000;

/** Browsers open six connections to an address: one is the stream's, and one stays free for the form. */
const MOST_WAITING = 4;

export const isGap = ({ state, sentAt, endedAt = Date.now() }: Ask) =>
  state === 'silent' || endedAt - sentAt > GAP_MS;

/** Asks `POST /sum` and `GET /version` again and again, unless it is paused. */
export class Asking {
  /** Those of the last two minutes, oldest first. */
  asks: Ask[] = [];
  /** When it was paused; the last one may go on. */
  pauses: { readonly from: number; to?: number }[] = [];
  /** Since the page was opened. */
  readonly answers = new Map<string, number>();
  errors = 0;
  gaps = 0;
  latestFault: Ask | undefined;
  readonly #versions: Versions;
  #due = 0;
  #timer: number | undefined;

  constructor(versions: Versions) {
    this.#versions = versions;
  }

  get paused(): boolean {
    return this.#timer === undefined;
  }

  start(): void {
    if (!this.paused) return;
    const pause = this.pauses.at(-1);
    if (pause) pause.to = Date.now();
    this.#schedule();
  }

  /** What is on its way is forgotten: nobody measures it any more. */
  pause(): void {
    if (this.paused) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#forgetWaiting();
    this.pauses.push({ from: Date.now() });
  }

  #forgetWaiting(): void {
    this.asks = this.asks.filter(({ state }) => state !== 'waiting');
  }

  #schedule(): void {
    const now = Date.now();
    this.#due = (Math.floor(now / EVERY_MS) + 1) * EVERY_MS;
    this.#timer = setTimeout(() => this.#tick(), this.#due - now);
  }

  #tick(): void {
    const now = Date.now();
    this.#noticeStandstill(now);
    this.#schedule();
    this.asks = this.asks.filter(({ sentAt }) => now - sentAt < KEPT_MS + SILENT_MS);
    this.pauses = this.pauses.filter(({ to = now }) => now - to < KEPT_MS);
    for (const lane of LANES) {
      const waiting = this.asks.filter(({ state }) => state === 'waiting').length;
      if (waiting < MOST_WAITING) void this.#ask(lane, now);
    }
  }

  /** The machine slept, or had no processor for us: what waited meanwhile says nothing of the service. */
  #noticeStandstill(now: number): void {
    if (this.paused || now - this.#due <= LATE_MS) return;
    this.#forgetWaiting();
    this.pauses.push({ from: this.#due, to: now });
    this.#due = now;
  }

  async #ask(lane: Ask['lane'], sentAt: number): Promise<void> {
    const ask: Ask = { lane, sentAt, state: 'waiting' };
    this.asks.push(ask);
    const started = performance.now();
    const signal = AbortSignal.timeout(SILENT_MS);
    const end: Partial<Ask> = await (
      lane === 'sum' ? askSum(signal) : askVersion(signal, this.#versions)
    ).then(
      (instance) => ({ state: 'answered', instance, words: `200 by ${instance}` }),
      (error: unknown) => endingOf(error),
    );
    this.#noticeStandstill(Date.now());
    // Forgotten meanwhile.
    if (!this.asks.includes(ask)) return;
    const took = performance.now() - started;
    Object.assign(ask, end, {
      endedAt: sentAt + took,
      words: `${end.words ?? ''}, after ${milliseconds(took)}`,
    });
    this.#count(ask);
  }

  #count(ask: Ask): void {
    const { state, instance = '' } = ask;
    if (state === 'answered') this.answers.set(instance, (this.answers.get(instance) ?? 0) + 1);
    if (state === 'failed') this.errors += 1;
    if (isGap(ask)) this.gaps += 1;
    if (state === 'failed' || isGap(ask)) this.latestFault = ask;
  }
}

function endingOf(error: unknown): Pick<Ask, 'state'> & { readonly words: string } {
  if (error instanceof WrongAnswer) return { state: 'failed', words: error.message };
  if (error instanceof DOMException && error.name === 'TimeoutError')
    return { state: 'silent', words: 'no answer' };
  return { state: 'failed', words: 'no connection, or it broke' };
}
