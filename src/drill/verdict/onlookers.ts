import type { Influx } from '../../shared/influx.js';
import { readOperations } from './verdict.js';

/** The live page and `tally watch` ask with such request ids. */
const OF_ONLOOKERS = `"request_id" =~ /^live-/`;

/** The ids of operations that whoever looks on has asked for, of those of which a condition in InfluxQL holds. */
export async function readOnlookers(influx: Influx, condition = 'time > 0'): Promise<ReadonlySet<string>> {
  const operations = await readOperations(influx, `${condition} AND ${OF_ONLOOKERS}`);
  return new Set(operations.map(({ id }) => id));
}
