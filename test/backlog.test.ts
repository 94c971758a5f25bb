import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { Backlog } from '../src/drill/verdict/backlog.js';
import { openPostgres, openRedis } from '../src/drill/stores/open-stores.js';
import { Ledger } from '../src/shared/ledger.js';
import { Lines } from '../src/shared/lines.js';
import { JOB_NAME, QUEUE_NAME } from '../src/shared/operation-queue.js';
import { openLedger } from './ledger-database.js';
import { until } from './latch.js';

const chunk = (n: number) => ({ id: `i.${n}`, lines: Lines.of([`operation r=1 ${n + 1}`]) });

test('the ledger has all that the queue has only when it has each chunk of it', async () => {
  await using redis = await openRedis();
  await using server = await openPostgres();
  await using postgres = await openLedger(server);
  const ledger = new Ledger(postgres);
  const connection = new Redis(redis.url);
  const queue = new Queue(QUEUE_NAME, { connection, prefix: 'test' });
  const chunks = [0, 1, 2, 3, 4].map(chunk);
  for (const { id } of chunks) await queue.add(JOB_NAME, {}, { jobId: id });
  await using backlog = new Backlog({
    REDIS_URL: redis.url,
    DATABASE_URL: postgres.url,
    QUEUE_PREFIX: 'test',
  });
  for (const missing of chunks) {
    await postgres.sql`TRUNCATE chunks`;
    for (const other of chunks) if (other !== missing) await ledger.add(other, 60_000);
    expect(await backlog.ledgerHasAll(1_000), missing.id).toBe(false);
  }
  await ledger.add(chunk(4), 60_000);
  await until(() => backlog.ledgerHasAll(1_000));
  await queue.close();
  connection.disconnect();
});
