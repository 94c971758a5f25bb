import { hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import { readConfig as readApi } from '../src/api/config.js';
import {
  API_VARIABLES,
  ConfigurationError,
  INFLUX_VARIABLES,
  readVariables,
  WORKER_VARIABLES,
} from '../src/shared/configuration.js';
import { parseDuration } from '../src/shared/duration.js';
import { readConfig as readWorker } from '../src/worker/config.js';

const REQUIRED = {
  REDIS_URL: 'redis://127.0.0.1:6379',
  DATABASE_URL: 'postgres://127.0.0.1/tally',
  INFLUX_URL: 'http://127.0.0.1:8086',
  INFLUX_BUCKET: 'tally',
};

/** The design's table of configuration; durations in milliseconds. */
const SHARED_DEFAULTS = {
  ...REQUIRED,
  HOST: '0.0.0.0',
  INFLUX_TOKEN: '',
  INFLUX_ORG: '',
  RELAY_AFTER: 90_000,
  INSTANCE: hostname(),
  LOG_LEVEL: 'info',
  QUEUE_SHARDS: 1,
  QUEUE_PREFIX: 'tally',
  OTEL_EXPORTER_OTLP_ENDPOINT: '',
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: '',
  OTEL_TRACES_SAMPLER: 'parentbased_always_on',
  OTEL_TRACES_SAMPLER_ARG: 1,
  OTEL_SDK_DISABLED: false,
};

const PROCESSES = [
  ['api', readApi],
  ['worker', readWorker],
] as const;

function faultsOf(read: (env: NodeJS.ProcessEnv) => unknown, env: NodeJS.ProcessEnv): readonly string[] {
  try {
    read(env);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults;
    throw error;
  }
  return [];
}

describe('the configuration', () => {
  test('of the API has the defaults of the design', () => {
    expect(readApi(REQUIRED)).toEqual({
      ...SHARED_DEFAULTS,
      PORT: 4000,
      ADMIN_PORT: 4001,
      SUM_DELAY: 0,
      SHUTDOWN_DELAY: 5_000,
      SHUTDOWN_TIMEOUT: 20_000,
      CHAOS_TOKEN: '',
      LIVE_PAGE: false,
      TLS_CERT_FILE: '',
      TLS_KEY_FILE: '',
    });
  });

  test('of the worker has the defaults of the design', () => {
    expect(readWorker(REQUIRED)).toEqual({
      ...SHARED_DEFAULTS,
      ADMIN_PORT: 4002,
      SHUTDOWN_TIMEOUT: 20_000,
      BATCH_SIZE: 500,
      BATCH_INTERVAL: 30_000,
      LEDGER_RETENTION: 604_800_000,
    });
  });

  test.each(PROCESSES)('of the %s takes an empty value for none, as compose files write it', (_, read) => {
    const empty = Object.fromEntries(
      Object.keys({ ...API_VARIABLES, ...WORKER_VARIABLES }).map((name) => [name, '']),
    );
    expect(read({ ...empty, ...REQUIRED })).toEqual(read(REQUIRED));
    expect(faultsOf(read, empty)).toEqual(faultsOf(read, {}));
  });

  test.each(PROCESSES)('of the %s is frozen, and holds nothing else of the environment', (_, read) => {
    const config = read({ ...REQUIRED, PATH: '/bin', AWS_SECRET_ACCESS_KEY: 'secret' });
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.keys(config)).toEqual(expect.not.arrayContaining(['PATH', 'AWS_SECRET_ACCESS_KEY']));
  });

  test('says in what units it is, whatever the units it was given in', () => {
    const { SHUTDOWN_DELAY, SHUTDOWN_TIMEOUT, SUM_DELAY, RELAY_AFTER } = readApi({
      ...REQUIRED,
      SUM_DELAY: '100ms',
      SHUTDOWN_DELAY: '1.5s',
      SHUTDOWN_TIMEOUT: '2m',
      RELAY_AFTER: '1h',
    });
    expect([SUM_DELAY, SHUTDOWN_DELAY, SHUTDOWN_TIMEOUT, RELAY_AFTER]).toEqual([
      100, 1_500, 120_000, 3_600_000,
    ]);
  });
});

