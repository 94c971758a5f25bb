import { SECOND } from '../../shared/duration.js';
import { pathOf, targetOf } from '../../drill/clients/address.js';
import { HttpConnection, type Reply } from '../../drill/clients/http-connection.js';
import { readReply, SUM_BODY, type Read } from './answers.js';
import type { Lane } from './lanes.js';

/** By which a drill tells what the watch asks for from what itself does. */
const REQUEST_ID = 'live-watch';

/** An ask without an answer has failed by then. */
export const TIMEOUT_MS = 5 * SECOND;

/** A turn that comes so late says that this process stood still: it was suspended, or had no processor. */
const PAUSE_MS = SECOND / 2;

/** Told of every ask; times are milliseconds of the watch. */
export interface Listener<L extends Lane> {
  /** It is this lane's turn; `asked`: false where the kept connection still waits for the answer before. */
  turn(lane: L, turn: number, asked: boolean, ms: number): void;
  /** `tookMs` is missing when the asking paused meanwhile. */
  ended(lane: L, turn: number, read: Read, ms: number, tookMs: number | undefined): void;
  /** The asking stood still: nobody knows how long an answer has waited to be read. */
  paused(fromMs: number, toMs: number): void;
}

export interface AskingOptions<L extends Lane> {
  readonly url: URL;
  readonly insecure: boolean;
  /** How often each lane has its turn. */
  readonly everyMs: number;
  readonly lanes: readonly L[];
  readonly listener: Listener<L>;
}

/**
 * Asks from outside: in each lane at even distances, the lanes one after the other. New connections are made however many
 * still wait for an answer; on the kept one there is one ask at a time. It is left for another when the server asks for
 * that, closes it, or may be about to (`Keep-Alive: timeout`). Nothing is sent twice.
 */
export class Asking<L extends Lane> {
  readonly #options: AskingOptions<L>;
  readonly #began = performance.now();
  readonly #underWay = new Set<Promise<void>>();
  readonly #kept = new Map<L, HttpConnection>();
  readonly #waiting = new Set<L>();
  #timer: NodeJS.Timeout | undefined;
  #steps = 0;
  #pauses = 0;

  constructor(options: AskingOptions<L>) {
    this.#options = options;
  }

  get nowMs(): number {
    return performance.now() - this.#began;
  }

  start(): void {
    const dueMs = this.#steps * this.#stepMs;
    this.#timer = setTimeout(() => this.#step(dueMs), Math.max(0, dueMs - this.nowMs));
  }

  /** Asks nothing more, and resolves when what is on its way has ended. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await Promise.all(this.#underWay);
    for (const connection of this.#kept.values()) connection.close();
  }

  get #stepMs(): number {
    return this.#options.everyMs / this.#options.lanes.length;
  }

  #step(dueMs: number): void {
    const { lanes, listener } = this.#options;
    const now = this.nowMs;
    if (now - dueMs > PAUSE_MS) {
      this.#pauses++;
      listener.paused(dueMs, now);
      this.#steps = Math.ceil(now / this.#stepMs);
    } else {
      const lane = lanes[this.#steps % lanes.length];
      if (lane) this.#turn(lane, Math.floor(this.#steps / lanes.length));
      this.#steps++;
    }
    this.start();
  }

  #turn(lane: L, turn: number): void {
    const free = lane.connection === 'new' || !this.#waiting.has(lane);
    this.#options.listener.turn(lane, turn, free, this.nowMs);
    if (!free) return;
    const asking = this.#askInTurn(lane, turn);
    this.#underWay.add(asking);
    void asking.then(() => this.#underWay.delete(asking));
  }

  async #askInTurn(lane: L, turn: number): Promise<void> {
    const [began, pauses] = [this.nowMs, this.#pauses];
    this.#waiting.add(lane);
    const reply = await this.#ask(lane);
    this.#waiting.delete(lane);
    const now = this.nowMs;
    const tookMs = pauses === this.#pauses ? now - began : undefined;
    this.#options.listener.ended(lane, turn, readReply(lane.call, reply), now, tookMs);
  }

  async #ask(lane: L): Promise<Reply> {
    if (lane.connection === 'kept') return this.#send(lane, this.#keptConnection(lane), false);
    const connection = new HttpConnection(this.#target);
    const reply = await this.#send(lane, connection, true);
    connection.close();
    return reply;
  }

  #keptConnection(lane: L): HttpConnection {
    const kept = this.#kept.get(lane);
    if (kept?.fresh) return kept;
    kept?.close();
    const connection = new HttpConnection(this.#target);
    this.#kept.set(lane, connection);
    return connection;
  }

  #send({ call }: L, connection: HttpConnection, last: boolean): Promise<Reply> {
    const { url } = this.#options;
    const options = { last, timeoutMs: TIMEOUT_MS };
    if (call === 'GET /version') return connection.get(pathOf(url, '/version'), options);
    const named = { ...options, requestId: REQUEST_ID };
    return Promise.race(connection.post(pathOf(url, '/sum'), [SUM_BODY], named));
  }

  get #target() {
    return targetOf(this.#options.url, this.#options.insecure);
  }
}
