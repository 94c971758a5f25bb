import { TcpProxy } from './tcp-proxy.js';
import type { StoreName } from '../stores/store.js';

const VARIABLES = { redis: 'REDIS_URL', postgres: 'DATABASE_URL', influxdb: 'INFLUX_URL' } as const;

/** The way from Tally's processes to some of the stores, which can then be stalled. */
export class Networks implements AsyncDisposable {
  readonly #proxies: ReadonlyMap<StoreName, TcpProxy>;
  /** What Tally's processes are to be started with. */
  readonly environment: Readonly<Record<string, string>>;

  private constructor(
    proxies: ReadonlyMap<StoreName, TcpProxy>,
    environment: Readonly<Record<string, string>>,
  ) {
    this.#proxies = proxies;
    this.environment = environment;
  }

  static async open(
    stores: ReadonlySet<StoreName>,
    environment: Readonly<Record<string, string>>,
  ): Promise<Networks> {
    const proxies = new Map<StoreName, TcpProxy>();
    const through: Record<string, string> = {};
    for (const store of stores) {
      const url = new URL(environment[VARIABLES[store]] ?? '');
      const proxy = await TcpProxy.open(Number(url.port));
      proxies.set(store, proxy);
      [url.hostname, url.port] = ['127.0.0.1', String(proxy.port)];
      through[VARIABLES[store]] = url.href;
    }
    return new Networks(proxies, { ...environment, ...through });
  }

  /** Nothing passes on any connection to this store, new ones included. */
  stall(store: StoreName): void {
    this.#proxies.get(store)?.stall('both');
  }

  /** What is sent to this store arrives, and no answer comes back. */
  stallAnswers(store: StoreName): void {
    this.#proxies.get(store)?.stall('answers');
  }

  resume(store: StoreName): void {
    this.#proxies.get(store)?.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy[Symbol.asyncDispose]()));
  }
}
