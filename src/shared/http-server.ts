import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import { SECOND } from './duration.js';

/** Longer than the idle timeouts of common load balancers (60 s), so that it is never we who close under them. */
const KEEP_ALIVE_MS = 72 * SECOND;

/** An HTTP server that can end without cutting anybody off. */
export class HttpServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #answering = new Set<ServerResponse>();
  #turningAway = false;

  // The app's own variables are none of the server's business.
  constructor(app: Pick<Hono, 'fetch'>) {
    this.#server = createAdaptorServer({ fetch: app.fetch }) as Server;
    this.#server.keepAliveTimeout = KEEP_ALIVE_MS;
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
   * Stops listening, finishes what is in flight and ends idle connections. After `limitMs` it cuts what still hangs,
   * and resolves with how many requests that were.
   */
  async finish(limitMs: number): Promise<number> {
    this.turnAway();
    let cut = 0;
    const limit = setTimeout(() => {
      cut = this.#answering.size;
      this.#server.closeAllConnections();
    }, limitMs);
    await new Promise<void>((resolve) => {
      // Right after a poll phase every request that has arrived was read, and none is taken for an idle connection.
      setImmediate(() => this.#server.close(() => resolve()));
    });
    clearTimeout(limit);
    return cut;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.finish(0);
  }
}
