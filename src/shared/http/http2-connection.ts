import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { MINUTE, SECOND } from '../duration.js';
import type { Http2Transport } from './http2-transport.js';

export interface Http2Limits {
  /** How long a connection is kept on which nothing is asked, in milliseconds. */
  readonly idleMs: number;
  /** How long a client may take to send its request, or to take the answer; Node.js has the same for HTTP/1.1. */
  readonly requestMs?: number;
  /** How long a client may take to answer that it has heard of the shutdown. */
  readonly roundTripMs?: number;
}

/**
 * A client's HTTP/2 connection, which can end without losing a request: the client is told to go elsewhere; when it has
 * heard that, which its answer to a ping says, whatever it sent before has arrived, and the last stream that will be
 * answered is named; and with the last answer the connection ends (RFC 9113, 6.8).
 */
export class Http2Connection {
  readonly #session: ServerHttp2Session;
  readonly #transport: Http2Transport;
  readonly #requestMs: number;
  readonly #roundTripMs: number;
  readonly #open = new Set<ServerHttp2Stream>();
  #asked = false;
  #turningAway = false;
  #told: Promise<void> | undefined;

  constructor(
    session: ServerHttp2Session,
    transport: Http2Transport,
    { idleMs, requestMs = 5 * MINUTE, roundTripMs = SECOND / 2 }: Http2Limits,
  ) {
    this.#session = session;
    this.#transport = transport;
    this.#requestMs = requestMs;
    this.#roundTripMs = roundTripMs;
    session.on('stream', (stream) => this.#began(stream));
    session.setTimeout(idleMs);
    session.on('timeout', () => {
      if (this.#open.size === 0) void this.finish();
    });
  }

  /**
   * Tells the client to go elsewhere, and goes on answering. A client that has asked nothing yet is told with its first
   * request: else it would come back on new connections until a balancer sends it elsewhere.
   */
  turnAway(): void {
    this.#turningAway = true;
    if (this.#asked) void this.#tell();
  }

  /** Tells the client to go elsewhere, takes nothing more once it has heard that, and ends with the last answer. */
  async finish(): Promise<void> {
    await this.#tell();
    this.#session.close();
  }

  /** Ends it at once. */
  cut(): void {
    this.#transport.destroy();
  }

  /** Resolves when the client has heard it, as far as it answers. */
  #tell(): Promise<void> {
    this.#told ??= new Promise((resolve) => {
      if (this.#session.destroyed) return resolve();
      const limit = setTimeout(resolve, this.#roundTripMs);
      const heard = () => {
        clearTimeout(limit);
        resolve();
      };
      this.#transport.sendShutdownNotice();
      this.#session.once('close', heard);
      this.#session.ping(heard);
    });
    return this.#told;
  }

  #began(stream: ServerHttp2Stream): void {
    this.#asked = true;
    this.#open.add(stream);
    const limit = setTimeout(() => {
      const asked = stream.endAfterHeaders || stream.readableEnded;
      if (!asked || stream.writableEnded) stream.close(constants.NGHTTP2_CANCEL);
    }, this.#requestMs).unref();
    stream.once('close', () => {
      clearTimeout(limit);
      this.#open.delete(stream);
    });
    if (this.#turningAway) void this.#tell();
  }
}
