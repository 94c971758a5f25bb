import type { LiveEvents } from '../shared/live.js';

export type Listeners = {
  readonly [Name in keyof Omit<LiveEvents, 'moving'>]: (told: LiveEvents[Name]) => void;
};

/** States come twice a second: a stream that has said nothing for so long is dead, whatever the browser thinks. */
const SILENT_MS = 4_000;

const ASK_AGAIN_MS = 500;

/** For a service that sends us to one that drains, again and again. */
const MOVE_AGAIN_MS = 250;

/**
 * What `GET /live/events` tells, for as long as the page is open: a process that drains is left at once for another, and
 * whoever breaks off, refuses or falls silent is asked again.
 */
export class LiveStream {
  readonly #listeners: Listeners;
  #source: EventSource | undefined;
  #heardAt = performance.now();
  #openedAt = 0;
  #movedAt = -Infinity;
  #opening: number | undefined;

  constructor(listeners: Listeners) {
    this.#listeners = listeners;
    this.#open();
    setInterval(() => this.#doubt(), SILENT_MS / 4);
  }

  /** For how long nothing was told, in milliseconds. */
  get silentMs(): number {
    return performance.now() - this.#heardAt;
  }

  #open(): void {
    this.#close();
    const source = new EventSource('live/events');
    this.#source = source;
    this.#openedAt = performance.now();
    this.#listen(source, 'snapshot');
    this.#listen(source, 'state');
    this.#listen(source, 'point');
    this.#listen(source, 'quarantine');
    source.addEventListener('moving', () => this.#move());
    source.addEventListener('error', () => {
      // Otherwise the browser tries again by itself.
      if (source.readyState === EventSource.CLOSED) this.#openIn(ASK_AGAIN_MS);
    });
  }

  #listen(source: EventSource, name: keyof Listeners): void {
    source.addEventListener(name, ({ data }: MessageEvent<string>) => {
      this.#heardAt = performance.now();
      const listener = this.#listeners[name] as (told: unknown) => void;
      listener(JSON.parse(data));
    });
  }

  #move(): void {
    const again = performance.now() - this.#movedAt < 2 * MOVE_AGAIN_MS;
    this.#movedAt = performance.now();
    if (again) this.#openIn(MOVE_AGAIN_MS);
    else this.#open();
  }

  #openIn(ms: number): void {
    this.#close();
    this.#opening = setTimeout(() => this.#open(), ms);
  }

  #close(): void {
    clearTimeout(this.#opening);
    this.#source?.close();
  }

  #doubt(): void {
    if (Math.min(this.silentMs, performance.now() - this.#openedAt) > SILENT_MS) this.#open();
  }
}
