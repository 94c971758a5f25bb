import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openRedis } from '../src/drill/stores/open-stores.js';

const TALLY = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tally-drill-'));
  await chmod(folder, 0o755); // Postgres has a user of its own
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [TALLY, 'drill', '--seed', '1', ...args], {
    env: { PATH: process.env['PATH'], TMPDIR: folder, SHUTDOWN_DELAY: '2s', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { out: '', err: '' };
  child.stdout.on('data', (data: Buffer) => (said.out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (said.err += data.toString()));
  const ended = once(child, 'close').then(([code]) => ({ ...said, code: code as number }));
  return { child, said, ended };
}

interface Document {
  readonly verdict: string;
  readonly broken: readonly string[];
  readonly requests: Readonly<Record<'sent' | 'answered' | 'refused' | 'reset' | 'timedOut', number>>;
  readonly operations: Readonly<
    Record<'acknowledged' | 'stored' | 'lost' | 'twice' | 'wrong' | 'invented', number>
  >;
  readonly events: readonly { at: string; what: string; target: string; loggedMs?: number }[];
  readonly ended: readonly { kind: string; why: string; code: number | null; receipt: object | null }[];
}

const small = ['--api', '2', '--workers', '1', '--connections', '3', '--lag', '500ms', '--duration', '6s'];

describe('tally drill', { timeout: 180_000 }, () => {
  test('leaves out of its count what is asked by whoever looks on', async () => {
    const { said, ended } = start([...small, '--plan', 'roll-api', '--json']);
    await expect.poll(() => said.err, { timeout: 60_000 }).toMatch(/shown live on http:\S+\/live/);
    const [, url = ''] = /shown live on (http:\S+)\/live/.exec(said.err) ?? [];
    const headers = { 'Content-Type': 'application/json', 'X-Request-Id': 'live-page-1' };
    const ask = () => fetch(`${url}/sum`, { method: 'POST', headers, body: '{"numbers":[1,-2]}' });
    const answers = [await ask(), await ask()];
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    const { code, out, err } = await ended;
    expect(code, err).toBe(0);
    const { operations } = JSON.parse(out) as Document;
    expect(operations).toMatchObject({ stored: operations.acknowledged, twice: 0, invented: 0 });
  });

  test('deploys and kills under load, loses nothing, and says so in one document and one page', async () => {
    const report = join(folder, 'drill.html');
    const plan = ['--plan', 'roll,kill-api,flush-redis', '--json', '--report', report];
    const { code, out, err } = await start([...small, ...plan]).ended;
    expect(code, err).toBe(0);
    const { verdict, requests, operations, events, ended } = JSON.parse(out) as Document;
    expect(verdict).toBe('pass');
    expect(requests.sent).toBeGreaterThan(100);
    expect(requests).toMatchObject({ answered: operations.acknowledged, refused: 0, timedOut: 0 });
    expect(operations).toMatchObject({ lost: 0, twice: 0, wrong: 0, invented: 0 });
    expect(events.map(({ what }) => what)).toEqual(['roll', 'kill-api', 'flush-redis']);
    expect(events.map(({ loggedMs }) => loggedMs === undefined)).toEqual([true, false, false]);
    // Two rolled, one killed, two at the end; the worker rolled, and its successor.
    expect(ended.map(({ kind, why, receipt }) => `${kind} ${why} ${receipt !== null}`).sort()).toEqual([
      ...['api asked true', 'api asked true', 'api asked true', 'api asked true', 'api killed false'],
      ...['worker asked true', 'worker asked true'],
    ]);
    const page = await readFile(report, 'utf8');
    expect(page.match(/<svg/g)).toHaveLength(5);
    expect(page).toContain('Nothing was lost');
    expect(page).not.toMatch(/https?:|src=|href=|NaN|undefined|Infinity/);
  });

  test('fails when the API does not wait until the balancer has forgotten it', async () => {
    const hasty = start([...small, '--plan', 'roll-api*2', '--lag', '1s', '--json'], {
      SHUTDOWN_DELAY: '0ms',
    });
    const { code, out, err } = await hasty.ended;
    expect(code, err).toBe(1);
    const { verdict, requests, operations, broken } = JSON.parse(out) as Document;
    expect(verdict).toBe('fail');
    expect(requests.reset).toBeGreaterThan(0);
    expect(operations.lost).toBe(0);
    expect(broken).toEqual([`${requests.reset} requests failed although nothing explains it`]);
  });

  test('deploys under clients of HTTP/2 and HTTP/1.1 over TLS, with a certificate that goes when it does', async () => {
    const plan = ['--tls', '--connections', '10', '--plan', 'roll-api', '--json'];
    const { code, out, err } = await start([...small, ...plan]).ended;
    expect(code, err).toBe(0);
    expect(err).toContain('Tally answers on https://127.0.0.1:');
    const { verdict, requests, operations } = JSON.parse(out) as Document;
    expect(verdict).toBe('pass');
    expect(requests).toMatchObject({ answered: requests.sent, refused: 0, reset: 0, timedOut: 0 });
    expect(operations).toMatchObject({
      acknowledged: requests.sent,
      lost: 0,
      twice: 0,
      wrong: 0,
      invented: 0,
    });
    await expect.poll(() => readdir(folder), { timeout: 10_000 }).toEqual([]);
  });

  test('ends on Ctrl+C and leaves nothing behind', async () => {
    const { child, said, ended } = start([...small, '--plan', 'roll']);
    await expect.poll(() => said.err, { timeout: 60_000 }).toMatch(/[1-9]\d* answered/);
    child.kill('SIGINT');
    const { code, out } = await ended;
    expect([code, out]).toEqual([130, '']);
    await expect.poll(() => readdir(folder), { timeout: 10_000 }).toEqual([]);
  });

  test('with --keep goes on answering after the verdict, until Ctrl+C, and leaves nothing behind', async () => {
    const { child, said, ended } = start([...small, '--plan', '0', '--duration', '2s', '--keep']);
    await expect.poll(() => said.err, { timeout: 60_000 }).toContain('Ctrl+C ends it');
    expect(said.out).toContain('PASS');
    const [url = ''] = /http:\S+\/sum/.exec(said.err) ?? [];
    const headers = { 'Content-Type': 'application/json' };
    const answer = await fetch(url, { method: 'POST', headers, body: '{"numbers":[1,2]}' });
    expect(await answer.json()).toMatchObject({ result: 3 });
    const [page = ''] = /http:\S+\/live$/m.exec(said.err) ?? [];
    expect((await fetch(page)).headers.get('Content-Type')).toMatch('text/html');
    child.kill('SIGINT');
    expect((await ended).code).toBe(0);
    await expect.poll(() => readdir(folder), { timeout: 10_000 }).toEqual([]);
  });

  test('harms no server that was there before', async () => {
    await using redis = await openRedis();
    const { code, err } = await start(['--plan', 'roll,kill-redis'], redis.environment).ended;
    expect(code).toBe(2);
    expect(err).toContain('"kill-redis" harms a server, and REDIS_URL names one that is not ours');
  });

  test.each([
    [['--plan', 'rol'], 'there is no event "rol"'],
    [['--api', '0'], '--api: "0" is not a whole number of at least 1'],
    [['--duration', '10'], '--duration: "10" is not a duration'],
  ])('does not begin with %s', async (args, said) => {
    const { code, err } = await start(args).ended;
    expect(code).toBe(2);
    expect(err).toContain(said);
  });

  test('names all that can happen', async () => {
    const { code, out } = await start(['--plan', 'list', '--json']).ended;
    expect(code).toBe(0);
    const names = (JSON.parse(out) as { name: string }[]).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['roll', 'kill-worker', 'flush-redis', 'stall-postgres']));
  });
});
