import { INFLUX_VARIABLES, readVariables } from '../shared/configuration.js';
import { countOperations } from '../shared/counts.js';
import { Influx } from '../shared/influx.js';
import { UsageError, type Command } from './command.js';
import { durationOption } from './options.js';

export const count: Command = {
  name: 'count',
  summary: 'count the operations that InfluxDB holds',
  help: `Counts the operations that InfluxDB holds: after a deploy, exactly as many as were answered.

Options:
  --by name|instance   also count by the operation's name, or by the API process that answered
  --since D            only operations of the last D, such as 1h

Examples:
  tally count
  tally count --by instance --since 1h --json`,
  options: { by: { type: 'string' }, since: { type: 'string' } },
  async run(values, { env, print }) {
    const by = values['by'];
    if (by !== undefined && by !== 'name' && by !== 'instance') {
      throw new UsageError(`--by: "${String(by)}" is not a tag; expected name or instance`);
    }
    const sinceMs = durationOption('since', values['since']);
    using influx = new Influx(readVariables(INFLUX_VARIABLES, env));
    const counts = await countOperations(influx, { by: by ?? 'name', sinceMs });
    const total = counts.reduce((sum, { count: n }) => sum + n, 0);
    const rows = by ? counts.map(({ tag, count: n }) => `${String(n).padStart(12)}  ${tag}\n`).join('') : '';
    const data = by ? { total, by: counts.map(({ tag, count: n }) => ({ [by]: tag, count: n })) } : { total };
    print(by ? `${rows}${String(total).padStart(12)}  in total` : String(total), data);
    return 0;
  },
};
