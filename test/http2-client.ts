import { once } from 'node:events';
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { Readable } from 'node:stream';

export interface Http2Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

interface Question {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | ReadableStream;
}

/** An HTTP/2 connection on which nothing is sent twice, and which shows where it was told to go away. */
export class Http2Client implements Disposable {
  readonly session: ClientHttp2Session;
  /** The last stream that will be answered, as each GOAWAY had it. */
  readonly goneAfter: number[] = [];
  readonly closed: Promise<unknown>;

  private constructor(session: ClientHttp2Session) {
    this.session = session;
    session.on('error', () => undefined);
    session.on('goaway', (_code, last) => this.goneAfter.push(last));
    this.closed = new Promise((resolve) => session.once('close', resolve));
  }

  /** Resolves when the server's settings are here. */
  static async open(port: number, ca: string): Promise<Http2Client> {
    const session = connect(`https://localhost:${port}`, { ca });
    const client = new Http2Client(session);
    await once(session, 'remoteSettings');
    return client;
  }

  /** Sends a request at once; its body may come in pieces. */
  ask(path: string, { method = 'GET', headers = {}, body }: Question = {}): Promise<Http2Answer> {
    const endStream = body === undefined;
    const stream = this.session.request({ ':path': path, ':method': method, ...headers }, { endStream });
    const answer = read(stream);
    if (typeof body === 'string') stream.end(body);
    else if (body) Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]).pipe(stream);
    return answer;
  }

  [Symbol.dispose](): void {
    this.session.destroy();
  }
}

function read(stream: ClientHttp2Stream): Promise<Http2Answer> {
  return new Promise((resolve, reject) => {
    let status = 0;
    const headers = new Headers();
    let text = '';
    stream.on('response', (given) => {
      status = given[':status'] ?? 0;
      for (const [name, value] of Object.entries(given))
        if (!name.startsWith(':')) headers.set(name, String(value));
    });
    stream.setEncoding('utf8').on('data', (part: string) => (text += part));
    stream.on('end', () => {
      if (status > 0) resolve({ status, headers, text });
    });
    stream.on('error', reject);
    stream.on('close', () => reject(new Error(`closed with ${stream.rstCode}`)));
  });
}
