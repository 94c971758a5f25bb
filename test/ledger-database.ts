import { randomBytes } from 'node:crypto';
import { migrate } from '../src/cli/migrations.js';
import { runSql } from '../src/drill/stores/answers.js';
import type { Store } from '../src/drill/stores/store.js';
import { Postgres } from '../src/shared/postgres.js';
import { quiet } from './accepting-store.js';

/** A ledger of its own on a shared server: its tables are there and empty. */
export async function openLedger(server: Store): Promise<Postgres & { readonly url: string }> {
  const url = await emptyDatabase(server);
  const postgres = new Postgres({ url, application: 'test', log: quiet });
  await migrate(postgres.sql);
  return Object.assign(postgres, { url });
}

/** The address of a new database on a shared server. */
export async function emptyDatabase(server: Store): Promise<string> {
  const name = `ledger_${randomBytes(4).toString('hex')}`;
  await runSql(server.url, `create database ${name}`);
  const address = new URL(server.url);
  address.pathname = `/${name}`;
  return address.href;
}
