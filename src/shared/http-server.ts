import { Server as NetServer, type AddressInfo, type Socket } from 'node:net';
import type { Server, ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import { SECOND } from './duration.js';

/** Longer than the idle timeouts of common load balancers (60 s), so that it is never we who close under them. */
const KEEP_ALIVE_MS = 72 * SECOND;

/** Turns of the event loop in which what has arrived is accepted and read: one for the connection, one for its data. */
const TURNS = 3;

export interface HttpServerOptions {
  /** What clients are told of how long a connection may be idle; it is kept for longer. */
  readonly keepAliveSeconds?: number;
}

/** An HTTP server that can end without cutting anybody off. */
export class HttpServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #answering = new Set<ServerResponse>();
  /** The last answer on each connection: those before it must not close it. */
  readonly #latest = new Map<Socket, ServerResponse>();
  #turningAway = false;
  #finished: Promise<number> | undefined;

  // The app's own variables are none of the server's business.
  constructor(app: Pick<Hono, 'fetch'>, { keepAliveSeconds }: HttpServerOptions = {}) {
    const keepAlive = keepAliveSeconds === undefined ? undefined : `timeout=${keepAliveSeconds}`;
    this.#server = createAdaptorServer({ fetch: app.fetch }) as Server;
    this.#server.keepAliveTimeout = KEEP_ALIVE_MS;
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.prependListener('request', ({ socket }, response: ServerResponse) => {
      this.#answering.add(response);
      response.once('close', () => this.#answered(socket, response));
      if (keepAlive && response.shouldKeepAlive)
        response.setHeader('Keep-Alive', keepAlive).setHeader('Connection', 'keep-alive');
      const earlier = this.#latest.get(socket);
      this.#latest.set(socket, response);
      if (!this.#turningAway) return;
      // Whatever is pipelined behind an answer with `Connection: close` gets none.
      if (earlier && !earlier.headersSent) earlier.setHeader('Connection', 'keep-alive');
      response.setHeader('Connection', 'close');
    });
  }

  #answered(socket: Socket, response: ServerResponse): void {
    this.#answering.delete(response);
    if (this.#latest.get(socket) !== response) return;
    this.#latest.delete(socket);
    // Its head may have been written before anybody thought of closing.
    if (this.#finished) socket.destroySoon();
  }

  /** Requests that are being answered. */
  get inFlight(): number {
    return this.#answering.size;
  }

  /** Resolves with the port. Rejects when the address cannot be listened on. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => resolve());
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on each answer says `Connection: close`, so that clients come back on another connection. */
  turnAway(): void {
    this.#turningAway = true;
    for (const response of this.#latest.values())
      if (!response.headersSent) response.setHeader('Connection', 'close');
  }

  /**
   * Stops listening, finishes what is in flight and ends connections that ask for nothing. After `limitMs` it cuts what
   * still hangs. Resolves with how many requests that were; a second call with what the first one does.
   */
  finish(limitMs: number): Promise<number> {
    this.#finished ??= this.#server.listening ? this.#finish(limitMs) : Promise.resolve(0);
    return this.#finished;
  }

  async #finish(limitMs: number): Promise<number> {
    this.turnAway();
    await this.#readWhatArrived();
    // Not the HTTP server's own close: that one ends idle connections at once, unread requests and all, and waits for
    // connections on which nothing was ever asked.
    const closed = new Promise((resolve) => NetServer.prototype.close.call(this.#server, resolve));
    await this.#readWhatArrived();
    const busy = new Set([...this.#answering].map(({ req }) => req.socket));
    for (const socket of this.#sockets) if (!busy.has(socket)) socket.destroy();
    let cut = 0;
    const limit = setTimeout(() => {
      cut = this.#answering.size;
      for (const socket of this.#sockets) socket.destroy();
    }, limitMs);
    await closed;
    clearTimeout(limit);
    this.#server.close(() => undefined); // ends the timer that looks for slow requests
    return cut;
  }

  async #readWhatArrived(): Promise<void> {
    for (let n = 0; n < TURNS; n++) await turn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.finish(0);
  }
}
