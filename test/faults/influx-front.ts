import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An answer that stands in for InfluxDB's own. */
export interface Refusal {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** In front of a real InfluxDB: passes everything on, but for writes while it is told to refuse them. */
export class InfluxFront implements AsyncDisposable {
  readonly #server: Server;
  readonly #upstream: string;
  #refusal: Refusal | undefined;

  private constructor(upstream: string) {
    this.#upstream = upstream;
    this.#server = createServer((asked, answer) => this.#answer(asked, answer));
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

  #answer(asked: IncomingMessage, answer: ServerResponse): void {
    if (this.#refusal && asked.method === 'POST' && /write/.test(asked.url ?? '')) {
      asked.resume();
      answer.writeHead(this.#refusal.status, this.#refusal.headers).end('refused by the test');
      return;
    }
    const { method, headers } = asked;
    const passedOn = request(new URL(asked.url ?? '', this.#upstream), { method, headers }, (answered) => {
      answer.writeHead(answered.statusCode ?? 502, answered.headers);
      answered.on('error', () => answer.destroy()).pipe(answer);
    });
    passedOn.on('error', () => asked.socket.destroy());
    answer.on('close', () => passedOn.destroy());
    asked.on('error', () => passedOn.destroy()).pipe(passedOn);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
