import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { SECOND } from '../duration.js';

/** How long the other side may take to end a connection that we have ended. */
const LINGER_MS = SECOND / 2;

/** A GOAWAY frame: 8 bytes long, of type 7, without flags, on stream 0; of the highest stream there is; no error. */
const SHUTDOWN_NOTICE = Buffer.from('0000080700000000007fffffff00000000', 'hex');

type Done = (error?: Error | null) => void;

/**
 * What a session of node:http2 reads and writes: a TLS connection, on which a shutdown notice can be sent as well. It is
 * the first of the two GOAWAYs with which a server ends without losing a request that is on its way (RFC 9113, 6.8).
 * node:http2 cannot send it: after `session.goaway(0, 2 ** 31 - 1)` it drops what clients send without an answer,
 * because nghttp2 takes all but its own `nghttp2_submit_shutdown_notice` for the last word. It writes whole frames at a
 * time, so another one fits in between.
 */
export class Http2Transport extends Duplex {
  readonly encrypted = true;
  readonly alpnProtocol = 'h2';
  readonly #socket: TLSSocket;
  /** Whether the session has said its SETTINGS, which must come first. */
  #begun = false;
  #noticeDue = false;

  constructor(socket: TLSSocket) {
    super();
    this.#socket = socket.setNoDelay();
    socket.on('data', (data: Buffer) => {
      if (!this.push(data)) socket.pause();
    });
    socket.on('end', () => this.push(null));
    socket.on('error', () => this.destroy()); // the session sees that it is closed
    socket.on('close', () => this.destroy());
  }

  /** Tells the client to send further requests elsewhere. Those that it sends here all the same can be answered. */
  sendShutdownNotice(): void {
    this.#noticeDue = true;
    if (this.#begun) this.#sendNoticeDue();
  }

  #sendNoticeDue(): void {
    if (this.#noticeDue && this.#socket.writable) this.#socket.write(SHUTDOWN_NOTICE);
    this.#noticeDue = false;
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(data: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#send(data, done);
  }

  override _writev(parts: { chunk: Buffer }[], done: Done): void {
    this.#send(Buffer.concat(parts.map(({ chunk }) => chunk)), done);
  }

  #send(frames: Buffer, done: Done): void {
    this.#socket.write(frames, done);
    this.#begun = true;
    this.#sendNoticeDue();
  }

  /** Closing at once could reset the connection, and with it what the client has not read yet. */
  override _final(done: Done): void {
    this.#socket.end(done);
    setTimeout(() => this.destroy(), LINGER_MS).unref();
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#socket.destroy();
    done(error);
  }
}
