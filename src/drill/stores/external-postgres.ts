import { runSql } from './answers.js';
import { ExternalStore } from './external.js';
import { StoreError, type Store } from './store.js';

/**
 * The Postgres of `DATABASE_URL`, in a database of our own that disposing drops.
 *
 * @throws {StoreError} `START` when it does not answer or its user may not create databases.
 */
export async function externalPostgres(url: string, suffix: string): Promise<Store> {
  const database = `tally_demo_${suffix}`;
  await runSql(url, `create database ${database}`).catch((cause: unknown) => {
    const reason = (cause as Error).message;
    throw new StoreError('START', `the Postgres of DATABASE_URL gives us no database of our own: ${reason}`, {
      cause,
    });
  });
  const own = new URL(url);
  own.pathname = `/${database}`;
  return new ExternalStore({
    name: 'postgres',
    origin: 'DATABASE_URL',
    url: own.href,
    environment: { DATABASE_URL: own.href },
    cleanUp: () => runSql(url, `drop database if exists ${database} with (force)`),
  });
}
