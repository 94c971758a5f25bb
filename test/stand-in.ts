import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { latch, type Latch } from './latch.js';

/** What was asked of the stand-in. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly search: Readonly<Record<string, string>>;
  readonly authorization: string | undefined;
  readonly body: string;
}

/** What it answers: with a status, never, or by cutting the connection before or in the middle of the answer. */
export type Reply =
  | { readonly status: number; readonly headers?: OutgoingHttpHeaders; readonly body?: string }
  | 'hangs'
  | 'cuts'
  | 'cuts in the answer';

/** Answers what no real InfluxDB will on demand: other versions, limits, outages. */
export class StandIn implements AsyncDisposable {
  readonly asked: Asked[] = [];
  readonly #server: Server;
  readonly #replies: (asked: Asked) => Reply;
  #arrival: Latch<void> = latch();

  private constructor(replies: (asked: Asked) => Reply) {
    this.#replies = replies;
    this.#server = createServer((request, response) => {
      void this.#answer(request, response);
    });
  }

  static async open(replies: (asked: Asked) => Reply): Promise<StandIn> {
    const standIn = new StandIn(replies);
    standIn.#server.listen(0, '127.0.0.1');
    await once(standIn.#server, 'listening');
    return standIn;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What was asked for on this path. */
  askedFor(path: string): Asked[] {
    return this.asked.filter((asked) => asked.path === path);
  }

  /** Resolves when this path has been asked for. */
  async isAskedFor(path: string): Promise<void> {
    while (this.askedFor(path).length === 0) {
      this.#arrival = latch();
      await this.#arrival.promise;
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = await this.#read(request);
    const reply = this.#replies(asked);
    this.asked.push(asked);
    this.#arrival.resolve();
    if (reply === 'cuts') request.socket.destroy();
    else if (reply === 'cuts in the answer') {
      response.writeHead(200, { 'Content-Length': 100 });
      response.write('some', () => request.socket.destroy());
    } else if (reply !== 'hangs') response.writeHead(reply.status, reply.headers).end(reply.body);
  }

  async #read(request: IncomingMessage): Promise<Asked> {
    let body = '';
    for await (const part of request.setEncoding('utf8')) body += part;
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://stand-in');
    return {
      method: request.method ?? '',
      path: pathname,
      search: Object.fromEntries(searchParams),
      authorization: request.headers.authorization,
      body,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
