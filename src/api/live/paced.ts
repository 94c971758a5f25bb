/** Work takes a twentieth of the time at the most. */
const SHARE = 20;

/**
 * Work on the stores that is begun again and again: once at a time, so long after it was begun last at the least, and so
 * that it takes a twentieth of the time at the most.
 */
export class Paced {
  readonly #work: () => Promise<void>;
  #underWay: Promise<void> | undefined;
  #beganAt: number | undefined;
  #tookMs = 0;

  /** The work must not reject. */
  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** Begins it where it is due. Resolves when it is done, at once where there is nothing to do. */
  begin(everyMs: number): Promise<void> {
    const now = performance.now();
    const due = this.#beganAt === undefined || now >= this.#beganAt + Math.max(everyMs, SHARE * this.#tookMs);
    if (due && !this.#underWay) {
      this.#beganAt = now;
      this.#underWay = this.#work().finally(() => {
        this.#tookMs = performance.now() - now;
        this.#underWay = undefined;
      });
    }
    return this.#underWay ?? Promise.resolve();
  }

  /** How long it has been under way, in milliseconds; 0 when it is not. */
  get underWayMs(): number {
    return this.#underWay ? performance.now() - (this.#beganAt ?? 0) : 0;
  }
}
