import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { SECOND } from '../shared/duration.js';
import { FailFastQueue } from '../shared/fail-fast-queue.js';
import type { RefusedLine } from '../shared/ledger.js';
import type { Logger } from '../shared/log.js';
import { queueBeside, type QueueAddress } from '../shared/queue-shards.js';
import type { LedgerLink } from './ledger-link.js';

const WAITING_ROOM = 'quarantine';

const RETRY_MS = SECOND / 2;

/** Lines that move into the ledger in one statement. */
const MOVED_AT_ONCE = 100;

export interface QuarantineOptions {
  readonly queue: QueueAddress;
  readonly link: LedgerLink;
  readonly log: Logger;
}

/**
 * Keeps lines that InfluxDB refuses for good, with the reason, until someone retries or drops them: in the ledger, and
 * while that is away in a queue in Redis that nobody consumes, from where they move into the ledger later.
 */
export class Quarantine implements AsyncDisposable {
  readonly #waitingRoom: FailFastQueue<RefusedLine>;
  readonly #link: LedgerLink;
  readonly #log: Logger;

  constructor({ queue, link, log }: QuarantineOptions) {
    this.#link = link;
    this.#log = log;
    this.#waitingRoom = new FailFastQueue({ ...queueBeside(queue, WAITING_ROOM), log });
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
    const { queue } = this.#waitingRoom;
    const jobs = await this.#waitingRoom.within(() => queue.getJobs('wait', 0, MOVED_AT_ONCE - 1, true));
    const lines = jobs.map(({ data }) => data);
    if (lines.length === 0 || !(await this.#link.tell((ledger) => ledger.quarantine(lines)))) return 0;
    await this.#waitingRoom.within(() => Promise.all(jobs.map(({ id = '' }) => queue.remove(id))));
    return lines.length;
  }

  async #wait(lines: readonly RefusedLine[]): Promise<boolean> {
    const jobs = lines.map((data) => {
      const jobId = createHash('sha256').update(`${data.chunk}\n${data.line}`).digest('hex');
      return { name: 'line', data, opts: { jobId } };
    });
    return this.#waitingRoom
      .within(() => this.#waitingRoom.queue.addBulk(jobs))
      .then(
        () => true,
        () => false,
      );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#waitingRoom[Symbol.asyncDispose]();
  }
}
