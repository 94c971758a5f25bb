import { SECOND } from '../../shared/duration.js';

/** A lane that is without an answer for longer has a gap. */
export const GAP_MS = SECOND;

/** Times are milliseconds of the watch. */
export interface Gap {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * Finds the gaps of one lane: more than a second without an answer although there was an ask to be answered. A gap begins
 * with the first ask after the last answer, or with that answer where an ask was on its way already, and ends with the
 * next answer. An ask that fails is no answer.
 */
export class GapFinder {
  #underWay = 0;
  #sinceMs: number | undefined;

  /** Since when an answer is due; `undefined` when none is. */
  get sinceMs(): number | undefined {
    return this.#sinceMs;
  }

  asked(ms: number): void {
    this.#underWay++;
    this.#sinceMs ??= ms;
  }

  /** The gap that this answer ends. */
  answered(ms: number): Gap | undefined {
    const gap = this.found(ms);
    this.#underWay--;
    this.#sinceMs = this.#underWay > 0 ? ms : undefined;
    return gap;
  }

  failed(): void {
    this.#underWay--;
  }

  /** The gap that there is at this moment. */
  found(ms: number): Gap | undefined {
    if (this.#sinceMs === undefined || ms - this.#sinceMs <= GAP_MS) return undefined;
    return { fromMs: this.#sinceMs, toMs: ms };
  }

  /** The asking stood still from one moment to the other, and nobody knows what was answered meanwhile. */
  paused(fromMs: number, toMs: number): Gap | undefined {
    const gap = this.found(fromMs);
    this.#sinceMs = this.#underWay > 0 ? toMs : undefined;
    return gap;
  }
}
