import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Certificate } from '../src/shared/http/certificate.js';
import type { LiveEvents, LiveInstance, LivePoint, LiveState } from '../src/shared/live.js';

/** How a call is answered: as Tally does, with another status, never, by cutting the connection, or with this body. */
export type Manner = 'well' | number | 'hangs' | 'cuts' | { readonly body: string };

export const INSTANCE: LiveInstance = {
  ...{ process: 'api', instance: 'api-1', version: '1.0.0', commit: 'unknown', state: 'ready' },
  ...{ startedAt: 0, lastSeenAt: 1_000, accepted: 7 },
};

export const POINT: LivePoint = {
  ...{ at: 1_000, answered: 12, rejected: 0, failed: 0, latencyMs: null, backlog: 3 },
  ...{ loggedAfterSeconds: null, batches: { size: 0, interval: 0, drain: 0 } },
};

/** A state in which all is well. */
export function stateOf(changes: Partial<LiveState> = {}): LiveState {
  const counts = { at: 1_000, accepted: 7, logged: 4, quarantined: 0, dropped: 0, pending: 3 };
  return {
    at: 1_000,
    servedBy: 'api-1',
    totals: { ...counts, oldestPendingSeconds: 1 },
    audit: { ...counts, balanced: true, missing: 0, extra: 0 },
    completeAt: 500,
    instances: [INSTANCE],
    away: [],
    ...changes,
  };
}

/** Answers as an API of Tally does, until it is told to do otherwise. */
export class WatchedService implements AsyncDisposable {
  about = { version: '1.0.0', commit: 'unknown', instance: 'api-1', state: 'ready' };
  sums: Manner = 'well';
  versions: Manner = 'well';
  /** Without it there is no live page. */
  state: LiveState | undefined;
  counts: Manner = 'well';
  /** Asks clients to come back on another connection. */
  closing = false;
  readonly streams: ServerResponse[] = [];
  /** Ports of the clients that asked, by what they asked. */
  readonly asked = new Map<string, number[]>();
  readonly #server: Server;
  readonly #scheme: string;

  private constructor(certificate?: Certificate) {
    const answer = (request: IncomingMessage, response: ServerResponse) => this.#answer(request, response);
    this.#server = certificate ? createSecureServer(certificate, answer) : createServer(answer);
    this.#scheme = certificate ? 'https' : 'http';
  }

  static async open(certificate?: Certificate): Promise<WatchedService> {
    const service = new WatchedService(certificate);
    service.#server.listen(0, '127.0.0.1');
    await once(service.#server, 'listening');
    return service;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** To the stream that was opened last. */
  tell<E extends keyof LiveEvents>(event: E, data: LiveEvents[E]): void {
    this.streams.at(-1)?.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '').replace(/\?.*/, '');
    request.resume();
    if (this.closing) response.shouldKeepAlive = false;
    this.asked.set(path, [...(this.asked.get(path) ?? []), request.socket.remotePort ?? 0]);
    if (path === '/sum') this.#say(response, this.sums, this.#sum());
    else if (path === '/version') this.#say(response, this.versions, this.about);
    else if (path === '/counts') this.#say(response, this.counts, COUNTS);
    else if (path === '/live/events' && this.state) this.#stream(response, this.state);
    else response.writeHead(404).end();
  }

  #sum() {
    const instance = this.about.instance.replaceAll(/[^\w-]/g, '');
    return { result: 10, id: `${this.asked.get('/sum')?.length}-${instance}` };
  }

  #say(response: ServerResponse, manner: Manner, body: unknown): void {
    if (manner === 'hangs') return;
    if (manner === 'cuts') return void response.socket?.destroy();
    if (typeof manner === 'number') return void response.writeHead(manner).end('{}');
    response.end(manner === 'well' ? JSON.stringify(body) : manner.body);
  }

  #stream(response: ServerResponse, state: LiveState): void {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write('retry: 100\n\n');
    this.streams.push(response);
    this.tell('snapshot', { crash: false, points: [POINT], state, quarantine: { total: 0, lines: [] } });
    const telling = setInterval(() => this.state && this.tell('state', this.state), 500);
    response.once('close', () => clearInterval(telling));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

const COUNTS = { accepted: 9, logged: 9, quarantined: 0, dropped: 0, pending: 0, missing: 0, extra: 0 };
