import { ServerResponse, type IncomingMessage, type Server } from 'node:http';
import type { Http2SecureServer, Http2ServerResponse } from 'node:http2';
import { Server as NetServer, type AddressInfo, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { TLSSocket } from 'node:tls';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import type { Certificate } from './certificate.js';
import { SECOND } from '../duration.js';
import type { Http2Connection } from './http2-connection.js';
import { createSecureServer } from './secure-server.js';

/** Longer than the idle timeouts of common load balancers (60 s), so that it is never we who close under them. */
const KEEP_ALIVE_MS = 72 * SECOND;

/** Turns of the event loop in which what has arrived is accepted and read: one for the connection, one for its data. */
const TURNS = 3;

export interface HttpServerOptions {
  /** What clients are told of how long a connection may be idle; it is kept for longer. HTTP/2 has no word for it. */
  readonly keepAliveSeconds?: number;
  /** With one it speaks TLS, and HTTP/2 or HTTP/1.1 as the client prefers; without, plain HTTP/1.1. */
  readonly certificate?: Certificate | undefined;
}

/** A connection that may become one of HTTP/1.1; `socket` is the outermost layer of it. */
interface Line {
  socket: Socket;
}

/** An HTTP server that can end without cutting anybody off. */
export class HttpServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #secure: Http2SecureServer | undefined;
  readonly #keepAlive: string | undefined;
  /** By the address of the client, which is the same for a TLS connection and the one below. */
  readonly #lines = new Map<string, Line>();
  readonly #http2 = new Set<Http2Connection>();
  readonly #answering = new Set<ServerResponse | Http2ServerResponse>();
  /** The last answer on each HTTP/1.1 connection: those before it must not close it. */
  readonly #latest = new Map<Socket, ServerResponse>();
  #turningAway = false;
  #finished: Promise<number> | undefined;

  // The app's own variables are none of the server's business.
  constructor({ fetch }: Pick<Hono, 'fetch'>, { keepAliveSeconds, certificate }: HttpServerOptions = {}) {
    this.#keepAlive = keepAliveSeconds === undefined ? undefined : `timeout=${keepAliveSeconds}`;
    if (certificate) {
      this.#secure = createSecureServer(fetch, certificate, {
        idleMs: KEEP_ALIVE_MS,
        onHttp1: (socket) => this.#speaksHttp1(socket),
        onHttp2: (connection, socket) => this.#speaksHttp2(connection, socket),
      });
    }
    // Where it speaks HTTP/1.1 over TLS it does so as this one does.
    this.#server = (this.#secure as Server | undefined) ?? (createAdaptorServer({ fetch }) as Server);
    this.#server.keepAliveTimeout = KEEP_ALIVE_MS;
    this.#server.on('connection', (socket: Socket) => this.#connected(socket));
    this.#server.prependListener('request', (request, response) => this.#asked(request, response));
  }

  /** Shows another certificate to those who connect from now on. */
  renew(certificate: Certificate): void {
    this.#secure?.setSecureContext(certificate);
  }

  #connected(socket: Socket): void {
    const address = addressOf(socket);
    const line = { socket };
    this.#lines.set(address, line);
    socket.once('close', () => {
      if (this.#lines.get(address) === line) this.#lines.delete(address);
    });
  }

  #speaksHttp1(socket: Socket): void {
    const line = this.#lines.get(addressOf(socket));
    if (line) line.socket = socket;
  }

  #speaksHttp2(connection: Http2Connection, socket: Socket): void {
    this.#lines.delete(addressOf(socket));
    this.#http2.add(connection);
    socket.once('close', () => this.#http2.delete(connection));
    if (this.#turningAway) connection.turnAway();
  }

  #asked({ socket }: IncomingMessage, response: ServerResponse | Http2ServerResponse): void {
    this.#answering.add(response);
    response.once('close', () => this.#answering.delete(response));
    if (response instanceof ServerResponse) this.#askedInTurn(socket, response);
  }

  #askedInTurn(socket: Socket, response: ServerResponse): void {
    response.once('close', () => this.#answeredInTurn(socket, response));
    if (this.#keepAlive && response.shouldKeepAlive) this.#keep(response);
    const earlier = this.#latest.get(socket);
    this.#latest.set(socket, response);
    if (!this.#turningAway) return;
    // Whatever is pipelined behind an answer with `Connection: close` gets none.
    if (earlier && !earlier.headersSent) this.#keep(earlier);
    close(response);
  }

  #keep(response: ServerResponse): void {
    response.setHeader('Connection', 'keep-alive');
    if (this.#keepAlive) response.setHeader('Keep-Alive', this.#keepAlive);
  }

  #answeredInTurn(socket: Socket, response: ServerResponse): void {
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

  /**
   * From now on clients are asked to come back on another connection: by `Connection: close` with each answer, and on
   * HTTP/2 by GOAWAY. Whatever they ask is answered all the same.
   */
  turnAway(): void {
    this.#turningAway = true;
    for (const response of this.#latest.values()) if (!response.headersSent) close(response);
    for (const connection of this.#http2) connection.turnAway();
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
    const busy = new Set([...this.#latest.keys()].map(addressOf));
    for (const [address, { socket }] of this.#lines) if (!busy.has(address)) leave(socket);
    for (const connection of this.#http2) void connection.finish();
    let cut = 0;
    const limit = setTimeout(() => {
      cut = this.#answering.size;
      for (const { socket } of this.#lines.values()) socket.destroy();
      for (const connection of this.#http2) connection.cut();
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

/** Clients of HTTP/1.0, `ab` for one, take `Keep-Alive` for a connection that is kept, whatever else is said. */
function close(response: ServerResponse): void {
  response.removeHeader('Keep-Alive');
  response.setHeader('Connection', 'close');
}

/** TLS has a word for the end of a connection, once the handshake is over. */
function leave(socket: Socket): void {
  if (socket instanceof TLSSocket) socket.destroySoon();
  else socket.destroy();
}

const addressOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;
