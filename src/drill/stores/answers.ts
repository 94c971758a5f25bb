import { Redis } from 'ioredis';
import postgres from 'postgres';
import { SECOND } from '../../shared/duration.js';

const PATIENCE_MS = SECOND;

/** Whether Redis takes commands: not while it still loads its data. */
export async function redisAnswers(url: string): Promise<boolean> {
  const redis = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: PATIENCE_MS,
    commandTimeout: PATIENCE_MS,
  });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return (await redis.ping()) === 'PONG';
  } finally {
    redis.disconnect();
  }
}

/** Whether Postgres takes queries for the database of `url`. */
export async function postgresAnswers(url: string): Promise<boolean> {
  await runSql(url, 'select 1');
  return true;
}

/** One statement on a connection of its own. */
export async function runSql(url: string, statement: string): Promise<void> {
  const sql = postgres(url, { max: 1, connect_timeout: PATIENCE_MS / SECOND, onnotice: () => undefined });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** Whether a `GET` is answered with 2xx. */
export async function httpAnswers(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) });
  await response.arrayBuffer();
  return response.ok;
}
