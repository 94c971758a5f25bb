import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { SECOND } from '../../shared/duration.js';

/** How a request ended: answered with an id, refused with a status, broken, or never answered. */
type Outcome =
  | { readonly kind: 'answered'; readonly id: string; readonly result: number }
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'reset'; readonly error: string }
  | { readonly kind: 'timedOut' };

/** A request that was not answered with 200. Its serial is the result it asked for. */
export type Failure = Exclude<Outcome, { kind: 'answered' }> & { readonly serial: number };

const TIMEOUT_MS = 30 * SECOND;

/** A client without a server waits this long before it asks again, as people do. */
const AWAY_MS = 20;

export interface LoadOptions {
  readonly connections: number;
  /** Where a new connection goes, as a balancer would send it: the port on the loopback address. */
  readonly target: () => number;
}

interface Reply {
  readonly outcome: Outcome;
  /** Whether the connection can be used again. */
  readonly reusable: boolean;
}

/**
 * Keep-alive clients that ask `POST /sum` as fast as they are answered. Every request sends numbers that sum to its
 * own serial, from 1 on, so that each stored result names its request. A client stays on its connection until the
 * server asks it to go (`Connection: close`) or the connection breaks; then it asks where to go next.
 */
export class Load {
  readonly #options: LoadOptions;
  readonly #answered = new Map<string, number>();
  readonly #failed: Failure[] = [];
  readonly #clients: Promise<void>[];
  #serial = 0;
  #stopped = false;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#clients = Array.from({ length: options.connections }, () => this.#client());
  }

  /** Requests that were sent. */
  get sent(): number {
    return this.#serial;
  }

  /** Results by the ids that were answered with 200. */
  get answered(): ReadonlyMap<string, number> {
    return this.#answered;
  }

  /** Requests that ended in anything but a 200. */
  get failed(): readonly Failure[] {
    return this.#failed;
  }

  /** Sends nothing more, and resolves when the last request has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }

  async #client(): Promise<void> {
    let agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let port = this.#options.target();
    while (!this.#stopped) {
      const serial = ++this.#serial;
      const { outcome, reusable } = await ask(agent, port, serial);
      if (outcome.kind === 'answered') this.#answered.set(outcome.id, outcome.result);
      else this.#failed.push({ ...outcome, serial });
      if (reusable) continue;
      agent.destroy();
      if (outcome.kind === 'reset') await delay(AWAY_MS);
      agent = new Agent({ keepAlive: true, maxSockets: 1 });
      port = this.#options.target();
    }
    agent.destroy();
  }
}

function ask(agent: Agent, port: number, serial: number): Promise<Reply> {
  const body = JSON.stringify({ numbers: [serial - 1, 1] });
  const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length };
  const options = {
    agent,
    port,
    host: '127.0.0.1',
    path: '/sum',
    method: 'POST',
    headers,
    timeout: TIMEOUT_MS,
  };
  return new Promise((resolve) => {
    const sending = request(options, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        const status = response.statusCode ?? 0;
        const reusable = response.headers.connection !== 'close';
        if (status !== 200) return resolve({ outcome: { kind: 'refused', status }, reusable });
        const { id, result } = JSON.parse(Buffer.concat(parts).toString()) as { id: string; result: number };
        return resolve({ outcome: { kind: 'answered', id, result }, reusable });
      });
      response.on('error', (error) =>
        resolve({ outcome: { kind: 'reset', error: error.message }, reusable: false }),
      );
    });
    sending.on('timeout', () => {
      resolve({ outcome: { kind: 'timedOut' }, reusable: false });
      sending.destroy();
    });
    sending.on('error', (error) =>
      resolve({ outcome: { kind: 'reset', error: error.message }, reusable: false }),
    );
    sending.end(body);
  });
}
