import { createHash } from 'node:crypto';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { withDeadline } from '../shared/deadline.js';
import { SECOND } from '../shared/duration.js';
import type { Logger } from '../shared/log.js';
import { queueOptions } from '../shared/operation-queue.js';
import { closeRedis, openRedis } from '../shared/redis.js';

/** A line that InfluxDB refuses for good, kept with the reason until someone retries or drops it. */
export interface QuarantinedLine {
  readonly chunk: string;
  readonly line: string;
  /** What InfluxDB said. */
  readonly reason: string;
  /** The HTTP status it said it with; 0 when the line was never sent, because its job cannot be read. */
  readonly status: number;
  /** ISO 8601. */
  readonly refusedAt: string;
}

const QUARANTINE_QUEUE = 'quarantine';

/** Keeps refused lines durable, in a queue that nobody consumes. */
export class Quarantine implements AsyncDisposable {
  readonly #redis: Redis;
  readonly #queue: Queue<QuarantinedLine>;
  readonly #log: Logger;

  constructor({ url, prefix, log }: { url: string; prefix: string; log: Logger }) {
    this.#log = log;
    this.#redis = openRedis(url, { commands: 'wait', log });
    this.#queue = new Queue(QUARANTINE_QUEUE, { ...queueOptions(prefix), connection: this.#redis });
    this.#queue.on('error', () => undefined); // the connection has reported it already
  }

  /** Resolves when the lines are kept, however long that takes. A line that is kept already is not kept twice. */
  async keep(lines: readonly Omit<QuarantinedLine, 'refusedAt'>[]): Promise<void> {
    const refusedAt = new Date().toISOString();
    await this.#queue.addBulk(
      lines.map((line) => ({
        name: 'line',
        data: { ...line, refusedAt },
        opts: { jobId: createHash('sha256').update(line.line).digest('hex') },
      })),
    );
    for (const line of lines) this.#log.error(line, 'a line was refused for good and is in quarantine');
  }

  /** Lines in quarantine. */
  count(): Promise<number> {
    return this.#queue.count();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await withDeadline(this.#queue.close(), 2 * SECOND, 'closing the quarantine').catch(() => undefined);
    await closeRedis(this.#redis);
  }
}
