/** How a client uses its connections; with streams, which HTTP/2 has, it has many requests on one at a time. */
export type ClientKind = 'busy' | 'idle' | 'fresh' | 'pipelined' | 'streams' | 'idle streams';

/** A request that was not answered with 200 and its own serial as the result. Times are milliseconds of the drill. */
export interface FailedRequest {
  /** The result it asked for. */
  readonly serial: number;
  readonly client: ClientKind;
  readonly kind: 'refused' | 'reset' | 'timedOut';
  /** The status it was refused with, or what was seen of the connection's end. */
  readonly reason: string;
  readonly sentMs: number;
  readonly endedMs: number;
  /** Where its connection led, if the balancer knows. */
  readonly endpoint: string | undefined;
  /** Requests that its connection had carried before. */
  readonly earlier: number;
  /** How long nothing had been on its connection. */
  readonly idleMs: number;
}

/** What became of every request of a drill. Serials count from 1; lists have serial n at n - 1. */
export class RequestRecord {
  /** Serials by the id they were answered with. */
  readonly acknowledged = new Map<string, number>();
  readonly failed: FailedRequest[] = [];
  readonly sentMs: number[] = [];
  /** How long until the end; `NaN` while it is on its way. */
  readonly tookMs: number[] = [];
  /** Answered with 200 and another result than asked for. */
  misanswered = 0;
  /** The time that all others count from. */
  readonly began = performance.now();
  readonly beganAt = Date.now();
  /** The request of serial n asks for this and n: results that nobody else asks for. */
  readonly base: number;

  constructor(base = 0) {
    this.base = base;
  }

  get nowMs(): number {
    return performance.now() - this.began;
  }

  get sent(): number {
    return this.sentMs.length;
  }

  get inFlight(): number {
    return this.sent - this.acknowledged.size - this.failed.length;
  }

  /** A request leaves now; its serial. */
  send(): number {
    this.sentMs.push(this.nowMs);
    return this.tookMs.push(NaN);
  }

  acknowledge(serial: number, id: string, result: number): void {
    this.#end(serial);
    this.acknowledged.set(id, serial);
    if (result !== serial) this.misanswered++;
  }

  fail(failure: Omit<FailedRequest, 'sentMs' | 'endedMs'>): void {
    const endedMs = this.#end(failure.serial);
    this.failed.push({ ...failure, sentMs: this.sentMs[failure.serial - 1] ?? 0, endedMs });
  }

  #end(serial: number): number {
    const now = this.nowMs;
    this.tookMs[serial - 1] = now - (this.sentMs[serial - 1] ?? now);
    return now;
  }
}
