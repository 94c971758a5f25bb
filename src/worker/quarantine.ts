import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { withDeadline } from '../shared/deadline.js';
import { SECOND } from '../shared/duration.js';
import type { RefusedLine } from '../shared/ledger.js';
import type { Logger } from '../shared/log.js';
import { queueOptions } from '../shared/operation-queue.js';
import { closeRedis, openRedis } from '../shared/redis.js';
import type { LedgerLink } from './ledger-link.js';

const WAITING_ROOM = 'quarantine';

const DEADLINE_MS = SECOND;
const RETRY_MS = SECOND / 2;

/** Lines that move into the ledger in one statement. */
const MOVED_AT_ONCE = 100;

export interface QuarantineOptions {
  readonly url: string;
  readonly prefix: string;
  readonly link: LedgerLink;
  readonly log: Logger;
}

/**
 * Keeps lines that InfluxDB refuses for good, with the reason, until someone retries or drops them: in the ledger, and
 * while that is away in a queue in Redis that nobody consumes, from where they move into the ledger later.
 */
export class Quarantine implements AsyncDisposable {
  readonly #redis: Redis;
  readonly #waitingRoom: Queue<RefusedLine>;
  readonly #link: LedgerLink;
  readonly #log: Logger;

  constructor({ url, prefix, link, log }: QuarantineOptions) {
    this.#link = link;
    this.#log = log;
    this.#redis = openRedis(url, { commands: 'fail-fast', log });
    this.#waitingRoom = new Queue(WAITING_ROOM, { ...queueOptions(prefix), connection: this.#redis });
    this.#waitingRoom.on('error', () => undefined); // the connection has reported it already
  }

  /**
   * Resolves when the lines are kept, however long that takes. A line that is kept already is not kept twice.
   *
   * @throws when `signal` is aborted before.
   */
  async keep(lines: readonly RefusedLine[], signal?: AbortSignal): Promise<void> {
    while (!(await this.#link.tell((ledger) => ledger.quarantine(lines))) && !(await this.#wait(lines)))
      await delay(RETRY_MS, undefined, { signal });
    for (const line of lines) this.#log.error(line, 'a line was refused for good and is in quarantine');
  }

  /** Moves lines that wait in Redis into the ledger. Resolves with how many; rejects while Redis is away. */
  async moveIn(): Promise<number> {
    const jobs = await this.#within(() => this.#waitingRoom.getJobs('wait', 0, MOVED_AT_ONCE - 1, true));
    const lines = jobs.map(({ data }) => data);
    if (lines.length === 0 || !(await this.#link.tell((ledger) => ledger.quarantine(lines)))) return 0;
    await this.#within(() => Promise.all(jobs.map((job) => this.#waitingRoom.remove(job.id ?? ''))));
    return lines.length;
  }

  async #wait(lines: readonly RefusedLine[]): Promise<boolean> {
    const jobs = lines.map((data) => {
      const jobId = createHash('sha256').update(`${data.chunk}\n${data.line}`).digest('hex');
      return { name: 'line', data, opts: { jobId } };
    });
    return this.#within(() => this.#waitingRoom.addBulk(jobs)).then(
      () => true,
      () => false,
    );
  }

  /** BullMQ would wait for Redis, however long it is away. */
  #within<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#redis.status !== 'ready') return Promise.reject(new Error(`redis is ${this.#redis.status}`));
    return withDeadline(ask(), DEADLINE_MS, 'the quarantine in redis');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await withDeadline(this.#waitingRoom.close(), DEADLINE_MS, 'closing the quarantine').catch(
      () => undefined,
    );
    await closeRedis(this.#redis);
  }
}
