import { setTimeout as delay } from 'node:timers/promises';
import { Cluster } from 'ioredis';
import { withDeadline } from '../../shared/deadline.js';
import { MINUTE, SECOND } from '../../shared/duration.js';
import { FailFastQueue } from '../../shared/fail-fast-queue.js';
import { openLog } from '../../shared/log.js';
import { shardOf } from '../../shared/queue-shards.js';
import { Postgres } from '../../shared/postgres.js';

/** Operations by how long they took from their acceptance to the mark that they are logged, in whole milliseconds. */
export type LogTimes = readonly { readonly ms: number; readonly operations: number }[];

/** How long all that was accepted may take to be logged: a killed worker's lease, its successor's lease, and time to write. */
export const LOGGED_MS = 3 * MINUTE;

const STATES = ['waiting', 'active', 'delayed', 'prioritized', 'completed', 'failed'] as const;

const ANSWER_MS = SECOND;
const LOOK_MS = 100;

/** What was accepted and is not logged yet, as queue and ledger say; both may be away. */
export class Backlog implements AsyncDisposable {
  readonly #postgres: Postgres;
  readonly #shards: readonly FailFastQueue<unknown>[];

  constructor(env: Readonly<Record<string, string>>) {
    const log = openLog('silent', 'drill');
    const url = env['DATABASE_URL'] ?? '';
    this.#postgres = new Postgres({ url, application: 'drill', log, connections: 2 });
    const queue = { url: env['REDIS_URL'] ?? '', prefix: env['QUEUE_PREFIX'] ?? 'tally' };
    this.#shards = Array.from(
      { length: Number(env['QUEUE_SHARDS'] ?? 1) },
      (_, shard) => new FailFastQueue({ ...shardOf(queue, shard), log }),
    );
  }

  /** Operations in the ledger that are not logged yet; `undefined` while it does not answer. */
  async unlogged(): Promise<number | undefined> {
    const { sql } = this.#postgres;
    const rows = await this.#ask(
      () => sql<[{ operations: number }]>`
      SELECT coalesce(sum(operations), 0)::integer AS operations FROM chunks WHERE logged_at IS NULL`,
    );
    return rows?.[0].operations;
  }

  /** Operations in the ledger; `undefined` while it does not answer. */
  async accepted(): Promise<number | undefined> {
    const { sql } = this.#postgres;
    const rows = await this.#ask(
      () => sql<[{ operations: number }]>`
      SELECT coalesce(sum(operations), 0)::integer AS operations FROM chunks`,
    );
    return rows?.[0].operations;
  }

  /** Resolves when all that was accepted until this Unix time is logged, and known to be; `false` when that takes too long. */
  async loggedUntil(unixMs: number, patienceMs: number, signal?: AbortSignal): Promise<boolean> {
    const until = String(BigInt(Math.trunc(unixMs)) * 1_000_000n);
    return this.#reached(patienceMs, signal, async () => {
      const { sql } = this.#postgres;
      const waiting = await this.#ask(
        () => sql`SELECT FROM chunks WHERE logged_at IS NULL AND first_at <= ${until} LIMIT 1`,
      );
      if (!waiting || waiting.length > 0) return false;
      return this.#ledgerKnows(await this.#queued());
    });
  }

  /** Resolves when the ledger has all that the queue has now; `false` when that takes too long. */
  async ledgerHasAll(patienceMs: number, signal?: AbortSignal): Promise<boolean> {
    let queued: readonly string[] | undefined;
    return this.#reached(patienceMs, signal, async () =>
      this.#ledgerKnows((queued ??= await this.#queued())),
    );
  }

  async flushRedis(): Promise<void> {
    const servers = this.#shards.flatMap(({ redis }) =>
      redis instanceof Cluster ? redis.nodes('master') : redis,
    );
    await Promise.all(servers.map((server) => server.flushall()));
  }

  /** Of all that the ledger has as logged, from the identity that an operation got to the mark. */
  async logTimes(): Promise<LogTimes> {
    return this.#postgres.sql<{ ms: number; operations: number }[]>`
      SELECT greatest(0, round(extract(epoch FROM logged_at) * 1000 - first_at / 1000000))::integer AS ms,
             sum(operations)::integer AS operations
      FROM chunks WHERE logged_at IS NOT NULL AND operations > 0 GROUP BY 1 ORDER BY 1`;
  }

  /** Ids of chunks in the queue, those included that it keeps for a ledger that was away. */
  async #queued(): Promise<readonly string[] | undefined> {
    const queues = this.#shards.map(({ queue }) => queue);
    const ids = await this.#ask(() =>
      Promise.all(queues.map((queue) => queue.getRanges([...STATES], 0, -1))),
    );
    return ids?.flat();
  }

  /** Chunks without a row are either just being written, or went to the queue alone. */
  async #ledgerKnows(queued: readonly string[] | undefined): Promise<boolean> {
    if (!queued) return false;
    const ids = [...new Set(queued)];
    const { sql } = this.#postgres;
    const known = await this.#ask(() => sql`SELECT FROM chunks WHERE id = ANY (${ids})`);
    if (known?.length === ids.length) return true;
    await delay(SECOND / 2); // the API's deadline: what was being written is there now
    const later = await this.#ask(() => sql`SELECT FROM chunks WHERE id = ANY (${ids})`);
    return later?.length === ids.length;
  }

  async #reached(
    patienceMs: number,
    signal: AbortSignal | undefined,
    holds: () => Promise<boolean>,
  ): Promise<boolean> {
    for (const deadline = Date.now() + patienceMs; Date.now() < deadline;) {
      if (await holds()) return true;
      await delay(LOOK_MS, undefined, signal ? { signal } : {});
    }
    return false;
  }

  async #ask<T>(question: () => PromiseLike<T>): Promise<T | undefined> {
    try {
      return await withDeadline(question(), ANSWER_MS, 'the backlog');
    } catch {
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#shards.map((shard) => shard[Symbol.asyncDispose]()));
    await this.#postgres[Symbol.asyncDispose]();
  }
}
