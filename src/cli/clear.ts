import { clearOperations } from '../shared/bucket.js';
import { INFLUX_VARIABLES, LEDGER_VARIABLES, readVariables } from '../shared/configuration.js';
import { countOperations, countUntil } from '../shared/counts.js';
import { Influx, type InfluxConfig } from '../shared/influx.js';
import type { Postgres } from '../shared/postgres.js';
import { clearLedger, pendingOperations, restore } from './clear-ledger.js';
import { UsageError, type Command, type Terminal } from './command.js';
import { openLedgerDatabase } from './ledger-database.js';

/** The last nanosecond that a store can name. */
const FOREVER = String(2n ** 63n - 2n);

export const clear: Command = {
  name: 'clear',
  summary: 'delete the operations that InfluxDB holds, and what the ledger has of them',
  help: `Deletes the operations in the bucket, nothing else in it, and what the ledger and its quarantine have of them, so that
nothing comes back. What is still on its way stays, as does what was accepted after it. Asks first.

Options:
  --yes   do not ask

Example:
  tally clear --yes`,
  options: { yes: { type: 'boolean' } },
  async run(values, { env, print, ask }) {
    const config = readVariables({ ...INFLUX_VARIABLES, ...LEDGER_VARIABLES }, env);
    using influx = new Influx(config);
    await using postgres = openLedgerDatabase(config);
    const counts = await countOperations(influx, { by: 'name' });
    const held = counts.reduce((sum, { count: n }) => sum + n, 0);
    if (
      !values['yes'] &&
      !(await confirmed(ask, `Delete ${held} operations from ${config.INFLUX_BUCKET}?`))
    ) {
      print('Nothing was deleted.', { cleared: 0 });
      return 1;
    }
    const { cleared, pending } = await clearStores({ influx, postgres, config });
    const stays = pending > 0 ? ` ${pending} are still on their way and stay.` : '';
    print(`${cleared} operations deleted from ${config.INFLUX_BUCKET}.${stays}`, { cleared, pending });
    return 0;
  },
};

async function confirmed(ask: Terminal['ask'], question: string): Promise<boolean> {
  const answer = await ask(`${question} [y/N] `);
  if (answer === undefined) throw new UsageError('there is no terminal to ask on; say --yes');
  return /^y(es)?$/i.test(answer.trim());
}

interface Stores {
  readonly influx: Influx;
  readonly postgres: Postgres;
  readonly config: InfluxConfig;
}

/**
 * Clears the stores, the ledger first: what it no longer has is nothing that the audit misses, should this end halfway,
 * and clearing again deletes the rest. Resolves with how many operations were deleted and how many are on their way.
 */
async function clearStores({
  influx,
  postgres,
  config,
}: Stores): Promise<{ cleared: number; pending: number }> {
  const { generation } = await influx.server();
  const all = generation === 3;
  if (all) await requireNonePending(postgres);
  const { until, pending } = await clearLedger(postgres);
  const cleared = await countUntil(influx, all ? FOREVER : until);
  await clearOperations(influx, config, all ? undefined : until);
  await restore(postgres, all ? FOREVER : until);
  return { cleared, pending };
}

async function requireNonePending(postgres: Postgres): Promise<void> {
  const pending = await pendingOperations(postgres);
  if (pending === 0) return;
  throw new Error(
    `InfluxDB 3.x deletes all operations or none, and ${pending} are still on their way; try again when they are logged`,
  );
}
