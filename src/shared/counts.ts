import type { Influx } from './influx.js';
import { MEASUREMENT } from './operation.js';

/** How many operations InfluxDB holds under one value of a tag. */
export interface TagCount {
  readonly tag: string;
  readonly count: number;
}

/** What to count: by which tag, and from how long ago on. */
export interface CountOptions {
  readonly by: 'name' | 'instance';
  readonly sinceMs?: number | undefined;
}

/** All that an instance logged from one time to another, both inclusive, in Unix nanoseconds. */
export interface InstanceRange {
  readonly instance: string;
  readonly firstAt: string;
  readonly lastAt: string;
}

/**
 * Counts the operations that InfluxDB holds, by a tag, ascending by its value. The counts come from InfluxDB itself.
 *
 * @throws {InfluxError} with what InfluxDB said.
 */
export async function countOperations(influx: Influx, { by, sinceMs }: CountOptions): Promise<TagCount[]> {
  const since = sinceMs === undefined ? '' : ` WHERE time >= now() - ${Math.round(sinceMs)}ms`;
  const series = await influx.query(`SELECT COUNT("result") FROM "${MEASUREMENT}"${since} GROUP BY "${by}"`);
  const counts = series.map(({ tags, columns, values }) => ({
    tag: tags?.[by] ?? '',
    count: Number(values?.[0]?.[columns.indexOf('count')] ?? 0),
  }));
  return counts.sort((a, b) => a.tag.localeCompare(b.tag));
}

/**
 * Counts the operations that InfluxDB holds of an instance, from one time to another.
 *
 * @throws {InfluxError} with what InfluxDB said.
 */
export function countRange(influx: Influx, { instance, firstAt, lastAt }: InstanceRange): Promise<number> {
  const tag = instance.replace(/[\\']/g, String.raw`\$&`);
  return countWhere(influx, `"instance" = '${tag}' AND time >= ${firstAt} AND time <= ${lastAt}`);
}

/**
 * Counts the operations that InfluxDB holds up to a time in Unix nanoseconds, inclusive.
 *
 * @throws {InfluxError} with what InfluxDB said.
 */
export function countUntil(influx: Influx, until: string): Promise<number> {
  return countWhere(influx, `time <= ${until}`);
}

async function countWhere(influx: Influx, condition: string): Promise<number> {
  const [series] = await influx.query(`SELECT COUNT("result") FROM "${MEASUREMENT}" WHERE ${condition}`);
  return Number(series?.values?.[0]?.[series.columns.indexOf('count')] ?? 0);
}
