import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { clear } from '../src/cli/clear.js';
import type { Store as Server } from '../src/drill/stores/store.js';
import { InfluxBucket, lineAt, openServer } from './influx-bucket.js';
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

describe.each(inject('influxGenerations'))('tally, on a real InfluxDB %s.x,', (generation) => {
  let server: Server;
  let bucket: InfluxBucket;
  beforeAll(async () => {
    server = await openServer(generation);
  });
  afterAll(() => server?.[Symbol.asyncDispose]());
  beforeEach(() => {
    bucket = new InfluxBucket(server);
  });
  afterEach(() => bucket[Symbol.dispose]());

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

  test('setup makes the bucket once, and says which server it is on', async () => {
    const { version } = await bucket.influx.server();
    expect(await tally(['setup'], bucket.config)).toEqual({
      code: 0,
      stdout: `InfluxDB ${version}: ${name()} made\n`,
      stderr: '',
    });
    expect(await tallyJson(['setup'], bucket.config)).toEqual({
      code: 0,
      json: { influx: { version, bucket: name(), created: false } },
      stderr: '',
    });
    expect((await tally(['setup'], bucket.config)).stdout).toContain('is there already');
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
      const { code, stdout, stderr } = await tally(words, bucket.config);
      expect([words, code, stdout]).toEqual([words, 1, '']);
      expect(stderr).toMatch(/^tally: .*(not found|could not find)/);
    }
  });

  test('clear deletes nothing when there is nobody to ask and no --yes', async () => {
    await writeThree();
    const { code, stdout, stderr } = await tally(['clear'], bucket.config);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('--yes');
    expect(await bucket.count()).toBe(3);
  });

  test('clear asks how many to delete from where, and deletes on nothing but a yes', async () => {
    await writeThree();
    const asked: string[] = [];
    const answering = (answer: string) => ({
      env: { ...bucket.config },
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
    expect(await tallyJson(['clear', '--yes'], bucket.config)).toEqual({
      code: 0,
      json: { cleared: 3 },
      stderr: '',
    });
    expect(await bucket.count()).toBe(0);
    expect((await tally(['clear', '--yes'], bucket.config)).stdout).toBe(
      `0 operations deleted from ${name()}.\n`,
    );
  });
});

describe('tally', () => {
  test.each([
    [['nonsense'], 'there is no command "nonsense"'],
    [['count', '--by', 'request_id'], '--by: "request_id" is not a tag; expected name or instance'],
    [['count', '--since', '1 hour'], '--since: "1 hour" is not a duration'],
    [['count', '--since'], "'--since <value>' argument missing"],
    [['count', '--nonsense'], "Unknown option '--nonsense'"],
    [['count', 'extra'], 'extra'],
    [['setup', '--wait', '10'], '--wait: "10" is not a duration'],
  ])('%j is not understood: exit code 2, and why', async (words, reason) => {
    const env = { INFLUX_URL: 'http://127.0.0.1:1', INFLUX_BUCKET: 'b' };
    const { code, stdout, stderr } = await tally(words, env);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(reason);
    expect(stderr).toContain('--help');
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test.each(['setup', 'count', 'clear'])(
    '%s without its configuration fails with every fault of it',
    async (name) => {
      const { code, stdout, stderr } = await tally([name, ...(name === 'clear' ? ['--yes'] : [])]);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/INFLUX_URL: is required[^]*INFLUX_BUCKET: is required/);
    },
  );

  test.each(['setup', 'count', 'clear'])('%s --help shows how it is used, and exits with 0', async (name) => {
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
      for (const word of ['setup', 'count', 'clear', '--json', 'INFLUX_URL']) expect(stdout).toContain(word);
    }
    expect((await tally(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test('fails at once while InfluxDB does not answer, and says so', async () => {
    const env = { INFLUX_URL: 'http://127.0.0.1:1', INFLUX_BUCKET: 'b', INFLUX_TOKEN: 'hunter2' };
    for (const words of [['setup'], ['count', '--json'], ['clear', '--yes']]) {
      const { code, stdout, stderr } = await tally(words, env);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^tally: InfluxDB does not answer: ./);
      expect(stderr).not.toContain('hunter2');
    }
  });

  test('setup --wait goes on asking until InfluxDB answers', async () => {
    let pings = 0;
    await using standIn = await StandIn.open(({ path }) => {
      if (path !== '/ping') return { status: 200 };
      return ++pings < 3 ? { status: 503 } : { status: 200, body: '{"version":"3.2.1"}' };
    });
    const env = { INFLUX_URL: standIn.url, INFLUX_BUCKET: 'b' };
    expect((await tally(['setup'], env)).code).toBe(1);
    expect(await tally(['setup', '--wait', '30s'], env)).toMatchObject({
      code: 0,
      stdout: 'InfluxDB 3.2.1: b made\n',
    });
  });
});
