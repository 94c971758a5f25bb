import {
  connect as openSession,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
} from 'node:http2';
import { connect, type Reply, type Target } from './http-connection.js';

/** What came of a stream; `unprocessed`: the server has certainly not looked at it. */
type Outcome = Reply | { readonly kind: 'unprocessed' };

/** Connections on which the same request is tried. */
const MOST_ATTEMPTS = 5;

/**
 * A client of HTTP/2 as those of browsers, Go, Java and curl are: one connection with many streams. When GOAWAY comes,
 * what is on its way goes on, and what is asked from then on goes to another connection. It sends again what the server
 * has certainly not looked at, and nothing else: streams above the last one that a GOAWAY names, streams refused with
 * REFUSED_STREAM, and those that were not sent when GOAWAY came (RFC 9113, 8.7). A stream that breaks in any other way
 * has failed.
 */
export class Http2Client {
  /** It looks for another connection by itself. */
  readonly fresh = true;
  readonly #target: Target;
  #session: Session | undefined;
  /** Streams that were sent again. */
  retried = 0;

  constructor(target: Target) {
    this.#target = target;
  }

  /** Of the connection that takes requests now. */
  get localPort(): number | undefined {
    return this.#session?.localPort;
  }

  /** Sends `POST path` with each of these bodies at the same time. */
  post(path: string, bodies: readonly string[], { timeoutMs = 30_000 } = {}): Promise<Reply>[] {
    return bodies.map((body) => this.#ask(path, body, timeoutMs));
  }

  async #ask(path: string, body: string, timeoutMs: number): Promise<Reply> {
    for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
      if (!this.#session?.open) this.#session = new Session(this.#target);
      const outcome = await this.#session.ask(path, body, timeoutMs);
      if (outcome.kind !== 'unprocessed') return outcome;
      this.retried++;
    }
    return {
      kind: 'broken',
      reason: `not processed on ${MOST_ATTEMPTS} connections`,
      localPort: this.localPort,
    };
  }

  /** Leaves when the last answer is there. */
  close(): void {
    this.#session?.close();
  }
}

/** One connection. */
class Session {
  localPort: number | undefined;
  readonly #authority: string;
  readonly #session: ClientHttp2Session;
  #fault: string | undefined;

  constructor(target: Target) {
    const socket = connect(target, 'h2');
    this.#authority = target.authority ?? 'drill';
    socket.once('connect', () => (this.localPort = socket.localPort));
    this.#session = openSession(`https://${this.#authority}`, { createConnection: () => socket });
    this.#session.on('error', (error) => (this.#fault = codeOf(error)));
  }

  /** Whether further requests may be sent on it. */
  get open(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  ask(path: string, body: string, timeoutMs: number): Promise<Outcome> {
    const stream = this.#session.request({
      ':method': 'POST',
      ':path': path,
      ':authority': this.#authority,
      'content-type': 'application/json',
    });
    stream.end(body);
    return this.#outcome(stream, timeoutMs);
  }

  #outcome(stream: ClientHttp2Stream, timeoutMs: number): Promise<Outcome> {
    let status = 0;
    let body = '';
    let ended = false;
    let fault: string | undefined;
    let timedOut = false;
    const limit = setTimeout(() => {
      timedOut = true;
      stream.close(constants.NGHTTP2_CANCEL);
    }, timeoutMs);
    stream.on('response', (headers) => (status = headers[':status'] ?? 0));
    stream.setEncoding('latin1').on('data', (part: string) => (body += part));
    stream.on('end', () => (ended = true));
    stream.on('error', (error) => (fault = codeOf(error.cause) ?? codeOf(error)));
    return new Promise((resolve) => {
      stream.once('close', () => {
        clearTimeout(limit);
        const from = { localPort: this.localPort };
        const code = stream.rstCode;
        if (timedOut) resolve({ kind: 'timedOut', ...from });
        else if (ended && status > 0 && code === constants.NGHTTP2_NO_ERROR)
          resolve({ kind: 'answered', status, body, ...from });
        else if (status === 0 && code === constants.NGHTTP2_REFUSED_STREAM) resolve({ kind: 'unprocessed' });
        else
          resolve({ kind: 'broken', reason: this.#fault ?? fault ?? `stream closed with ${code}`, ...from });
      });
    });
  }

  close(): void {
    this.#session.close();
  }
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException | undefined)?.code;
