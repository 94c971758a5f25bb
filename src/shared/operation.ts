import { randomBytes } from 'node:crypto';

/** The measurement that every operation is a point of. */
export const MEASUREMENT = 'operation';

/** Lines in a chunk, and in a batch: 1 to 500. */
export const MAX_LINES = 500;

/** The last nanosecond that 64 bits hold. */
const LAST_AT = 2n ** 63n - 1n;

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

/** What an id looks like: nanoseconds, a hyphen, an instance. */
export const OPERATION_ID = /^(0|[1-9]\d{0,18})-([A-Za-z0-9_-]+)$/;

/** What an id leads to, or `undefined` when {@link operationId} makes no such id. */
export function readOperationId(id: string): Pick<Operation, 'at' | 'instance'> | undefined {
  const [, at, instance] = OPERATION_ID.exec(id) ?? [];
  if (at === undefined || instance === undefined || BigInt(at) > LAST_AT) return undefined;
  return { at, instance };
}

/** The operation as one line of InfluxDB line protocol, made once and carried unchanged to the end. */
export function toLine(operation: Operation): string {
  const { at, instance, name, numbers, result, requestId } = operation;
  const request = requestId === undefined ? '' : `,request_id="${escapeString(requestId)}"`;
  return `${MEASUREMENT},instance=${escapeTag(instance)},name=${escapeTag(name)} numbers=${numbers}i,result=${result}${request} ${at}`;
}

/** A tag's value up to the first character that ends it, which is one without a backslash before it. */
const TAG = String.raw`((?:[^,= ]|(?<=\\)[,= ])+)(?<!\\)`;

const LINE = new RegExp(
  String.raw`^${MEASUREMENT},instance=${TAG},name=${TAG} numbers=(\d+)i,result=([^, ]+)(?:,request_id="([^]*)")? (\d{1,19})$`,
);

/** The operation in a line, or `undefined` for any text that is not a line of {@link toLine} to the letter. */
export function fromLine(line: string): Operation | undefined {
  const [, instance, name, numbers, result, requestId, at] = LINE.exec(line) ?? [];
  if (instance === undefined || name === undefined || at === undefined) return undefined;
  const operation = {
    at,
    instance: unescapeTag(instance),
    name: unescapeTag(name),
    numbers: Number(numbers),
    result: Number(result),
    ...(requestId !== undefined && { requestId: unescapeString(requestId) }),
  };
  return Number.isFinite(operation.result) && toLine(operation) === line ? operation : undefined;
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

function unescapeTag(value: string): string {
  return value.replace(/\\([,= ])/g, '$1');
}

function unescapeString(value: string): string {
  return value.replace(/\\(["\\])/g, '$1');
}
