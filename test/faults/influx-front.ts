import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** An answer that stands in for InfluxDB's own. */
export interface Refusal {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Only writes that hold this line are refused. */
  readonly line?: string;
}

/** In front of a real InfluxDB: passes everything on, but for writes that it is told to refuse. */
export class InfluxFront implements AsyncDisposable {
  readonly #server: Server;
  readonly #upstream: string;
  #refusal: Refusal | undefined;

  private constructor(upstream: string) {
    this.#upstream = upstream;
    this.#server = createServer((asked, answer) => void this.#answer(asked, answer));
  }

  static async open(upstream: string): Promise<InfluxFront> {
    const front = new InfluxFront(upstream);
    front.#server.listen(0, '127.0.0.1');
    await once(front.#server, 'listening');
    return front;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Answers writes so from now on; `undefined`: as InfluxDB does. */
  refuse(refusal: Refusal | undefined): void {
    this.#refusal = refusal;
  }

  async #answer(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const body = await text(asked).catch(() => undefined);
    if (body === undefined) return; // cut on its way
    const refusal = this.#refusal;
    const isWrite = asked.method === 'POST' && /write/.test(asked.url ?? '');
    if (refusal && isWrite && body.split('\n').some((line) => line === (refusal.line ?? line))) {
      answer.writeHead(refusal.status, refusal.headers).end('refused by the test');
      return;
    }
    const { method, headers } = asked;
    const passedOn = request(new URL(asked.url ?? '', this.#upstream), { method, headers }, (answered) => {
      answer.writeHead(answered.statusCode ?? 502, answered.headers);
      answered.on('error', () => answer.destroy()).pipe(answer);
    });
    passedOn.on('error', () => asked.socket.destroy());
    answer.on('close', () => passedOn.destroy());
    passedOn.end(body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