describe('a configuration with faults', () => {
  test.each(PROCESSES)('of the %s names every required variable that is missing, at once', (_, read) => {
    expect(faultsOf(read, {}).map((fault) => fault.split(':')[0])).toEqual(
      expect.arrayContaining(['REDIS_URL', 'DATABASE_URL', 'INFLUX_URL', 'INFLUX_BUCKET']),
    );
    expect(faultsOf(read, {})).toHaveLength(4);
    for (const fault of faultsOf(read, {})) expect(fault).toMatch(/^\w+: is required; expected ./);
  });

  test.each([
    ['PORT', '65536', 'a whole number from 0 to 65535'],
    ['PORT', '-1', 'a whole number from 0 to 65535'],
    ['PORT', '4e3', 'a whole number from 0 to 65535'],
    ['ADMIN_PORT', '80.5', 'a whole number from 0 to 65535'],
    ['SUM_DELAY', '100', 'a duration with its unit, such as 500ms, 30s or 7d, of at most 24d'],
    ['SUM_DELAY', '-1s', 'a duration with its unit, such as 500ms, 30s or 7d, of at most 24d'],
    ['SHUTDOWN_DELAY', '5 s', 'a duration with its unit, such as 500ms, 30s or 7d, of at most 24d'],
    [
      'SHUTDOWN_TIMEOUT',
      '0s',
      'a duration with its unit, such as 500ms, 30s or 7d, of at least 1000ms and at most 24d',
    ],
    ['RELAY_AFTER', '1w', 'a duration with its unit, such as 500ms, 30s or 7d, of at least 1000ms'],
    ['LOG_LEVEL', 'loud', 'one of fatal, error, warn, info, debug, trace, silent'],
    [
      'OTEL_TRACES_SAMPLER',
      'sometimes',
      'one of always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio',
    ],
    ['OTEL_TRACES_SAMPLER_ARG', '1.1', 'a number from 0 to 1'],
    ['OTEL_TRACES_SAMPLER_ARG', '1%', 'a number from 0 to 1'],
    ['OTEL_SDK_DISABLED', 'yes', 'true or false'],
  ])('%s=%s names the variable, what was wrong and what is expected', (name, value, expected) => {
    expect(faultsOf(readApi, { ...REQUIRED, [name]: value })).toEqual([
      `${name}: ${JSON.stringify(value)} is not valid; expected ${expected}`,
    ]);
  });

  test.each([
    ['BATCH_SIZE', '0', 'a whole number from 1 to 10000'],
    ['BATCH_SIZE', '10001', 'a whole number from 1 to 10000'],
    [
      'BATCH_INTERVAL',
      '0ms',
      'a duration with its unit, such as 500ms, 30s or 7d, of at least 1ms and at most 24d',
    ],
    ['LEDGER_RETENTION', 'forever', 'a duration with its unit, such as 500ms, 30s or 7d, of at least 1000ms'],
  ])('%s=%s of the worker does so as well', (name, value, expected) => {
    expect(faultsOf(readWorker, { ...REQUIRED, [name]: value })).toEqual([
      `${name}: ${JSON.stringify(value)} is not valid; expected ${expected}`,
    ]);
  });

  test.each([
    ['SUM_DELAY', readApi],
    ['SHUTDOWN_DELAY', readApi],
    ['SHUTDOWN_TIMEOUT', readApi],
    ['SHUTDOWN_TIMEOUT', readWorker],
    ['BATCH_INTERVAL', readWorker],
  ] as const)('is one with a %s longer than a timer can wait, which would ring at once', (name, read) => {
    expect(faultsOf(read, { ...REQUIRED, [name]: '1h' })).toEqual([]);
    expect(faultsOf(read, { ...REQUIRED, [name]: '25d' })).toEqual([
      expect.stringMatching(`^${name}: "25d" is`),
    ]);
  });

  test('says all of them in one message that can be printed as it is', () => {
    const error = new ConfigurationError(
      faultsOf(readApi, { ...REQUIRED, REDIS_URL: 'http://x', PORT: 'x', SUM_DELAY: 'y', LOG_LEVEL: 'z' }),
    );
    const lines = error.message.split('\n');
    expect(lines[0]).toBe('The configuration has 4 faults:');
    expect(lines.slice(1).map((line) => /^ {2}(\w+): /.exec(line)?.[1])).toEqual(
      expect.arrayContaining(['REDIS_URL', 'PORT', 'SUM_DELAY', 'LOG_LEVEL']),
    );
    expect(lines).toHaveLength(5);
    expect(error.code).toBe('CONFIGURATION');
  });

  test.each([
    ['REDIS_URL', 'redi://me:hunter2@host', 'redis:// or rediss://'],
    ['REDIS_URL', 'me:hunter2@host:6379', 'redis:// or rediss://'],
    ['DATABASE_URL', 'mysql://me:hunter2@host/tally', 'postgres:// or postgresql://'],
    ['DATABASE_URL', 'postgres://me:hunter2@host:port/tally', 'postgres:// or postgresql://'],
    ['INFLUX_URL', 'influx://me:hunter2@host', 'http:// or https://'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'hunter2:4317', 'http:// or https://'],
    ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'grpc://me:hunter2@host', 'http:// or https://'],
    ['CHAOS_TOKEN', 'hunter2', 'at least 16 characters'],
    ['CHAOS_TOKEN', 'hunter2 with spaces', 'at least 16 characters'],
  ])('never shows the value of %s, which may be a secret: %s', (name, value, expected) => {
    const [fault, ...others] = faultsOf(readApi, { ...REQUIRED, INFLUX_TOKEN: 'hunter2', [name]: value });
    expect(others).toEqual([]);
    expect(fault).toMatch(new RegExp(`^${name}: its value \\(not shown\\) is not valid; expected `));
    expect(fault).toContain(expected);
    expect(fault).not.toContain('hunter2');
  });

  test.each([
    ['TLS_CERT_FILE', 'TLS_KEY_FILE'],
    ['TLS_KEY_FILE', 'TLS_CERT_FILE'],
  ])('is one with a %s alone, among all others', (given, missing) => {
    const fault = `${missing}: is required with ${given}; expected both or neither`;
    expect(faultsOf(readApi, { ...REQUIRED, [given]: '/tls/file' })).toEqual([fault]);
    expect(faultsOf(readApi, { ...REQUIRED, [given]: '/tls/file', PORT: 'x' })).toEqual([
      expect.stringMatching(/^PORT: /),
      fault,
    ]);
    expect(faultsOf(readApi, { ...REQUIRED, [given]: '/tls/file', [missing]: '/tls/other' })).toEqual([]);
  });

  test.each(['on', '1', 'TRUE', 'constructor'])('is a flag that is neither true nor false: %s', (value) => {
    const fault = `LIVE_PAGE: "${value}" is not valid; expected true or false`;
    expect(faultsOf(readApi, { ...REQUIRED, LIVE_PAGE: value })).toEqual([fault]);
    expect(readApi({ ...REQUIRED, LIVE_PAGE: 'true' }).LIVE_PAGE).toBe(true);
  });

  test.each([
    ['redis+cluster://me:hunter2@a:7000,b:7001', undefined],
    ['rediss+cluster://a,b,[::1]:7002', undefined],
    ['redis+sentinel://me:hunter2@a,b:26380/mymaster/3?sentinel_password=hunter2', undefined],
    ['redis://me:hunter2@a:7000,b:7001', 'several nodes need redis+cluster:// or redis+sentinel://'],
    ['redis+cluster://hunter2:port,b', 'a node is not host:port'],
    ['redis+cluster://a:7000,,hunter2', 'a node has no host'],
    ['redis+cluster://me:hunter2@hunter2@a:7000', 'an @, / or ? in user or password must be percent-encoded'],
    ['redis+cluster://me:hunter2%@a:7000', 'user or password has a % that is not %25'],
    ['redis+cluster://me:hunter2@a:7000/1', 'a cluster has no databases: no path may follow the nodes'],
    ['redis+cluster://a:7000?password=hunter2', 'it takes no parameters'],
    ['redis+sentinel://me:hunter2@a', "the master's name must follow the sentinels, as in /mymaster"],
    [
      'redis+sentinel://a/mymaster/hunter2',
      "only the number of a database may follow the master's name, as in /mymaster/0",
    ],
    [
      'redis+sentinel://a/mymaster?password=hunter2',
      'its only parameters are sentinel_username and sentinel_password',
    ],
  ])(
    'takes clusters and sentinels of Redis, and says what is wrong with an address of theirs: %s',
    (url, fault) => {
      const faults = faultsOf(readApi, { ...REQUIRED, REDIS_URL: url });
      if (fault === undefined) return expect(faults).toEqual([]);
      const [only, ...others] = faults;
      expect(others).toEqual([]);
      expect(only).toContain(
        `REDIS_URL: its value (not shown) is not valid: ${fault}; expected an address that begins`,
      );
      expect(only).not.toContain('hunter2');
      return undefined;
    },
  );

  test.each(['0', '17', '1.5', 'many'])('has from 1 to 16 shards: %s', (shards) => {
    expect(faultsOf(readWorker, { ...REQUIRED, QUEUE_SHARDS: shards })).toEqual([
      `QUEUE_SHARDS: ${JSON.stringify(shards)} is not valid; expected a whole number from 1 to 16`,
    ]);
  });

  test('of a command is asked for only what the command needs', () => {
    expect(faultsOf((env) => readVariables(INFLUX_VARIABLES, env), {})).toEqual([
      expect.stringMatching(/^INFLUX_URL: is required/),
      expect.stringMatching(/^INFLUX_BUCKET: is required/),
    ]);
  });
});

test.each([
  ['500ms', 500],
  ['30s', 30_000],
  ['5m', 300_000],
  ['1h', 3_600_000],
  ['7d', 604_800_000],
  ['0ms', 0],
  ['1.5s', 1_500],
  ['500', undefined],
  ['', undefined],
  ['-1s', undefined],
  ['1e3ms', undefined],
  ['.5s', undefined],
  ['5S', undefined],
  [' 5s', undefined],
  ['5s\n', undefined],
  ['Infinitys', undefined],
])('the duration %j is %s ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});
