import type { LivePoint } from '../shared/live.js';

/** What the plots show. */
export const WINDOW_MS = 5 * 60_000;

/** Points this far apart have something missing in between. */
const APART_MS = 2_500;

/** The points of the last minutes, one for each second: several servers tell of the same seconds, and the first is believed. */
export class Points {
  #bySecond = new Map<number, LivePoint>();

  add(points: readonly LivePoint[]): void {
    for (const point of points) {
      const second = Math.round(point.at / 1_000);
      if (!this.#bySecond.has(second)) this.#bySecond.set(second, point);
    }
    const sorted = [...this.#bySecond].sort(([, one], [, other]) => one.at - other.at);
    const oldest = (sorted.at(-1)?.[1].at ?? 0) - WINDOW_MS;
    this.#bySecond = new Map(sorted.filter(([, { at }]) => at >= oldest));
  }

  /** By time, and `undefined` where there is a gap. */
  get line(): readonly (LivePoint | undefined)[] {
    const points = [...this.#bySecond.values()];
    return points.flatMap((point, index) => {
      const before = points[index - 1];
      return before && point.at - before.at > APART_MS ? [undefined, point] : [point];
    });
  }
}
