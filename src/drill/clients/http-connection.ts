import { connect as connectPlainly, isIP, type Socket } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import { SECOND } from '../../shared/duration.js';

/** What came of one request; `broken` says what was seen of the connection's end. */
export type Reply =
  | ({ readonly kind: 'answered'; readonly status: number; readonly body: string } & From)
  | ({ readonly kind: 'broken'; readonly reason: string } & From)
  | ({ readonly kind: 'timedOut' } & From);

/** The port of the connection that it was on, where a client has several. */
interface From {
  readonly localPort?: number | undefined;
}

/** Where connections lead. */
export interface Target {
  readonly port: number;
  /** Without it, the loopback address. */
  readonly host?: string;
  /** What the server is called where it has several names: `Host`. */
  readonly authority?: string;
  /** Speaks TLS; `trusting`: with whatever certificate there is; `ca`: with this one, in PEM. */
  readonly tls?: 'checking' | 'trusting' | { readonly ca: string };
}

interface Waiting {
  readonly resolve: (reply: Reply) => void;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  /** Where the next answer begins. */
  readonly end: number;
  readonly last: boolean;
  /** How long the server said that it waits for the next request. */
  readonly keptMs: number | undefined;
}

/** A connection is left so long before the server may close it, as Node.js does it. */
const EARLY_MS = SECOND;

const CLOSE = 'Connection: close\r\n';

/** No answer's head is longer. */
const MOST_HEAD = 16 * 1024;

/**
 * One HTTP/1.1 connection, spoken to the byte: nothing is retried, nothing is reconnected, and requests may be
 * pipelined. It is open from its making until the server asks it to go (`Connection: close`), it breaks, or `close`.
 */
export class HttpConnection {
  readonly #socket: Socket;
  readonly #authority: string;
  readonly #waiting: Waiting[] = [];
  #received = '';
  #open = true;
  #localPort: number | undefined;
  #keptUntil = Infinity;

  constructor(target: Target) {
    this.#authority = target.authority ?? 'drill';
    this.#socket = connect(target, 'http/1.1');
    this.#socket.setEncoding('latin1');
    this.#socket.once('connect', () => (this.#localPort = this.#socket.localPort));
    this.#socket.on('data', (data: string) => this.#read(data));
    this.#socket.on('end', () => this.#break('closed by the server'));
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#break(error.code ?? error.message));
    this.#socket.on('close', () => this.#break('closed'));
  }

  /** Whether another request may be sent on it. */
  get open(): boolean {
    return this.#open;
  }

  /** Whether the server still waits for a request on it, as far as it has said how long it does (`Keep-Alive: timeout`). */
  get fresh(): boolean {
    return this.#open && performance.now() < this.#keptUntil;
  }

  /** By which the other side knows it; `undefined` while it was never connected. */
  get localPort(): number | undefined {
    return this.#localPort;
  }

  /** Sends `POST path` with these bodies in one go; each reply in its turn. */
  post(
    path: string,
    bodies: readonly string[],
    { last = false, timeoutMs = 30_000, requestId = '' } = {},
  ): Promise<Reply>[] {
    const named = requestId === '' ? '' : `X-Request-Id: ${requestId}\r\n`;
    const head = `${this.#head('POST', path)}${named}Content-Type: application/json\r\n`;
    const requests = bodies.map((body, index) => {
      const close = last && index === bodies.length - 1 ? CLOSE : '';
      return `${head}${close}Content-Length: ${body.length}\r\n\r\n${body}`;
    });
    return this.#send(requests, timeoutMs);
  }

  /** Sends `GET path`. */
  get(path: string, { last = false, timeoutMs = 30_000 } = {}): Promise<Reply> {
    return Promise.race(this.#send([`${this.#head('GET', path)}${last ? CLOSE : ''}\r\n`], timeoutMs));
  }

  #head(method: string, path: string): string {
    return `${method} ${path} HTTP/1.1\r\nHost: ${this.#authority}\r\n`;
  }

  #send(requests: readonly string[], timeoutMs: number): Promise<Reply>[] {
    const replies = requests.map(() => new Promise<Reply>((resolve) => this.#waiting.push({ resolve })));
    if (this.#open) this.#socket.write(requests.join(''));
    else this.#fail({ kind: 'broken', reason: 'sent on a connection that was closed' });
    const limit = setTimeout(() => this.#giveUp(), timeoutMs);
    void Promise.all(replies).then(() => clearTimeout(limit));
    return replies;
  }

  close(): void {
    this.#open = false;
    this.#socket.destroy();
  }

  #read(data: string): void {
    this.#received += data;
    for (let answer = this.#next(); answer; answer = this.#next()) {
      this.#received = this.#received.slice(answer.end);
      this.#keptUntil = answer.keptMs === undefined ? Infinity : performance.now() + answer.keptMs - EARLY_MS;
      this.#waiting.shift()?.resolve({ kind: 'answered', status: answer.status, body: answer.body });
      if (!answer.last) continue;
      this.#open = false;
      this.#fail({ kind: 'broken', reason: 'closed after an earlier answer' });
      this.#socket.end();
      return;
    }
  }

  /** The next answer, if all of it is there. */
  #next(): Answer | undefined {
    const end = this.#received.indexOf('\r\n\r\n');
    if (end === -1 && this.#received.length < MOST_HEAD) return undefined;
    const head = this.#received.slice(0, end);
    const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(head) ?? [];
    const found = readBody(head, this.#received, end + 4);
    if (status === undefined || found === 'unreadable') {
      this.#break('not an answer that can be read');
      return undefined;
    }
    if (!found) return undefined;
    const [, seconds] = /\r\nkeep-alive: *timeout=(\d+)/i.exec(head) ?? [];
    return {
      ...found,
      status: Number(status),
      last: /\r\nconnection: *close/i.test(head),
      keptMs: seconds === undefined ? undefined : Number(seconds) * SECOND,
    };
  }

  #giveUp(): void {
    this.#open = false;
    this.#fail({ kind: 'timedOut' });
    this.#socket.destroy();
  }

  #break(reason: string): void {
    this.#open = false;
    const midway = this.#received === '' ? '' : ' in the middle of an answer';
    this.#fail({ kind: 'broken', reason: `${reason}${midway}` });
    this.#socket.destroy();
  }

  #fail(reply: Reply): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve(reply);
  }
}

export function connect({ port, host = '127.0.0.1', tls }: Target, protocol: 'h2' | 'http/1.1'): Socket {
  if (!tls) return connectPlainly({ port, host, noDelay: true });
  const socket = connectSecurely({
    ...{ port, host, ALPNProtocols: [protocol], rejectUnauthorized: tls !== 'trusting' },
    ...(isIP(host) === 0 && { servername: host }),
    ...(typeof tls === 'object' && tls),
  });
  return socket.setNoDelay(true);
}

/** The body that begins at `from`, and where it ends; `undefined` while it is not all there. */
function readBody(
  head: string,
  text: string,
  from: number,
): Pick<Answer, 'body' | 'end'> | 'unreadable' | undefined {
  const [, length] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? [];
  if (length !== undefined) {
    const end = from + Number(length);
    return text.length < end ? undefined : { body: text.slice(from, end), end };
  }
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) return 'unreadable';
  let body = '';
  for (let start = from; ;) {
    const line = text.indexOf('\r\n', start);
    if (line === -1) return undefined;
    const size = parseInt(text.slice(start, line), 16);
    if (!(size >= 0)) return 'unreadable';
    const end = line + 2 + size + 2;
    if (text.length < end) return undefined;
    if (size === 0) return { body, end };
    body += text.slice(line + 2, end - 2);
    start = end;
  }
}
