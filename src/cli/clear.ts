import { clearOperations } from '../shared/bucket.js';
import { INFLUX_VARIABLES, readVariables } from '../shared/configuration.js';
import { countOperations } from '../shared/counts.js';
import { Influx } from '../shared/influx.js';
import { UsageError, type Command } from './command.js';

export const clear: Command = {
  name: 'clear',
  summary: 'delete the operations that InfluxDB holds',
  help: `Deletes every operation in the bucket, and nothing else in it. Operations that are still in the queue are logged
afterwards as usual. Asks first.

Options:
  --yes   do not ask

Example:
  tally clear --yes`,
  options: { yes: { type: 'boolean' } },
  async run(values, { env, print, ask }) {
    const config = readVariables(INFLUX_VARIABLES, env);
    using influx = new Influx(config);
    const counts = await countOperations(influx, { by: 'name' });
    const cleared = counts.reduce((sum, { count: n }) => sum + n, 0);
    if (!values['yes']) {
      const answer = await ask(`Delete ${cleared} operations from ${config.INFLUX_BUCKET}? [y/N] `);
      if (answer === undefined) throw new UsageError('there is no terminal to ask on; say --yes');
      if (!/^y(es)?$/i.test(answer.trim())) {
        print('Nothing was deleted.', { cleared: 0 });
        return 1;
      }
    }
    await clearOperations(influx, config);
    print(`${cleared} operations deleted from ${config.INFLUX_BUCKET}.`, { cleared });
    return 0;
  },
};
