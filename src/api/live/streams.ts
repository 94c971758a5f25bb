import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { LiveEvents, LiveSnapshot } from '../../shared/live.js';
import { problem } from '../problem.js';
import { EventStream } from './stream.js';

/** Streams open at once. */
const MOST_STREAMS = 200;

/** When browsers come back after a stream has ended by itself; and when its end was said, in milliseconds. */
const RETRY_MS = 1_000;
const MOVING_RETRY_MS = 100;

const HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-store',
  // nginx would gather what is small.
  'X-Accel-Buffering': 'no',
};

/** All streams of `GET /live/events`. What is told is made once for all of them. */
export class Streams {
  readonly #snapshot: () => LiveSnapshot;
  readonly #streams = new Set<EventStream>();
  /** What a new stream begins with, as text; made anew after each thing that is told. */
  #beginning: string | undefined;
  #moving = false;

  /** `snapshot` is what a new stream begins with. */
  constructor(snapshot: () => LiveSnapshot) {
    this.#snapshot = snapshot;
  }

  get size(): number {
    return this.#streams.size;
  }

  tell<Name extends keyof LiveEvents>(name: Name, data: LiveEvents[Name]): void {
    this.#beginning = undefined;
    if (this.#streams.size === 0) return;
    const frame = encode(frameOf(name, data));
    for (const stream of this.#streams) stream.send(frame);
  }

  /** Tells everybody to go to another process, and ends all streams; who comes from now on is told the same at once. */
  move(): void {
    this.#moving = true;
    for (const stream of this.#streams) stream.finish(encode(moving()));
  }

  /** Answers with a stream. Where the process drains it has ended already: browsers give up on any other answer. */
  answer(c: Context): Response {
    if (this.#moving) return c.body(this.#begin() + moving(), 200, HEADERS);
    if (this.#streams.size >= MOST_STREAMS)
      return problem(c, {
        status: 503,
        code: 'too-many-streams',
        title: 'Too many live pages are open',
        headers: { 'Retry-After': '5' },
      });
    if (c.req.method === 'HEAD') return c.body(null, 200, HEADERS);
    const { outgoing } = (c.env ?? {}) as Partial<HttpBindings>;
    const stream = new EventStream({
      ...(outgoing && { cut: () => outgoing.destroy() }),
      onEnd: (ended) => this.#streams.delete(ended),
    });
    this.#streams.add(stream);
    stream.send(encode(this.#begin()));
    return c.body(stream.body, 200, HEADERS);
  }

  #begin(): string {
    this.#beginning ??= frameOf('snapshot', this.#snapshot(), RETRY_MS);
    return this.#beginning;
  }

  /** Breaks those that are left. */
  [Symbol.dispose](): void {
    for (const stream of this.#streams) stream.cut();
  }
}

function frameOf<Name extends keyof LiveEvents>(
  name: Name,
  data: LiveEvents[Name],
  retryMs?: number,
): string {
  const retry = retryMs === undefined ? '' : `retry: ${retryMs}\n`;
  return `${retry}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

const moving = () => frameOf('moving', {}, MOVING_RETRY_MS);

const encoder = new TextEncoder();
const encode = (text: string) => encoder.encode(text);
