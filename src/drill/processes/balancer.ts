import { get } from 'node:http';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { SECOND } from '../../shared/duration.js';

/** Where a process takes connections, and where it says whether it is ready; both on the loopback address. */
export interface Endpoint {
  readonly name: string;
  readonly port: number;
  readonly adminPort: number;
}

export interface BalancerOptions {
  /** How often `/readyz` of each endpoint is asked, in milliseconds. */
  readonly probeMs: number;
  /** How long it takes until what is known of an endpoint has reached the balancer, in milliseconds. */
  readonly lagMs: number;
  /** `/readyz` is not asked: an endpoint counts as ready from its start on. */
  readonly unprobed?: boolean | undefined;
}

/** As Kubernetes has them unless it is told otherwise. */
const PROBE_TIMEOUT_MS = SECOND;
const FAILURES_TO_UNREADY = 3;

interface Watched {
  readonly endpoint: Endpoint;
  readonly gone: AbortController;
  ready: boolean;
}

/**
 * A layer-4 balancer that behaves as Kubernetes' Services do. A kubelet asks `/readyz` of every endpoint; what it
 * finds becomes an EndpointSlice; and every node's kube-proxy hears of that only a while later. New connections go to
 * an endpoint picked at random from those believed to be ready; connections that exist are left alone, and break as
 * their endpoint breaks them.
 * https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
 */
export class Balancer implements AsyncDisposable {
  readonly #options: BalancerOptions;
  readonly #server: Server;
  readonly #watched = new Map<string, Watched>();
  /** What kube-proxy believes. */
  readonly #known = new Map<string, Endpoint>();
  readonly #sockets = new Set<Socket>();
  readonly #routes = new Map<number, string>();

  private constructor(options: BalancerOptions) {
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#route(client));
  }

  static async open(options: BalancerOptions): Promise<Balancer> {
    const balancer = new Balancer(options);
    await new Promise<void>((resolve) => balancer.#server.listen(0, '127.0.0.1', 1_024, resolve));
    return balancer;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Endpoints that new connections may be sent to. */
  get known(): readonly string[] {
    return [...this.#known.keys()];
  }

  /** The endpoint that the connection from this port of a client was sent to. */
  routeOf(clientPort: number | undefined): string | undefined {
    return clientPort === undefined ? undefined : this.#routes.get(clientPort);
  }

  /** Watches an endpoint until it is removed. */
  add(endpoint: Endpoint): void {
    const watched = { endpoint, gone: new AbortController(), ready: false };
    this.#watched.set(endpoint.name, watched);
    void this.#probe(watched);
  }

  /** The endpoint is terminating or dead. Resolves when the balancer has heard of it. */
  async remove(name: string): Promise<void> {
    const watched = this.#watched.get(name);
    this.#watched.delete(name);
    watched?.gone.abort();
    await delay(this.#options.lagMs);
    this.#known.delete(name);
  }

  async #probe(watched: Watched): Promise<void> {
    if (this.#options.unprobed) return this.#learn(watched, true);
    const { endpoint, gone } = watched;
    let failures = 0;
    while (!gone.signal.aborted) {
      failures = (await isReady(endpoint.adminPort)) ? 0 : failures + 1;
      if (failures === 0) this.#learn(watched, true);
      else if (failures >= FAILURES_TO_UNREADY) this.#learn(watched, false);
      await delay(this.#options.probeMs, undefined, { signal: gone.signal }).catch(() => undefined);
    }
  }

  #learn(watched: Watched, ready: boolean): void {
    const { endpoint, gone } = watched;
    if (watched.ready === ready || gone.signal.aborted) return;
    watched.ready = ready;
    setTimeout(() => {
      if (gone.signal.aborted || watched.ready !== ready) return;
      if (ready) this.#known.set(endpoint.name, endpoint);
      else this.#known.delete(endpoint.name);
    }, this.#options.lagMs);
  }

  #route(client: Socket): void {
    const endpoints = [...this.#known.values()];
    const endpoint = endpoints[Math.floor(Math.random() * endpoints.length)];
    client.on('error', () => undefined);
    if (!endpoint) return void client.resetAndDestroy();
    const from = client.remotePort ?? 0;
    this.#routes.set(from, endpoint.name);
    const upstream = connect({ port: endpoint.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    join(client, upstream);
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { gone } of this.#watched.values()) gone.abort();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

/** As one connection: what comes on either goes out on the other, its end and its reset too. */
function join(client: Socket, upstream: Socket): void {
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    one.pipe(other);
    one.on('error', () => other.resetAndDestroy());
    one.on('close', () => other.destroySoon());
  }
}

/** A connection for each question, as the kubelet does it. */
function isReady(adminPort: number): Promise<boolean> {
  return new Promise((resolve) => {
    const asking = get({ port: adminPort, host: '127.0.0.1', path: '/readyz', agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    asking.setTimeout(PROBE_TIMEOUT_MS, () => asking.destroy());
    asking.on('error', () => resolve(false));
  });
}
