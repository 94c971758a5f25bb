import { openLog } from '../shared/log.js';
import { Postgres } from '../shared/postgres.js';

/** The ledger's database, as a command opens it: what goes wrong is the command's to say, not a log's. */
export function openLedgerDatabase({ DATABASE_URL }: { readonly DATABASE_URL: string }): Postgres {
  return new Postgres({
    url: DATABASE_URL,
    application: 'tally',
    log: openLog('silent', 'tally'),
    connections: 2,
  });
}
