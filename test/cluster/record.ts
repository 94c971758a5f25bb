/** A request that was not answered with 200; times are Unix milliseconds of this machine. */
export interface Failure {
  readonly serial: number;
  /** Whether its client keeps its connection. */
  readonly kept: boolean;
  readonly sentMs: number;
  readonly endedMs: number;
  /** The status of a refusal; without one the connection broke, or nothing came. */
  readonly status?: number;
  readonly error?: string;
  /** The instance that its connection is known to lead to. */
  readonly by?: string;
}

/** A line of the load program. */
export type Line =
  | { readonly nowMs: number }
  | { readonly done: true }
  | (Failure & { readonly id?: string; readonly result?: number });

/** Serials of the load begin here: smaller results are of those who try the commands by hand. */
export const FIRST_SERIAL = 1_001;

/** What came of all requests of a story, over all its loads. */
export class RequestRecord {
  /** Serials by the id they were answered with. */
  readonly acknowledged = new Map<string, number>();
  readonly failed: Failure[] = [];
  /** Answered with 200 and another result than asked for, or with an id that was given before. */
  wrong = 0;
  /** The highest serial that was sent. */
  last = FIRST_SERIAL - 1;

  get requests(): number {
    return this.acknowledged.size + this.wrong + this.failed.length;
  }

  add(line: Exclude<Line, { nowMs: number } | { done: true }>, aheadMs: number): void {
    const { id, result, ...rest } = line;
    this.last = Math.max(this.last, line.serial);
    if (id === undefined)
      this.failed.push({ ...rest, sentMs: line.sentMs - aheadMs, endedMs: line.endedMs - aheadMs });
    else if (result !== line.serial || this.acknowledged.has(id)) this.wrong += 1;
    else this.acknowledged.set(id, line.serial);
  }
}
