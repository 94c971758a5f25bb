import { randomBytes } from 'node:crypto';

/** The measurement that every operation is a point of. */
export const MEASUREMENT = 'operation';

/** Lines in a chunk, and in a batch: 1 to 500. */
export const MAX_LINES = 500;

/** One answered calculation with its identity: `instance` and `at` name its point in InfluxDB, and never change. */
export interface Operation {
  /** Unix time in nanoseconds, decimal; strictly increasing within an instance. */
  readonly at: string;
  readonly instance: string;
  /** The calculation's name, so far always `sum`. */
  readonly name: string;
  /** How many numbers went in. */
  readonly numbers: number;
  readonly result: number;
  /** What the caller sent as `X-Request-Id`. */
  readonly requestId?: string | undefined;
}

/** `<at>-<instance>`: leads straight to the point, without an index. */
export function operationId({ at, instance }: Pick<Operation, 'at' | 'instance'>): string {
  return `${at}-${instance}`;
}

/** The operation as one line of InfluxDB line protocol, made once and carried unchanged to the end. */
export function toLine(operation: Operation): string {
  const { at, instance, name, numbers, result, requestId } = operation;
  const request = requestId === undefined ? '' : `,request_id="${escapeString(requestId)}"`;
  return `${MEASUREMENT},instance=${escapeTag(instance)},name=${escapeTag(name)} numbers=${numbers}i,result=${result}${request} ${at}`;
}

/**
 * Name of one process start: host name made safe, and 8 random characters, so that a restart within the same
 * nanosecond or after a clock step cannot meet its predecessor's points.
 */
export function newInstance(name: string): string {
  const safe = name.replace(/[^A-Za-z0-9_-]+/g, '-').replace(/^-+|-+$/g, '');
  const suffix = randomBytes(8).reduce((text, byte) => text + (byte % 36).toString(36), '');
  return `${safe.slice(0, 64) || 'tally'}-${suffix}`;
}

/** Hands out strictly increasing Unix nanoseconds, also while the wall clock stands still or goes backwards. */
export function monotonicNanoseconds(nowMs: () => number = Date.now): () => string {
  let last = 0n;
  return () => {
    const now = BigInt(Math.trunc(nowMs())) * 1_000_000n;
    last = now > last ? now : last + 1n;
    return last.toString();
  };
}

/*
 * Escaping as the line protocol reference has it; a line feed would end the line, so it becomes a space.
 * https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/#special-characters
 */
function escapeTag(value: string): string {
  return value
    .replace(/[\r\n]+/g, ' ')
    .replace(/[,= ]/g, String.raw`\$&`)
    .replace(/\\+$/, '');
}

function escapeString(value: string): string {
  return value.replace(/[\r\n]+/g, ' ').replace(/["\\]/g, String.raw`\$&`);
}
