import { SECOND } from '../../shared/duration.js';

/** What may wait for a client that does not read; more is not kept for anybody. */
const MOST_WAITING_BYTES = 1024 * 1024;

/** What is written at once at the most, unless a single frame is longer. */
const WRITTEN_BYTES = 64 * 1024;

/** How long a client may take to read its last words. */
const LAST_WORDS_MS = SECOND;

/** The stream of one client: it gives what is asked for, and is cut when too much waits. */
export class EventStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly #onEnd: (stream: EventStream) => void;
  readonly #cut: (() => void) | undefined;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** The client's side asks for more; called when there is more. */
  #asked: (() => void) | undefined;
  #state: 'open' | 'ending' | 'ended' = 'open';

  /** `cut` breaks the connection. `onEnd` is told once when nothing more can be sent. */
  constructor({ cut, onEnd }: { cut?: (() => void) | undefined; onEnd: (stream: EventStream) => void }) {
    this.#onEnd = onEnd;
    this.#cut = cut;
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => void (this.#controller = controller),
        pull: () => this.#give(),
        cancel: () => this.#end(),
      },
      // Nothing is given before it is asked for: so what waits is known, and who has read all is known.
      { highWaterMark: 0 },
    );
  }

  send(frame: Uint8Array): void {
    if (this.#state !== 'open') return;
    this.#waiting.push(frame);
    this.#waitingBytes += frame.byteLength;
    if (this.#waitingBytes > MOST_WAITING_BYTES) return this.cut();
    this.#asked?.();
  }

  /** Says `frame`, and ends when the client has read it, or after a second. */
  finish(frame: Uint8Array): void {
    this.send(frame);
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    this.#asked?.();
    setTimeout(() => this.cut(), LAST_WORDS_MS).unref();
  }

  /** Breaks the connection, unless it has ended. */
  cut(): void {
    if (this.#state === 'ended') return;
    this.#end();
    if (this.#cut) this.#cut();
    else this.#controller?.error(new Error('the stream was cut'));
  }

  /** Gives what waits, when there is something; the stream asks again when that is taken. */
  async #give(): Promise<void> {
    if (this.#waiting.length === 0 && this.#state === 'open')
      await new Promise<void>((resolve) => (this.#asked = resolve));
    this.#asked = undefined;
    if (this.#waiting.length > 0) {
      this.#controller?.enqueue(this.#next());
    } else if (this.#state === 'ending') {
      this.#end();
      this.#controller?.close();
    }
  }

  /** Frames that were told together are written together: a write costs more than what is in it. */
  #next(): Uint8Array {
    let bytes = 0;
    const past = this.#waiting.findIndex(({ byteLength }) => (bytes += byteLength) > WRITTEN_BYTES);
    const frames = this.#waiting.splice(0, past === -1 ? this.#waiting.length : Math.max(1, past));
    const next = frames.length === 1 && frames[0] ? frames[0] : Buffer.concat(frames);
    this.#waitingBytes -= next.byteLength;
    return next;
  }

  #end(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#asked?.();
    this.#onEnd(this);
  }
}
