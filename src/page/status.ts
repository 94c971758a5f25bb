import type { LiveState } from '../shared/live.js';
import { element, mark, write } from './element.js';
import type { LiveStream } from './stream.js';
import { clock } from './words.js';

/** States come twice a second: what is older than this is not live. */
const STALE_MS = 2_000;

/** Whether what is shown is live, who tells it, and which stores are away. */
export class Status {
  readonly root: HTMLElement;
  readonly #state = element('p', { class: 'stream', role: 'status' }, 'Connecting…');
  readonly #by = element('p', { class: 'soft' });
  readonly #away = element('p', { class: 'away', role: 'status' });
  #lastAt: number | undefined;

  constructor() {
    this.root = element(
      'header',
      { class: 'top' },
      element('h1', {}, 'Tally', element('span', { class: 'soft' }, ' live')),
      this.#state,
      this.#by,
      this.#away,
    );
  }

  show({ at, servedBy, away }: LiveState): void {
    this.#lastAt = at;
    write(this.#by, `${clock(at)}, told by ${servedBy}`);
    write(this.#away, away.length === 0 ? '' : `Away: ${away.join(', ')}`);
  }

  /** Marks the whole page when it is not live. */
  judge({ silentMs }: LiveStream): void {
    const stale = silentMs > STALE_MS || this.#lastAt === undefined;
    mark(document.body, 'stream', stale ? 'away' : 'live');
    const since = this.#lastAt === undefined ? '' : `: all below is of ${clock(this.#lastAt)}`;
    if (stale && (this.#lastAt !== undefined || silentMs > STALE_MS))
      write(this.#state, `▲ No data${since}. Trying again…`);
    if (!stale) write(this.#state, '● Live');
  }
}
