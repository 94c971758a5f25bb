import { setTimeout as delay } from 'node:timers/promises';
import { createBucket } from '../shared/bucket.js';
import { INFLUX_VARIABLES, LEDGER_VARIABLES, readVariables } from '../shared/configuration.js';
import { SECOND } from '../shared/duration.js';
import { Influx } from '../shared/influx.js';
import { migrate } from './migrations.js';
import { openLedgerDatabase } from './ledger-database.js';
import { durationOption } from './options.js';
import type { Command } from './command.js';

export const setup: Command = {
  name: 'setup',
  summary: 'make what Tally needs in its stores; safe to repeat',
  help: `Makes the InfluxDB bucket (on 1.x and 3.x the database) if it is missing, and leaves it alone if it is there.
Brings the ledger's tables in Postgres up to date; old and new versions of Tally run beside each other on them.

Options:
  --wait D   keep trying for as long as this while InfluxDB or Postgres does not answer (default 0s)

Example:
  tally setup --wait 30s`,
  options: { wait: { type: 'string' } },
  async run(values, { env, print }) {
    const config = readVariables({ ...INFLUX_VARIABLES, ...LEDGER_VARIABLES }, env);
    const deadline = Date.now() + (durationOption('wait', values['wait']) ?? 0);
    using influx = new Influx(config);
    await using postgres = openLedgerDatabase(config);
    const [{ version }] = await Promise.all([
      answersBy(deadline, () => influx.server()),
      answersBy(deadline, () => postgres.ping()),
    ]);
    const created = await createBucket(influx, config);
    const migrated = await migrate(postgres.sql);
    const bucket = config.INFLUX_BUCKET;
    const text = [
      `InfluxDB ${version}: ${bucket} ${created ? 'made' : 'is there already'}`,
      `Postgres: the ledger ${migrated > 0 ? `made or brought up to date in ${migrated} steps` : 'is up to date already'}`,
    ];
    print(text.join('\n'), { influx: { version, bucket, created }, ledger: { migrated } });
    return 0;
  },
};

async function answersBy<T>(deadline: number, ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (Date.now() >= deadline) throw error;
      await delay(SECOND / 2);
    }
  }
}
