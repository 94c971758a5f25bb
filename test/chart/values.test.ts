import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { API_VARIABLES, WORKER_VARIABLES } from '../../src/shared/configuration.js';
import { CHART, helm } from './helm.js';
import { render } from './rendering.js';

interface Schema {
  readonly $ref?: string;
  readonly additionalProperties?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly $defs?: Readonly<Record<string, Schema>>;
}

const schema = JSON.parse(readFileSync(`${CHART}/values.schema.json`, 'utf8')) as Schema;
const defaults = parse(readFileSync(`${CHART}/values.yaml`, 'utf8')) as Record<string, unknown>;

beforeAll(() => helm(['version']), 20 * 60_000);

function propertiesOf({ $ref, properties, ...rest }: Schema): Schema {
  if ($ref === undefined) return properties ? { properties, ...rest } : rest;
  return schema.$defs?.[$ref.replace('#/$defs/', '')] ?? expect.fail(`the schema has no ${$ref}`);
}

/** Every object of the schema that has names of its own, as a path of names. */
function namedObjects(node: Schema, path: readonly string[] = []): (readonly string[])[] {
  const { properties } = propertiesOf(node);
  if (!properties) return [];
  return [
    path,
    ...Object.entries(properties).flatMap(([name, child]) => namedObjects(child, [...path, name])),
  ];
}

const nested = (path: readonly string[], value: unknown): unknown =>
  path.reduceRight((inner, name) => ({ [name]: inner }), value);

function merged(a: unknown, b: unknown): unknown {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return b;
  const result: Record<string, unknown> = { ...a };
  for (const [name, value] of Object.entries(b)) result[name] = merged(result[name], value);
  return result;
}

const said = (values: object): Promise<string> =>
  render({ values }).then(
    () => '',
    (error: Error) => error.message,
  );

describe('the schema of the values', () => {
  test('refuses a misspelt name at every level, and says where', async () => {
    const objects = namedObjects(schema);
    expect(objects.length).toBeGreaterThan(30);
    const misspelt = objects.reduce<unknown>((all, path) => merged(all, nested(path, { mispelt: 1 })), {});
    const refusal = await said(misspelt as object);
    for (const path of objects)
      expect(refusal).toContain(
        `at '${path.map((name) => `/${name}`).join('')}': additional properties 'mispelt'`,
      );
  });

  test('knows every value, and no other', () => {
    for (const path of namedObjects(schema)) {
      const at = <T>(root: T, step: (node: T, name: string) => T) => path.reduce(step, root);
      const { properties = {} } = propertiesOf(
        at(schema, (node, name) => propertiesOf(node).properties?.[name] ?? {}),
      );
      const value = at<unknown>(defaults, (node, name) => (node as Record<string, unknown>)[name]);
      // Helm's own, and the claims of a pod's resources, which nobody has by default.
      const known = Object.keys(properties).filter((name) => name !== 'global' && name !== 'claims');
      expect(Object.keys(value as object).sort(), path.join('.')).toEqual(known.sort());
    }
  });

  test.each([
    ['api', 'SHUTDOWN_DELAY', API_VARIABLES.SHUTDOWN_DELAY],
    ['api', 'SHUTDOWN_TIMEOUT', API_VARIABLES.SHUTDOWN_TIMEOUT],
    ['worker', 'BATCH_SIZE', WORKER_VARIABLES.BATCH_SIZE],
    ['worker', 'LEDGER_RETENTION', WORKER_VARIABLES.LEDGER_RETENTION],
  ] as const)('takes %s.settings.%s when the code does', async (process, name, variable) => {
    const texts =
      name === 'BATCH_SIZE' ? [0, 1, 10_000, 10_001] : ['5', '0s', '999ms', '1s', '1.5m', '2 s', '-1s'];
    for (const value of texts) {
      const refusal = await said({ [process]: { settings: { [name]: value } } });
      const valid = variable.safeParse(String(value)).success;
      if (valid) expect(refusal, String(value)).toBe('');
      else expect(refusal, String(value)).toContain(`'/${process}/settings/${name}'`);
    }
  });

  test('takes no latest, and no password that an address would have to escape', async () => {
    expect(await said({ image: { tag: 'latest' } })).toContain("at '/image/tag'");
    expect(await said({ redis: { image: 'redis:latest' } })).toContain("at '/redis/image'");
    expect(await said({ redis: { image: 'redis' } })).toContain("at '/redis/image'");
    expect(await said({ postgres: { password: 'a@b' } })).toContain("at '/postgres/password'");
  });
});

test('api and worker have the same values in the same order, as far as both have them', () => {
  const { api, worker } = defaults as Record<'api' | 'worker', object>;
  const [ours, theirs] = [Object.keys(api), Object.keys(worker)];
  expect(ours.filter((name) => theirs.includes(name))).toEqual(theirs);
});

test('the README has every value with its default, as values.yaml has it', async () => {
  const script = fileURLToPath(new URL('../../scripts/chart-readme.mjs', import.meta.url));
  await expect(promisify(execFile)(process.execPath, [script, '--check'])).resolves.toMatchObject({
    stderr: '',
  });
});

test.each([
  ['0ms', '1s', 16],
  ['1500ms', '5s', 22],
  ['1.5m', '20s', 125],
  ['2m', '1h', 3_735],
])('a pod that serves on for %s and drains for %s has %i s', async (delay, timeout, seconds) => {
  const rendering = await render({
    values: { api: { settings: { SHUTDOWN_DELAY: delay, SHUTDOWN_TIMEOUT: timeout } } },
  });
  const { spec } = rendering.get('Deployment', 'tally-api').spec?.template ?? {};
  expect(spec?.terminationGracePeriodSeconds).toBe(seconds);
});
