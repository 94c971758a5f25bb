import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * A bad network: a TCP proxy that can stop passing bytes on, in one direction or both, pass answers on late, and cut its
 * connections.
 */
export class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #pairs = new Set<{ readonly client: Socket; readonly upstream: Socket }>();
  #stalled: 'nothing' | 'answers' | 'both' = 'nothing';
  #lateMs = 0;

  private constructor(upstreamPort: number) {
    this.#server = createServer((client) => {
      const upstream = connect(upstreamPort, '127.0.0.1');
      const pair = { client, upstream };
      this.#pairs.add(pair);
      const end = () => {
        this.#pairs.delete(pair);
        client.destroy();
        upstream.destroy();
      };
      for (const socket of [client, upstream]) socket.on('error', end).on('close', end);
      client.on('data', (data) => upstream.write(data));
      let passed = Promise.resolve();
      let late = false;
      upstream.on('data', (data) => {
        late ||= this.#lateMs > 0;
        if (late) {
          const held = delay(this.#lateMs, undefined, { ref: false });
          passed = passed.then(() => held).then(() => void client.write(data));
        } else client.write(data);
      });
      this.#apply(pair);
    });
  }

  static async open(upstreamPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(upstreamPort);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Holds bytes back, those of new connections too: all of them, or only the answers. */
  stall(what: 'answers' | 'both'): void {
    this.#stalled = what;
    for (const pair of this.#pairs) this.#apply(pair);
  }

  /** Passes answers on so much later from now on, in their order; 0: at once. */
  delayAnswers(ms: number): void {
    this.#lateMs = ms;
  }

  /** Cuts all connections; what was held back is gone. */
  cut(): void {
    for (const { client, upstream } of this.#pairs) {
      client.destroy();
      upstream.destroy();
    }
  }

  /** Passes on what was held back and all that comes, without delay. */
  resume(): void {
    this.#stalled = 'nothing';
    this.#lateMs = 0;
    for (const { client, upstream } of this.#pairs) {
      client.resume();
      upstream.resume();
    }
  }

  #apply({ client, upstream }: { readonly client: Socket; readonly upstream: Socket }): void {
    if (this.#stalled !== 'nothing') upstream.pause();
    if (this.#stalled === 'both') client.pause();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
