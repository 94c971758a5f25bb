import { once } from 'node:events';
import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const LINE_FEED = 10;

/**
 * Stands before an InfluxDB and counts the lines of writes, which InfluxDB itself folds into one point when they come
 * twice. While nothing listens behind it, it cuts the connection, as if nothing listened here either.
 */
export class InfluxProxy implements AsyncDisposable {
  /** Lines in writes that InfluxDB answered. */
  lines = 0;
  readonly #server = createServer((incoming, outgoing) => this.#pass(incoming, outgoing));
  readonly #agent = new Agent({ keepAlive: true });
  readonly #upstream: string;

  private constructor(upstream: string) {
    this.#upstream = upstream;
  }

  static async open(upstream: string): Promise<InfluxProxy> {
    const proxy = new InfluxProxy(upstream);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get environment(): { readonly INFLUX_URL: string } {
    return { INFLUX_URL: `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}` };
  }

  #pass(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { url = '', method, headers } = incoming;
    let lines = new URL(url, this.#upstream).pathname.endsWith('/write') ? 1 : 0;
    const counts = lines > 0;
    const sent = request(new URL(url, this.#upstream), { method, headers, agent: this.#agent });
    sent.once('response', (answer) => {
      this.lines += lines;
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    sent.once('error', () => outgoing.destroy());
    incoming.on('data', (data: Buffer) => {
      if (counts) lines += lineFeedsIn(data);
    });
    incoming.pipe(sent);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await once(this.#server, 'close');
  }
}

function lineFeedsIn(data: Buffer): number {
  let count = 0;
  for (let at = data.indexOf(LINE_FEED); at !== -1; at = data.indexOf(LINE_FEED, at + 1)) count++;
  return count;
}
