import type { Answerer } from './answerers.js';

/** What came of one turn of a lane; `waiting`: nothing yet, or nothing was asked because the answer before was awaited. */
export type Cell =
  | { readonly kind: 'answered'; readonly by: Answerer; readonly slow: boolean }
  | { readonly kind: 'failed' }
  | { readonly kind: 'waiting'; readonly ms: number }
  | { readonly kind: 'gap' };

/** More than any terminal shows. */
const MOST = 10_000;

/** The turns of one lane, the latest ones of them. */
export class Cells {
  #cells: (Cell | undefined)[] = [];
  /** The turn of the first one. */
  #from = 0;

  /** The turn after the last. */
  get end(): number {
    return this.#from + this.#cells.length;
  }

  at(turn: number): Cell | undefined {
    return this.#cells[turn - this.#from];
  }

  set(turn: number, cell: Cell): void {
    if (turn < this.#from) return;
    if (this.#cells.length === 0) this.#from = turn;
    while (this.end < turn) this.#cells.push(undefined);
    this.#cells[turn - this.#from] = cell;
    if (this.#cells.length < 2 * MOST) return;
    this.#from += MOST;
    this.#cells = this.#cells.slice(MOST);
  }

  /** Whatever still waits since this moment or later is in a gap. */
  markGap(fromMs: number): void {
    for (let index = this.#cells.length - 1; index >= 0; index--) {
      const cell = this.#cells[index];
      if (cell?.kind === 'waiting' && cell.ms >= fromMs) this.#cells[index] = { kind: 'gap' };
      if (cell?.kind === 'waiting' && cell.ms < fromMs) return;
    }
  }
}
