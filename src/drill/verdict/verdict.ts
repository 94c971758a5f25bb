import type { Influx, Series } from '../../shared/influx.js';
import { MEASUREMENT, operationId } from '../../shared/operation.js';

/** Operations by what the stores say of them; all but the first two must be 0. */
export interface Verdict {
  readonly acknowledged: number;
  readonly stored: number;
  /** Acknowledged and not stored. */
  readonly lost: number;
  /** Stored more than once: the same result under several ids. */
  readonly twice: number;
  /** Stored with another result than was answered. */
  readonly wrong: number;
}

/** An operation as InfluxDB holds it. */
export interface StoredOperation {
  readonly id: string;
  readonly result: number;
}

/** Holds what was acknowledged (results by id, each result asked for once) against what is stored. */
export function judgeOperations(
  acknowledged: ReadonlyMap<string, number>,
  stored: readonly StoredOperation[],
): Verdict {
  const results = new Map(stored.map(({ id, result }) => [id, result]));
  const distinct = new Set(results.values());
  const ids = [...acknowledged];
  return {
    acknowledged: ids.length,
    stored: stored.length,
    lost: ids.filter(([id]) => !results.has(id)).length,
    twice: stored.length - distinct.size,
    wrong: ids.filter(([id, result]) => results.has(id) && results.get(id) !== result).length,
  };
}

/** Points in one answer of InfluxDB, about 100 bytes each on the way. */
const PAGE = 50_000;

/** Every operation: for tests and drills, not for a production bucket. */
const ALL = 'time > 0';

/**
 * The operations that InfluxDB holds, or those of them of which a condition in InfluxQL holds.
 *
 * @throws {InfluxError} with what InfluxDB said.
 */
export async function readOperations(influx: Influx, condition = ALL): Promise<StoredOperation[]> {
  const counts = await countByInstance(influx, condition);
  if ([...counts.values()].reduce((sum, count) => sum + count, 0) <= PAGE)
    return toOperations(
      await influx.query(`SELECT "result" FROM "${MEASUREMENT}" WHERE ${condition} GROUP BY "instance"`),
    );
  const operations: StoredOperation[] = [];
  for (const instance of counts.keys()) {
    const tag = instance.replace(/[\\']/g, String.raw`\$&`);
    const from = `FROM "${MEASUREMENT}" WHERE "instance" = '${tag}' AND ${condition}`;
    for (let after = '0', full = true; full;) {
      const page = toOperations(
        await influx.query(
          `SELECT "result" ${from} AND time > ${after} GROUP BY "instance" ORDER BY time LIMIT ${PAGE}`,
        ),
      );
      for (const operation of page) operations.push(operation);
      after = page.at(-1)?.id.split('-')[0] ?? after;
      full = page.length === PAGE;
    }
  }
  return operations;
}

/** How many operations there are, or of how many a condition in InfluxQL holds, by instance. */
export async function countByInstance(influx: Influx, condition = ALL): Promise<ReadonlyMap<string, number>> {
  const from = `FROM "${MEASUREMENT}" WHERE ${condition} GROUP BY "instance"`;
  const series = await influx.query(`SELECT COUNT("result") ${from}`);
  return new Map(
    series.map(({ tags, columns, values }) => [
      tags?.['instance'] ?? '',
      Number(values?.[0]?.[columns.indexOf('count')] ?? 0),
    ]),
  );
}

function toOperations(series: readonly Series[]): StoredOperation[] {
  return series.flatMap(({ tags, values = [] }) =>
    values.map(([time, result]) => ({
      id: operationId({ at: toNanoseconds(String(time)), instance: tags?.['instance'] ?? '' }),
      result: Number(result),
    })),
  );
}

/** RFC 3339 with up to nine decimals, as InfluxQL writes it, as Unix nanoseconds: a double could not hold them. */
function toNanoseconds(time: string): string {
  const [seconds = '', fraction = ''] = time.replace('Z', '').split('.');
  return `${Date.parse(`${seconds}Z`) / 1_000}${fraction.padEnd(9, '0')}`;
}
