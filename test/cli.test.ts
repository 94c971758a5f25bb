import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { clear } from '../src/cli/clear.js';
import { openPostgres } from '../src/drill/stores/open-stores.js';
import type { Store as Server } from '../src/drill/stores/store.js';
import type { Chunk } from '../src/shared/chunk.js';
import { SECOND } from '../src/shared/duration.js';
import { Ledger } from '../src/shared/ledger.js';
import { Lines } from '../src/shared/lines.js';
import type { Postgres } from '../src/shared/postgres.js';
import { InfluxBucket, lineAt, openServer } from './influx-bucket.js';
import { emptyDatabase, openLedger } from './ledger-database.js';
import { StandIn } from './stand-in.js';

const MAIN = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

/** Runs `tally` with these words, and nobody at the terminal. */
async function tally(words: readonly string[], env: object = {}) {
  const child = spawn(process.execPath, [MAIN, ...words], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (data: Buffer) => (output.stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (output.stderr += data.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}

/** The same with `--json`: one document on standard output and nothing else. */
async function tallyJson(words: readonly string[], env: object) {
  const { stdout, ...rest } = await tally([...words, '--json'], env);
  return { ...rest, json: JSON.parse(stdout) as unknown };
}

let database: Server;
beforeAll(async () => {
  database = await openPostgres();
});
afterAll(() => database?.[Symbol.asyncDispose]());

describe.each(inject('influxGenerations'))('tally, on a real InfluxDB %s.x,', (generation) => {
  let server: Server;
  let bucket: InfluxBucket;
  let postgres: Postgres & { readonly url: string };
  beforeAll(async () => {
    server = await openServer(generation);
  });
  afterAll(() => server?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    bucket = new InfluxBucket(server);
    postgres = await openLedger(database);
  });
  afterEach(async () => {
    bucket[Symbol.dispose]();
    await postgres[Symbol.asyncDispose]();
  });

  const env = () => ({ ...bucket.config, DATABASE_URL: postgres.url });
  const name = () => bucket.config.INFLUX_BUCKET;
  async function writeThree() {
    await bucket.create();
    const hourAgo = String(BigInt(Date.now() - 3_600_000) * 1_000_000n);
    await bucket.write([
      lineAt(0, { instance: 'a', at: hourAgo }),
      lineAt(1, { instance: 'b' }),
      lineAt(2, { instance: 'b' }),
    ]);
  }

  test('setup makes the bucket and the ledger once, and says which server it is on', async () => {
    const { version } = await bucket.influx.server();
    const settings = { ...bucket.config, DATABASE_URL: await emptyDatabase(database) };
    expect(await tally(['setup'], settings)).toEqual({
      code: 0,
      stdout: `InfluxDB ${version}: ${name()} made\nPostgres: the ledger made or brought up to date in 2 steps\n`,
      stderr: '',
    });
    expect(await tallyJson(['setup'], settings)).toEqual({
      code: 0,
      json: { influx: { version, bucket: name(), created: false }, ledger: { migrated: 0 } },
      stderr: '',
    });
    expect((await tally(['setup'], settings)).stdout).toMatch(/is there already\n.*up to date already/);
  });

  test('count says how many there are, also by instance and since when', async () => {
    await writeThree();
    expect(await tally(['count'], bucket.config)).toEqual({ code: 0, stdout: '3\n', stderr: '' });
    expect(await tallyJson(['count'], bucket.config)).toMatchObject({
      code: 0,
      json: { total: 3 },
      stderr: '',
    });
    expect((await tallyJson(['count', '--by', 'name'], bucket.config)).json).toEqual({
      total: 3,
      by: [{ name: 'sum', count: 3 }],
    });
    expect((await tallyJson(['count', '--by', 'instance', '--since', '30m'], bucket.config)).json).toEqual({
      total: 2,
      by: [{ instance: 'b', count: 2 }],
    });
    const { stdout } = await tally(['count', '--by', 'instance'], bucket.config);
    expect(stdout.split('\n').map((line) => line.trim())).toEqual(['1  a', '2  b', '3  in total', '']);
  });

  test('count of a bucket that is empty is 0', async () => {
    await bucket.create();
    expect(await tally(['count'], bucket.config)).toMatchObject({ code: 0, stdout: '0\n' });
    expect((await tallyJson(['count', '--by', 'name'], bucket.config)).json).toEqual({ total: 0, by: [] });
  });

  test('count and clear of a bucket that is not there fail, and say so', async () => {
    for (const words of [['count'], ['clear', '--yes']]) {
      const { code, stdout, stderr } = await tally(words, env());
      expect([words, code, stdout]).toEqual([words, 1, '']);
      expect(stderr).toMatch(/^tally: .*(not found|could not find)/);
    }
  });

  test('clear deletes nothing when there is nobody to ask and no --yes', async () => {
    await writeThree();
    const { code, stdout, stderr } = await tally(['clear'], env());
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('--yes');
    expect(await bucket.count()).toBe(3);
  });

  test('clear asks how many to delete from where, and deletes on nothing but a yes', async () => {
    await writeThree();
    const asked: string[] = [];
    const answering = (answer: string) => ({
      env: env(),
      print: () => undefined,
      ask: async (question: string) => {
        asked.push(question);
        return answer;
      },
    });
    for (const answer of ['', 'n', 'no', 'yesterday', 'all'])
      expect(await clear.run({}, answering(answer))).toBe(1);
    expect(await bucket.count()).toBe(3);
    expect(asked[0]).toContain(`Delete 3 operations from ${name()}?`);
    expect(await clear.run({}, answering(' Yes '))).toBe(0);
    expect(await bucket.count()).toBe(0);
  });

  test('clear --yes deletes all operations, and says how many', async () => {
    await writeThree();
    expect(await tallyJson(['clear', '--yes'], env())).toEqual({
      code: 0,
      json: { cleared: 3, pending: 0 },
      stderr: '',
    });
    expect(await bucket.count()).toBe(0);
    expect((await tally(['clear', '--yes'], env())).stdout).toBe(`0 operations deleted from ${name()}.\n`);
  });

  /** Chunk `seq` with three operations, from `agoMs` ago. */
  function chunkOf(seq: number, agoMs: number, instance = 'i'): Chunk {
    const first = BigInt(Date.now() - agoMs) * 1_000_000n;
    const lines = [0n, 1n, 2n].map((n) => lineAt(0, { instance, at: String(first + n) }));
    return { id: `${instance}.${seq}`, lines: Lines.of(lines) };
  }

  async function audited(words: readonly string[] = []) {
    return tallyJson(['audit', ...words], env());
  }

  test('clear leaves the audit balanced: chunks on their way stay, and what is logged after them', async () => {
    await bucket.create();
    const ledger = new Ledger(postgres);
    const third = chunkOf(2, SECOND);
    const chunks = [chunkOf(0, 3 * SECOND), chunkOf(1, 2 * SECOND), chunkOf(3, 0)];
    await ledger.add(third, 90 * SECOND);
    await ledger.addLogged(chunks);
    await bucket.write(chunks.map(({ lines }) => lines.text));
    await ledger.quarantine([{ chunk: 'i.0', line: 'x', reason: 'no', status: 400 }]);
    expect(await tally(['clear', '--yes'], env())).toMatchObject({
      code: 0,
      stdout: `6 operations deleted from ${name()}. 3 are still on their way and stay.\n`,
    });
    expect(await bucket.count()).toBe(3);
    expect(await audited()).toMatchObject({
      code: 0,
      json: { accepted: 6, logged: 3, quarantined: 0, pending: 3, missing: 0, gaps: [], balanced: true },
    });
    await bucket.write([third.lines.text]);
    await ledger.markLogged([third.id]);
    expect(await audited()).toMatchObject({ code: 0, json: { accepted: 6, logged: 6 } });
    expect(await tally(['clear', '--yes'], env())).toMatchObject({
      code: 0,
      stdout: /^6 operations deleted/,
    });
    expect(await audited()).toMatchObject({ code: 0, json: { accepted: 0 } });
  });

  test('clear makes the audit reach back over what the ledger has forgotten', async () => {
    await bucket.create();
    const ledger = new Ledger(postgres);
    await ledger.addLogged([chunkOf(0, SECOND)]);
    await bucket.write([chunkOf(0, SECOND).lines.text]);
    await ledger.forget(-SECOND, 10);
    expect((await tally(['audit'], env())).code).toBe(2);
    await tally(['clear', '--yes'], env());
    expect(await audited()).toMatchObject({ code: 0, json: { balanced: true } });
  });

  test('clear sends a chunk again of which it deleted a part', async () => {
    await bucket.create();
    const ledger = new Ledger(postgres);
    const [before, across] = [chunkOf(0, 2 * SECOND, 'j'), chunkOf(0, SECOND)];
    const onItsWay = chunkOf(1, SECOND, 'j');
    const late = String(BigInt(across.lines.range?.firstAt ?? 0) + 1n);
    await ledger.add(onItsWay, 90 * SECOND);
    await postgres.sql`UPDATE chunks SET first_at = ${late}`;
    await ledger.addLogged([before, across]);
    await bucket.write([before.lines.text, across.lines.text]);
    expect(await tally(['clear', '--yes'], env())).toMatchObject({ code: 0 });
    expect(await bucket.count()).toBe(2);
    expect(await ledger.claim(10)).toEqual([{ id: across.id, operations: 3 }]);
  });
});

const rowsOf = async ({ sql }: Postgres) => (await sql`SELECT FROM chunks`).length;

const V3 = { status: 200, body: '{"version":"3.2.1"}' };

/** Commands that ask the stores, as nobody needs to be asked. */
const COMMANDS: [name: string, ...words: string[]][] = [['setup'], ['count'], ['audit'], ['clear', '--yes']];

describe('tally', () => {
  test.each([
    [['nonsense'], 'there is no command "nonsense"'],
    [['count', '--by', 'request_id'], '--by: "request_id" is not a tag; expected name or instance'],
    [['count', '--since', '1 hour'], '--since: "1 hour" is not a duration'],
    [['count', '--since'], "'--since <value>' argument missing"],
    [['count', '--nonsense'], "Unknown option '--nonsense'"],
    [['count', 'extra'], 'extra'],
    [['audit', '--since', '1 hour'], '--since: "1 hour" is not a duration'],
    [['setup', '--wait', '10'], '--wait: "10" is not a duration'],
  ])('%j is not understood: exit code 2, and why', async (words, reason) => {
    const env = {
      ...{ INFLUX_URL: 'http://127.0.0.1:1', INFLUX_BUCKET: 'b' },
      DATABASE_URL: 'postgres://127.0.0.1:1/b',
    };
    const { code, stdout, stderr } = await tally(words, env);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(reason);
    expect(stderr).toContain('--help');
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test.each(COMMANDS)('%s without its configuration fails with every fault of it', async (name, ...words) => {
    const { code, stdout, stderr } = await tally([name, ...words]);
    expect([code, stdout]).toEqual([name === 'audit' ? 2 : 1, '']);
    expect(stderr).toMatch(/INFLUX_URL: is required[^]*INFLUX_BUCKET: is required/);
    if (name !== 'count') expect(stderr).toContain('DATABASE_URL: is required');
  });

  test.each(COMMANDS)('%s --help shows how it is used, and exits with 0', async (name) => {
    for (const flag of ['--help', '-h']) {
      const { code, stdout, stderr } = await tally([name, flag]);
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(new RegExp(`^Usage: tally ${name}[^]*Example`));
    }
  });

  test('teaches its commands when it is not told any', async () => {
    for (const words of [[], ['--help'], ['help']]) {
      const { code, stdout } = await tally(words);
      expect(code).toBe(0);
      for (const word of ['setup', 'count', 'audit', 'clear', '--json', 'INFLUX_URL'])
        expect(stdout).toContain(word);
    }
    expect((await tally(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test.each(COMMANDS)(
    '%s fails at once while InfluxDB does not answer, and says so',
    async (name, ...words) => {
      const env = {
        ...{ INFLUX_URL: 'http://127.0.0.1:1', INFLUX_BUCKET: 'b', INFLUX_TOKEN: 'hunter2' },
        DATABASE_URL: await emptyDatabase(database),
      };
      const { code, stdout, stderr } = await tally([name, ...words], env);
      expect([code, stdout]).toEqual([name === 'audit' ? 2 : 1, '']);
      expect(stderr).toMatch(/^tally: (could not tell: )?InfluxDB does not answer: ./);
      expect(stderr).not.toContain('hunter2');
    },
  );

  test.each(COMMANDS.filter(([name]) => name !== 'count'))(
    '%s fails at once while Postgres does not answer, and says so',
    async (name, ...words) => {
      await using standIn = await StandIn.open(({ path }) =>
        path === '/query' ? { status: 200, body: '{"results":[{}]}' } : V3,
      );
      const env = {
        ...{ INFLUX_URL: standIn.url, INFLUX_BUCKET: 'b' },
        DATABASE_URL: 'postgres://me:hunter2@127.0.0.1:1/b',
      };
      const { code, stdout, stderr } = await tally([name, ...words], env);
      expect([code, stdout]).toEqual([name === 'audit' ? 2 : 1, '']);
      expect(stderr).toMatch(/^tally: .*ECONNREFUSED/);
      expect(stderr).not.toContain('hunter2');
    },
  );

  test.each(['audit', 'clear'])('%s says what makes the tables of the ledger', async (name) => {
    await using standIn = await StandIn.open(({ path }) =>
      path === '/query' ? { status: 200, body: '{"results":[{}]}' } : V3,
    );
    const env = { INFLUX_URL: standIn.url, INFLUX_BUCKET: 'b', DATABASE_URL: await emptyDatabase(database) };
    const { stderr } = await tally([name, ...(name === 'clear' ? ['--yes'] : [])], env);
    expect(stderr).toContain('tally setup');
  });

  test('clear on InfluxDB 3.x, which deletes all or nothing, waits for what is on its way', async () => {
    await using standIn = await StandIn.open(({ path }) =>
      path === '/query' ? { status: 200, body: '{"results":[{}]}' } : V3,
    );
    await using postgres = await openLedger(database);
    const ledger = new Ledger(postgres);
    const env = { INFLUX_URL: standIn.url, INFLUX_BUCKET: 'b', DATABASE_URL: postgres.url };
    await ledger.addLogged([{ id: 'i.0', lines: Lines.of([lineAt(0)]) }]);
    await ledger.add({ id: 'i.1', lines: Lines.of([lineAt(1)]) }, 90 * SECOND);
    expect(await tally(['clear', '--yes'], env)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('and 1 are still on their way') as string,
    });
    expect([standIn.askedFor('/api/v3/configure/table').length, await rowsOf(postgres)]).toEqual([0, 2]);
    await ledger.markLogged(['i.1']);
    expect(await tally(['clear', '--yes'], env)).toMatchObject({ code: 0 });
    expect([standIn.askedFor('/api/v3/configure/table').length, await rowsOf(postgres)]).toEqual([1, 0]);
  });

  test('setup --wait goes on asking until InfluxDB answers', async () => {
    let pings = 0;
    await using standIn = await StandIn.open(({ path }) => {
      if (path !== '/ping') return { status: 200 };
      return ++pings < 3 ? { status: 503 } : V3;
    });
    const env = { INFLUX_URL: standIn.url, INFLUX_BUCKET: 'b', DATABASE_URL: await emptyDatabase(database) };
    expect((await tally(['setup'], env)).code).toBe(1);
    expect(await tally(['setup', '--wait', '30s'], env)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^InfluxDB 3\.2\.1: b made\n/) as string,
    });
  });
});
