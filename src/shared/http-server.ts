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

/** An HTTP server that can end without cutting anybody off. */
export class HttpServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #answering = new Set<ServerResponse>();
  #turningAway = false;
  #finished: Promise<number> | undefined;

  // The app's own variables are none of the server's business.
  constructor(app: Pick<Hono, 'fetch'>) {
    this.#server = createAdaptorServer({ fetch: app.fetch }) as Server;
    this.#server.keepAliveTimeout = KEEP_ALIVE_MS;
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.prependListener('request', (_request, response: ServerResponse) => {
      this.#answering.add(response);
      response.once('close', () => this.#answering.delete(response));
      if (this.#turningAway) response.setHeader('Connection', 'close');
    });
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
    for (const response of this.#answering)
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
