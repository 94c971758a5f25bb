import type { WriteStream } from 'node:tty';
import type { FrameView } from './frame.js';
import { drawFrame } from './frame.js';
import { paint } from './styled.js';

/** For a terminal that does not say how large it is. */
const USUAL = { columns: 80, rows: 24 };

const ENTER = '\u001B[?1049h\u001B[?25l';
const LEAVE = '\u001B[?25h\u001B[?1049l';
const HOME = '\u001B[H';
const TO_END_OF_LINE = '\u001B[K';
const TO_END_OF_SCREEN = '\u001B[J';

/** A screen of its own on a terminal, which is as it was before when this is disposed. */
export class WatchScreen implements Disposable {
  readonly #terminal: WriteStream;
  readonly #colours: boolean;
  #left = false;

  constructor(terminal: WriteStream, colours: boolean) {
    this.#terminal = terminal;
    this.#colours = colours;
    terminal.write(ENTER);
  }

  /** Draws over what is there. */
  show(view: FrameView): void {
    const columns = this.#terminal.columns || USUAL.columns;
    const rows = this.#terminal.rows || USUAL.rows;
    // What is written into the last column may scroll or be wiped, as terminals differ.
    const width = Math.max(1, columns - 1);
    const lines = drawFrame(view, { width, height: rows })
      .slice(0, rows)
      .map((line) => `${paint(line, width, this.#colours)}${TO_END_OF_LINE}`);
    this.#terminal.write(`${HOME}${lines.join('\r\n')}${TO_END_OF_SCREEN}`);
  }

  [Symbol.dispose](): void {
    if (!this.#left) this.#terminal.write(LEAVE);
    this.#left = true;
  }
}
