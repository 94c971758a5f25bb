import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { createServer as createNetServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Balancer, type BalancerOptions } from '../src/drill/processes/balancer.js';
import { HttpConnection } from '../src/drill/clients/http-connection.js';

/** A server that answers with its name, and says on the same port whether it is ready. */
class Backend {
  ready = true;
  asked = 0;
  readonly #server: Server;

  private constructor(readonly name: string) {
    this.#server = createServer((request, response) => {
      request.resume();
      if (request.url === '/readyz') {
        this.asked++;
        response.writeHead(this.ready ? 200 : 503).end();
      } else response.end(this.name);
    });
  }

  static async open(name: string): Promise<Backend> {
    const backend = new Backend(name);
    backend.#server.listen(0, '127.0.0.1');
    await once(backend.#server, 'listening');
    return backend;
  }

  get endpoint() {
    const { port } = this.#server.address() as AddressInfo;
    return { name: this.name, port, adminPort: port };
  }

  /** Ends all at once, as `kill -9` does. */
  async kill(): Promise<void> {
    this.#server.closeAllConnections();
    if (this.#server.listening) this.#server.close();
  }
}

const opened: { [Symbol.asyncDispose](): Promise<void> }[] = [];
afterEach(async () => {
  for (const resource of opened.splice(0).toReversed()) await resource[Symbol.asyncDispose]();
});

async function open(options: Partial<BalancerOptions>, names: readonly string[]) {
  const balancer = await Balancer.open({ probeMs: 10, lagMs: 0, ...options });
  const backends = await Promise.all(names.map((name) => Backend.open(name)));
  for (const { endpoint } of backends) balancer.add(endpoint);
  opened.push(balancer, ...backends.map((backend) => ({ [Symbol.asyncDispose]: () => backend.kill() })));
  return { balancer, backends: backends as [Backend, Backend] };
}

async function ask(connection: HttpConnection): Promise<string> {
  const [reply] = connection.post('/', ['{}']);
  const said = await reply;
  return said?.kind === 'answered' ? said.body : JSON.stringify(said);
}

/** Who answers a new connection. */
async function askAnew({ port }: Balancer): Promise<string> {
  const connection = new HttpConnection({ port });
  const said = await ask(connection);
  connection.close();
  return said;
}

const knows = (balancer: Balancer, names: readonly string[]) =>
  vi.waitUntil(() => [...balancer.known].sort().join() === names.join(), { timeout: 10_000, interval: 5 });

describe('a new connection', () => {
  test('goes to every endpoint that is ready, and to no other', async () => {
    const { balancer, backends } = await open({}, ['a', 'b', 'c']);
    await knows(balancer, ['a', 'b', 'c']);
    backends[0].ready = false;
    await knows(balancer, ['b', 'c']);
    const answers = new Set<string>();
    for (let n = 0; n < 60; n++) answers.add(await askAnew(balancer));
    expect([...answers].sort()).toEqual(['b', 'c']);
  });

  test('goes to whatever was started, ready or not, when nobody asks for readiness', async () => {
    const { balancer, backends } = await open({ unprobed: true }, ['a']);
    backends[0].ready = false;
    await knows(balancer, ['a']);
    expect(await askAnew(balancer)).toBe('a');
    expect(backends[0].asked).toBe(0);
  });

  test('is reset while nothing is ready', async () => {
    const { balancer, backends } = await open({}, ['a']);
    backends[0].ready = false;
    await vi.waitUntil(() => backends[0].asked > 3);
    await knows(balancer, []);
    expect(await askAnew(balancer)).toContain('ECONNRESET');
  });

  test('still goes to an endpoint that was removed until the balancer has heard of it', async () => {
    const { balancer } = await open({ lagMs: 1_000 }, ['a']);
    await knows(balancer, ['a']);
    const heard = balancer.remove('a');
    for (let n = 0; n < 5; n++) expect(await askAnew(balancer)).toBe('a');
    await heard;
    expect(balancer.known).toEqual([]);
  });

  test('to an endpoint that died is broken until the balancer has heard of it', async () => {
    const { balancer, backends } = await open({ lagMs: 300 }, ['a']);
    await knows(balancer, ['a']);
    await backends[0].kill();
    void balancer.remove('a');
    expect(await askAnew(balancer)).toMatch(/ECONNRESET|closed/);
  });

  test('is known by the endpoint that it went to', async () => {
    const { balancer } = await open({}, ['a', 'b']);
    await knows(balancer, ['a', 'b']);
    const connection = new HttpConnection(balancer);
    const said = await ask(connection);
    expect(balancer.routeOf(connection.localPort)).toBe(said);
    connection.close();
  });
});

describe('a connection that exists', () => {
  test('stays where it is when its endpoint is not ready any more, or was removed', async () => {
    const { balancer, backends } = await open({}, ['a', 'b']);
    backends[1].ready = false;
    await knows(balancer, ['a']);
    const connection = new HttpConnection(balancer);
    expect(await ask(connection)).toBe('a');
    backends[0].ready = false;
    backends[1].ready = true;
    await knows(balancer, ['b']);
    expect(await ask(connection)).toBe('a');
    await balancer.remove('a');
    expect(await ask(connection)).toBe('a');
    expect(await askAnew(balancer)).toBe('b');
    connection.close();
  });

  test('breaks when its endpoint dies', async () => {
    const { balancer, backends } = await open({}, ['a']);
    await knows(balancer, ['a']);
    const connection = new HttpConnection(balancer);
    await ask(connection);
    await backends[0].kill();
    await vi.waitUntil(() => !connection.open);
    expect(await ask(connection)).toContain('broken');
  });

  test('ends for the endpoint when the client has gone', async () => {
    const { balancer, backends } = await open({}, ['ready']);
    await balancer.remove('ready');
    let connected: Socket | undefined;
    const server = createNetServer((socket) => (connected = socket.resume())).listen(0, '127.0.0.1');
    opened.push({ [Symbol.asyncDispose]: async () => void server.close() });
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    balancer.add({ name: 'a', port, adminPort: backends[0].endpoint.adminPort });
    await knows(balancer, ['a']);
    const connection = new HttpConnection(balancer);
    void ask(connection);
    await vi.waitUntil(() => connected);
    const closed = once(connected as Socket, 'close');
    connection.close();
    await closed;
    expect(connected?.readableEnded).toBe(true);
  });
});

test('an endpoint is unready after three questions without a 200, not after one', async () => {
  const { balancer, backends } = await open({ probeMs: 50 }, ['a']);
  await knows(balancer, ['a']);
  backends[0].ready = false;
  const before = backends[0].asked;
  await knows(balancer, []);
  expect(backends[0].asked - before).toBeGreaterThanOrEqual(3);
});
