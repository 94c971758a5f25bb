import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { SECOND } from '../../shared/duration.js';
import { HttpConnection, type Reply, type Target } from './http-connection.js';
import { Http2Client } from './http2-client.js';
import type { Random } from './random.js';
import type { ClientKind, RequestRecord } from './record.js';

/** Where clients connect to, and which endpoint a connection from one of their ports went to. */
export interface Entrance extends Target {
  /** Without it, `/sum`. */
  readonly path?: string;
  /** Some of the clients speak HTTP/2. */
  readonly http2?: true;
  routeOf(clientPort: number | undefined): string | undefined;
}

export interface ClientsOptions {
  /** Where they connect to. */
  readonly balancer: Entrance;
  readonly record: RequestRecord;
  /** All of them together. */
  readonly connections: number;
  /** How long idle clients do nothing between two requests: at the least and at the most, in milliseconds. */
  readonly idleMs: readonly [number, number];
  readonly random: Random;
}

/** Of ten clients, in this order, so that few are of every kind. */
const KINDS: readonly ClientKind[] = [
  'busy',
  'idle',
  'fresh',
  'pipelined',
  'busy',
  'busy',
  'idle',
  'busy',
  'fresh',
  'busy',
];

const KINDS_WITH_HTTP2: readonly ClientKind[] = [
  'streams',
  'busy',
  'fresh',
  'idle streams',
  'pipelined',
  'streams',
  'idle',
  'busy',
  'streams',
  'fresh',
];

/** Requests that these clients send before they wait for the answers. */
const BURSTS: Partial<Record<ClientKind, readonly [least: number, most: number]>> = {
  pipelined: [2, 8],
  streams: [4, 16],
};

const TIMEOUT_MS = 30 * SECOND;

/** A client whose request failed waits this long, as people do. */
const AWAY_MS = 20;

/**
 * Clients of a Tally behind a balancer: busy ones on a connection kept alive; ones that are idle for long in between;
 * ones with a new connection for every request; and ones that send bursts of requests without waiting for the answers.
 * Every request sends numbers that sum to its own serial, so that each stored result names its request. They leave a
 * connection that has been idle for as long as the server said it waits, as Node.js, Firefox and others do. Where there
 * is HTTP/2, some have many requests at a time as streams of one connection. Nothing is sent twice that a server may
 * have looked at: what fails, fails.
 */
export class Clients {
  readonly #options: ClientsOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[];

  constructor(options: ClientsOptions) {
    this.#options = options;
    setMaxListeners(0, this.#stop.signal); // every idle client is one
    const kinds = options.balancer.http2 ? KINDS_WITH_HTTP2 : KINDS;
    this.#running = Array.from({ length: options.connections }, (_, index) =>
      this.#run(kinds[index % kinds.length] ?? 'busy'),
    );
  }

  /** Sends nothing more, and resolves when the last request has ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  async #run(kind: ClientKind): Promise<void> {
    const { signal } = this.#stop;
    const wait = (ms: number) => delay(ms, undefined, { signal }).catch(() => undefined);
    let line: Line | undefined;
    while (!signal.aborted) {
      if (kind === 'fresh' || !line?.connection.fresh) {
        line?.connection.close();
        line = new Line(this.#options, kind);
      }
      const burst = BURSTS[kind];
      const good = await line.send(burst ? this.#between(burst) : 1);
      if (!good) await wait(AWAY_MS);
      if (kind === 'idle' || kind === 'idle streams') await wait(this.#between(this.#options.idleMs));
    }
    line?.connection.close();
  }

  #between([least, most]: readonly [number, number]): number {
    return this.#options.random.between(least, most);
  }
}

/** Asks once on a connection of its own. Resolves with whether it was answered. */
export async function askOnce(options: Pick<ClientsOptions, 'balancer' | 'record'>): Promise<boolean> {
  return new Line(options, 'fresh').send(1);
}

/** A client's connection, and what the record wants to know of it. */
class Line {
  readonly connection: HttpConnection | Http2Client;
  readonly #options: Pick<ClientsOptions, 'balancer' | 'record'>;
  readonly #kind: ClientKind;
  #earlier = 0;
  #usedMs: number;

  constructor(options: Pick<ClientsOptions, 'balancer' | 'record'>, kind: ClientKind) {
    this.#options = options;
    this.#kind = kind;
    this.#usedMs = options.record.nowMs;
    const http2 = kind === 'streams' || kind === 'idle streams';
    this.connection = http2 ? new Http2Client(options.balancer) : new HttpConnection(options.balancer);
  }

  /** Sends so many requests at once. Resolves with whether each was answered with its result. */
  async send(count: number): Promise<boolean> {
    const { record, balancer } = this.#options;
    const idleMs = record.nowMs - this.#usedMs;
    const earlier = this.#earlier;
    this.#earlier += count;
    const serials = Array.from({ length: count }, () => record.send());
    const bodies = serials.map((serial) => JSON.stringify({ numbers: [record.base + serial - 1, 1] }));
    const last = this.#kind === 'fresh';
    const replies = this.connection.post(balancer.path ?? '/sum', bodies, { last, timeoutMs: TIMEOUT_MS });
    const good = await Promise.all(
      replies.map(async (reply, index) =>
        this.#note(serials[index] ?? 0, await reply, { earlier: earlier + index, idleMs }),
      ),
    );
    this.#usedMs = record.nowMs;
    return good.every(Boolean);
  }

  #note(serial: number, reply: Reply, about: { readonly earlier: number; readonly idleMs: number }): boolean {
    const { record, balancer } = this.#options;
    const { id, result } = readAnswer(reply);
    if (id !== undefined) {
      record.acknowledge(serial, id, result - record.base);
      return true;
    }
    const endpoint = balancer.routeOf(reply.localPort ?? this.connection.localPort);
    const common = { ...about, serial, client: this.#kind, endpoint };
    if (reply.kind === 'answered') record.fail({ ...common, kind: 'refused', reason: String(reply.status) });
    else if (reply.kind === 'broken') record.fail({ ...common, kind: 'reset', reason: reply.reason });
    else record.fail({ ...common, kind: 'timedOut', reason: `after ${TIMEOUT_MS / SECOND} s` });
    return false;
  }
}

function readAnswer(reply: Reply): { readonly id?: string; readonly result: number } {
  if (reply.kind !== 'answered' || reply.status !== 200) return { result: NaN };
  return JSON.parse(reply.body) as { id: string; result: number };
}
