import { audit, type Audit } from '../../shared/audit/audit.js';
import { INFLUX_VARIABLES, LEDGER_VARIABLES, readVariables } from '../../shared/configuration.js';
import { Influx } from '../../shared/influx.js';
import { openLog } from '../../shared/log.js';
import { Postgres } from '../../shared/postgres.js';

/** What `tally audit` says of the stores in this environment, for so long back. */
export async function finalAudit(env: NodeJS.ProcessEnv, sinceMs: number): Promise<Audit> {
  const bucket = readVariables({ ...INFLUX_VARIABLES, ...LEDGER_VARIABLES }, env);
  using influx = new Influx(bucket);
  const log = openLog('silent', 'drill');
  await using postgres = new Postgres({
    url: bucket.DATABASE_URL,
    application: 'drill',
    log,
    connections: 2,
  });
  return await audit({ postgres, influx, bucket }, { sinceMs });
}
