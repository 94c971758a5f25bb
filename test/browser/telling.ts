import { Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import { livePage } from '../../src/api/live/page.js';
import { HttpServer } from '../../src/shared/http/http-server.js';
import type { LiveEvents, LiveInstance, LivePoint, LiveSnapshot, LiveState } from '../../src/shared/live.js';

type Send = (event: string, data: string) => void;

/** A server of the page that tells what the test wants told. */
export class Telling implements AsyncDisposable {
  readonly #streams = new Set<Send>();
  readonly #server: HttpServer;
  #snapshot: LiveSnapshot;
  /** Streams that were ever asked for. */
  asked = 0;
  port = 0;

  private constructor(snapshot: LiveSnapshot) {
    this.#snapshot = snapshot;
    const app = new Hono();
    app.route('/', livePage());
    app.get('/live/events', (c) => {
      this.asked += 1;
      return streamSSE(c, async (stream) => {
        const ended = new Promise<void>((resolve) => stream.onAbort(resolve));
        const send: Send = (event, data) => void stream.writeSSE({ event, data });
        send('snapshot', JSON.stringify(this.#snapshot));
        this.#streams.add(send);
        await ended;
        this.#streams.delete(send);
      });
    });
    app.get('/version', (c) => c.json({ instance: 'told', version: '1.2.3', commit: 'abcdef0' }));
    app.post('/sum', async (c) => {
      const { numbers } = await c.req.json<{ numbers: number[] }>();
      const result = numbers.reduce((one, other) => one + other, 0);
      return c.json({ result, id: '1-told' });
    });
    this.#server = new HttpServer(app);
  }

  static async open(snapshot: Partial<LiveSnapshot> = {}): Promise<Telling> {
    const telling = new Telling({
      ...SNAPSHOT,
      ...snapshot,
      state: { ...SNAPSHOT.state, ...snapshot.state },
    });
    telling.port = await telling.#server.listen('127.0.0.1', 0);
    return telling;
  }

  get streams(): number {
    return this.#streams.size;
  }

  /** Tells it to all who listen now. */
  tell<Name extends keyof LiveEvents>(event: Name, data: LiveEvents[Name]): void {
    if (event === 'state') this.#snapshot = { ...this.#snapshot, state: data as LiveState };
    for (const send of this.#streams) send(event, JSON.stringify(data));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

const SNAPSHOT: LiveSnapshot = {
  crash: false,
  points: [],
  quarantine: { total: 0, lines: [] },
  state: {
    at: Date.now(),
    servedBy: 'told',
    totals: null,
    audit: null,
    completeAt: null,
    instances: [],
    away: [],
  },
};

export const instance = (name: string, told: Partial<LiveInstance> = {}): LiveInstance => ({
  ...{ process: 'api', instance: name, version: '1.2.3', commit: 'abcdef0', state: 'ready' },
  ...{ startedAt: 0, lastSeenAt: Date.now(), accepted: 0, refused: 0 },
  ...told,
});

export const point = (at: number, told: Partial<LivePoint> = {}): LivePoint => ({
  ...{ at, answered: 0, rejected: 0, failed: 0, latencyMs: null, backlog: 0, loggedAfterSeconds: null },
  batches: { size: 0, interval: 0, drain: 0 },
  ...told,
});
