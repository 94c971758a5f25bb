import { readFile } from 'node:fs/promises';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readOperations } from '../../src/drill/verdict/verdict.js';
import { JOB_NAME, JOB_OPTIONS, QUEUE_NAME } from '../../src/shared/operation-queue.js';
import { until } from '../latch.js';
import { openServers, Scene, type Servers } from '../system/scene.js';
import { generations } from './options.js';

/** Chunks as a version wrote them: the fields of their jobs in Redis by id, and their rows in Postgres. */
interface Fixture {
  readonly jobs: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

const INSTANCE = 'old-version-k3x9w2ab';

async function fixture(): Promise<Fixture> {
  return JSON.parse(
    await readFile(new URL('fixtures/version-0.1.0.json', import.meta.url), 'utf8'),
  ) as Fixture;
}

describe.each(generations())('on InfluxDB %s.x the worker', (generation) => {
  let servers: Servers;
  let scene: Scene;
  let redis: Redis;
  let queue: Queue;
  beforeAll(async () => {
    servers = await openServers(generation);
  });
  afterAll(() => servers[Symbol.asyncDispose]());
  beforeEach(async () => {
    scene = await Scene.open(servers);
    redis = new Redis(scene.env['REDIS_URL'] ?? '', { maxRetriesPerRequest: null });
    queue = new Queue(QUEUE_NAME, { connection: redis, prefix: scene.env['QUEUE_PREFIX'] ?? '' });
    // As a newer version's migrations leave the tables, to whom this one is the old one.
    await scene.postgres.sql`ALTER TABLE chunks ADD COLUMN checksum text NOT NULL DEFAULT 'none'`;
    await scene.postgres.sql`ALTER TABLE quarantine ADD COLUMN seen_by text NOT NULL DEFAULT 'nobody'`;
  });
  afterEach(async () => {
    await scene[Symbol.asyncDispose]();
    await queue.close();
    redis.disconnect();
  });

  async function restore({ jobs, rows }: Fixture): Promise<void> {
    for (const row of rows)
      await scene.postgres.sql`
        INSERT INTO chunks (id, instance, seq, operations, first_at, last_at, lines, accepted_at, due_at)
        SELECT id, instance, seq, operations, first_at, last_at, lines, accepted_at, due_at
        FROM jsonb_populate_record(NULL::chunks, ${scene.postgres.sql.json(row as never)})`;
    for (const [id, fields] of Object.entries(jobs)) {
      await redis.hset(queue.toKey(id), fields);
      await redis.lpush(queue.toKey('wait'), id);
    }
    await redis.zadd(queue.toKey('marker'), 0, '0');
  }

  const unlogged = () => scene.postgres.sql`SELECT FROM chunks WHERE logged_at IS NULL`;

  async function settled(): Promise<void> {
    await until(async () => (await queue.count()) + (await queue.getActiveCount()) === 0);
    await until(async () => (await unlogged()).length === 0);
  }

  test('logs chunks that the version before left in the queue, in the ledger and in both', async () => {
    await restore(await fixture());
    await scene.worker();
    await settled();
    const stored = await readOperations(scene.influx);
    expect(stored.toSorted((one, other) => one.result - other.result)).toEqual([
      { id: `1735732861819000000-${INSTANCE}`, result: 1.5 },
      { id: `1735732861871000000-${INSTANCE}`, result: 2.5 },
      { id: `1735732861890000000-${INSTANCE}`, result: 3.5 },
      { id: `1735732861962000000-${INSTANCE}`, result: 42 },
    ]);
    const rows = await scene.postgres.sql`SELECT id, operations, checksum FROM chunks ORDER BY seq`;
    expect([...rows]).toEqual(
      [1, 2, 1].map((operations, n) => ({ id: `${INSTANCE}.${n}`, operations, checksum: 'none' })),
    );
  });

  test('logs what it can read of a newer version, and quarantines the rest; nothing is dropped', async () => {
    const line = (n: number) => `operation,instance=new,name=sum numbers=1i,result=${n} ${1e18 + n * 1e3}`;
    const add = (n: number, data: object) => queue.add(JOB_NAME, data, { ...JOB_OPTIONS, jobId: `new.${n}` });
    await add(0, { lines: line(0), checksum: 'x', parts: [1, 2] });
    await add(1, { version: 2, operations: [{ at: '1', result: 1 }] });
    await add(2, { lines: [line(2)] });
    const unreadable = `${line(3)}\n\n${line(4)}`;
    await scene.postgres.sql`
      INSERT INTO chunks (id, instance, seq, operations, first_at, last_at, lines, due_at)
      VALUES ('new.3', 'new', 3, 2, 0, 0, ${unreadable}, now())`;
    await scene.worker();
    await settled();
    expect((await readOperations(scene.influx)).map(({ result }) => result)).toEqual([0]);
    const kept = await scene.postgres.sql`
      SELECT chunk_id, line, status, seen_by FROM quarantine ORDER BY chunk_id`;
    const asItWas = (chunk: string, text: string) => ({
      chunk_id: chunk,
      line: text,
      status: 0,
      seen_by: 'nobody',
    });
    expect([...kept]).toEqual([
      asItWas('new.1', JSON.stringify({ version: 2, operations: [{ at: '1', result: 1 }] })),
      asItWas('new.2', JSON.stringify({ lines: [line(2)] })),
      asItWas('new.3', unreadable),
    ]);
  });
});
