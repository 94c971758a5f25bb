import { hostname } from 'node:os';
import { z } from 'zod';
import { DAY, parseDuration } from './duration.js';
import { LOG_LEVELS } from './log.js';
import { MAX_SHARDS } from './queue-shards.js';
import { parseRedisAddress, RedisAddressError } from './redis-address.js';

/** Every fault of the environment at once. `code` is `'CONFIGURATION'`; the message is made to be printed as it is. */
export class ConfigurationError extends Error {
  readonly code = 'CONFIGURATION';

  constructor(readonly faults: readonly string[]) {
    const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
    super(`The configuration has ${count}:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
    this.name = 'ConfigurationError';
  }
}

interface Reading<T> {
  /** What would be right, in words that complete "expected …". */
  readonly expected: string;
  /** What is wrong, when that can be said without showing the value. */
  readonly fault?: (text: string) => string | undefined;
  readonly parse: (text: string) => T | undefined;
  /** Keeps the value out of the message: it may hold a password. */
  readonly secret?: boolean;
}

/** A variable with a default (given as one would write it in the environment), or required when it has none. */
function variable<T>({ expected, parse, secret, fault }: Reading<T>, fallback?: string) {
  const text = z.string({ error: `is required; expected ${expected}` });
  return (fallback === undefined ? text : text.default(fallback)).transform((value, context) => {
    const parsed = parse(value);
    if (parsed !== undefined) return parsed;
    const seen = secret ? 'its value (not shown)' : JSON.stringify(value);
    const why = fault?.(value);
    const wrong = why === undefined ? 'is not valid' : `is not valid: ${why}`;
    context.addIssue({ code: 'custom', message: `${seen} ${wrong}; expected ${expected}` });
    return z.NEVER;
  });
}

const text = (expected: string, secret = false): Reading<string> => ({
  expected,
  secret,
  parse: (value) => value,
});

const address = (schemes: readonly string[]): Reading<string> => ({
  expected: `an address that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`,
  secret: true,
  parse: (value) =>
    URL.canParse(value) && schemes.includes(new URL(value).protocol.slice(0, -1)) ? value : undefined,
});

const optional = (reading: Reading<string>): Reading<string> => ({
  ...reading,
  parse: (value) => (value === '' ? value : reading.parse(value)),
});

/** Kept as it is written; {@link parseRedisAddress} reads it. */
const redisAddress: Reading<string> = {
  expected:
    'an address that begins with redis:// or rediss://, or with redis+cluster:// or redis+sentinel:// (rediss+… with TLS)',
  secret: true,
  parse: (value) => (redisFault(value) === '' ? value : undefined),
  fault: redisFault,
};

function redisFault(value: string): string | undefined {
  try {
    parseRedisAddress(value);
    return '';
  } catch (error) {
    if (error instanceof RedisAddressError) return error.fault;
    throw error;
  }
}

function bounds(leastMs: number, mostMs: number): string {
  const words = [leastMs > 0 && `at least ${leastMs}ms`, mostMs < Infinity && `at most ${mostMs / DAY}d`];
  const said = words.filter((word) => word !== false);
  return said.length > 0 ? `, of ${said.join(' and ')}` : '';
}

const duration = (leastMs = 0, mostMs = Infinity): Reading<number> => ({
  expected: `a duration with its unit, such as 500ms, 30s or 7d${bounds(leastMs, mostMs)}`,
  parse: (value) => {
    const ms = parseDuration(value);
    return ms !== undefined && ms >= leastMs && ms <= mostMs ? ms : undefined;
  },
});

/** What is waited for: a timer set for longer than 2^31 - 1 ms, 24.8 days, rings at once. */
const wait = (leastMs = 0) => duration(leastMs, 24 * DAY);

const whole = (least: number, most: number): Reading<number> => ({
  expected: `a whole number from ${least} to ${most}`,
  parse: (value) =>
    /^\d+$/.test(value) && Number(value) >= least && Number(value) <= most ? Number(value) : undefined,
});

const token = (leastCharacters: number): Reading<string> => ({
  expected: `nothing, or at least ${leastCharacters} characters of ASCII without spaces`,
  secret: true,
  parse: (value) =>
    value === '' || (value.length >= leastCharacters && /^[!-~]+$/.test(value)) ? value : undefined,
});

const oneOf = <T extends string>(choices: readonly T[]): Reading<T> => ({
  expected: `one of ${choices.join(', ')}`,
  parse: (value) => choices.find((choice) => choice === value),
});

const part: Reading<number> = {
  expected: 'a number from 0 to 1',
  parse: (value) => (/^(0|1|[01]?\.\d+)$/.test(value) && Number(value) <= 1 ? Number(value) : undefined),
};

/** Those that the SDK has; it takes every other word for the default. */
const SAMPLERS = [
  ...['always_on', 'always_off', 'traceidratio'],
  ...['parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio'],
] as const;

const flag: Reading<boolean> = {
  expected: 'true or false',
  parse: (value) => (value === 'true' || value === 'false' ? value === 'true' : undefined),
};

/** InfluxDB, as every process and command reaches it. */
export const INFLUX_VARIABLES = {
  INFLUX_URL: variable(address(['http', 'https'])),
  INFLUX_TOKEN: variable(text('a token; user:password on InfluxDB 1.x', true), ''),
  INFLUX_ORG: variable(text('the organization of InfluxDB 2.x'), ''),
  INFLUX_BUCKET: variable(text('the bucket; the database on InfluxDB 1.x')),
};

/** The ledger, as every process and command reaches it. */
export const LEDGER_VARIABLES = {
  DATABASE_URL: variable(address(['postgres', 'postgresql'])),
};

/** OpenTelemetry's own; here are those that say whether and how much is traced. */
const TRACING_VARIABLES = {
  OTEL_EXPORTER_OTLP_ENDPOINT: variable(optional(address(['http', 'https'])), ''),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: variable(optional(address(['http', 'https'])), ''),
  OTEL_TRACES_SAMPLER: variable(oneOf(SAMPLERS), 'parentbased_always_on'),
  OTEL_TRACES_SAMPLER_ARG: variable(part, '1'),
  OTEL_SDK_DISABLED: variable(flag, 'false'),
};

/** What the API and the worker both read. */
export const SHARED_VARIABLES = {
  ...INFLUX_VARIABLES,
  ...LEDGER_VARIABLES,
  ...TRACING_VARIABLES,
  HOST: variable(text('an address to listen on'), '0.0.0.0'),
  REDIS_URL: variable(redisAddress),
  QUEUE_PREFIX: variable(text('the prefix of all keys in Redis'), 'tally'),
  QUEUE_SHARDS: variable(whole(1, MAX_SHARDS), '1'),
  RELAY_AFTER: variable(duration(1_000), '90s'),
  INSTANCE: variable(text('the name part of the instance; random characters are added'), hostname()),
  LOG_LEVEL: variable(oneOf(LOG_LEVELS), 'info'),
};

export const API_VARIABLES = {
  ...SHARED_VARIABLES,
  PORT: variable(whole(0, 65_535), '4000'),
  ADMIN_PORT: variable(whole(0, 65_535), '4001'),
  SUM_DELAY: variable(wait(), '0ms'),
  SHUTDOWN_DELAY: variable(wait(), '5s'),
  SHUTDOWN_TIMEOUT: variable(wait(1_000), '20s'),
  CHAOS_TOKEN: variable(token(16), ''),
  LIVE_PAGE: variable(flag, 'false'),
  TLS_CERT_FILE: variable(text('the path of a certificate in PEM'), ''),
  TLS_KEY_FILE: variable(text("the path of the certificate's key in PEM"), ''),
};

/** Those that are of use together alone. */
export const API_PAIRS = [['TLS_CERT_FILE', 'TLS_KEY_FILE']] as const;

export const WORKER_VARIABLES = {
  ...SHARED_VARIABLES,
  ADMIN_PORT: variable(whole(0, 65_535), '4002'),
  SHUTDOWN_TIMEOUT: variable(wait(1_000), '20s'),
  BATCH_SIZE: variable(whole(1, 10_000), '500'),
  BATCH_INTERVAL: variable(wait(1), '30s'),
  LEDGER_RETENTION: variable(duration(1_000), '7d'),
};

type Variables = Record<string, z.ZodType>;

type Pairs = readonly (readonly [string, string])[];

/**
 * Reads the variables from the environment once. An empty value counts as not set, as compose files write it.
 *
 * @throws {ConfigurationError} with every fault, each naming its variable, what was wrong and what is expected.
 */
export function readVariables<V extends Variables>(
  variables: V,
  env: NodeJS.ProcessEnv,
  pairs: Pairs = [],
): Readonly<z.output<z.ZodObject<V>>> {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const read = z.object(variables).safeParse(given);
  const issues = read.error?.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`) ?? [];
  const faults = [...issues, ...halvesOf(pairs, given)];
  if (!read.success || faults.length > 0) throw new ConfigurationError(faults);
  return Object.freeze(read.data);
}

function halvesOf(pairs: Pairs, given: Readonly<Record<string, unknown>>): readonly string[] {
  return pairs.flatMap(([one, other]) => {
    if (one in given === other in given) return [];
    const [there, missing] = one in given ? [one, other] : [other, one];
    return `${missing}: is required with ${there}; expected both or neither`;
  });
}
