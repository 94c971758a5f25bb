import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { quarantine } from '../src/cli/quarantine.js';
import type { Values } from '../src/cli/command.js';
import type { Chunk } from '../src/shared/chunk.js';
import { Ledger } from '../src/shared/ledger.js';
import { Lines } from '../src/shared/lines.js';
import { lineAt } from './influx-bucket.js';
import { openLedger } from './ledger-database.js';
import { until } from './latch.js';
import { openServers, Scene, type Servers } from './system/scene.js';

const MAIN = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

interface Said {
  readonly code: number;
  readonly text: string;
  readonly json: Readonly<Record<string, unknown>>;
  readonly asked: readonly string[];
}

let servers: Servers;
let postgres: Awaited<ReturnType<typeof openLedger>>;
let ledger: Ledger;
beforeAll(async () => {
  servers = await openServers();
});
afterAll(() => servers?.[Symbol.asyncDispose]());
beforeEach(async () => {
  postgres = await openLedger(servers.postgres);
  ledger = new Ledger(postgres);
});
afterEach(() => postgres[Symbol.asyncDispose]());

/** `tally quarantine` with these words, in this process; whoever is asked says `answer`. */
async function say(words: string, values: Values = {}, answer?: string): Promise<Said> {
  const said = { text: '', json: {}, asked: [] as string[] };
  const terminal = {
    env: { DATABASE_URL: postgres.url },
    print: (text: string, data: unknown) => void Object.assign(said, { text, json: data }),
    ask: async (question: string) => {
      said.asked.push(question);
      return answer;
    },
  };
  const code = await quarantine.run(values, terminal, words === '' ? [] : words.split(' '));
  return { ...said, code };
}

const chunk = (seq: number, operations = 3): Chunk => ({
  id: `i.${seq}`,
  lines: Lines.of(Array.from({ length: operations }, (_, n) => lineAt(seq * 10 + n))),
});

/** Puts so many lines of a chunk in quarantine, as a worker does. */
async function refuse({ id, lines }: Chunk, count = 1, status = 400): Promise<void> {
  const refused = lines.text.split('\n').slice(0, count);
  await ledger.quarantine(
    refused.map((line) => ({ chunk: id, line, reason: 'field type conflict', status })),
  );
}

/** A chunk that was logged, but for so many of its lines. */
async function logged(seq: number, refused = 1): Promise<Chunk> {
  const made = chunk(seq);
  await ledger.add(made, 60_000);
  await refuse(made, refused);
  await ledger.markLogged([made.id]);
  return made;
}

/** The ids in quarantine and not dropped. */
const ids = async () =>
  ((await say('list', { json: true })).json['lines'] as { id: number }[]).map(({ id }) => id);

const dueChunks = async () => (await ledger.claim(100)).map(({ id }) => id).toSorted();

describe('tally quarantine list', () => {
  test('says that the quarantine is empty', async () => {
    expect(await say('list')).toEqual({
      code: 0,
      text: 'The quarantine is empty.',
      json: { lines: [] },
      asked: [],
    });
  });

  test('shows each line with its id, chunk, reason, status and time, and not the dropped ones', async () => {
    const { lines } = await logged(0, 2);
    await logged(1, 1);
    await say('drop 2', { yes: true });
    const { code, json } = await say('list', { json: true });
    const [first = ''] = lines.text.split('\n');
    expect(code).toBe(0);
    expect(json['lines']).toEqual([
      {
        id: 1,
        chunk: 'i.0',
        line: first,
        reason: 'field type conflict',
        status: 400,
        refusedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
      },
      expect.objectContaining({ id: 3, chunk: 'i.1' }),
    ]);
    const { text } = await say('list');
    expect(text).toMatch(/^1 {2}\d{4}-\S+Z {2}400 {2}field type conflict\n {4}operation,instance=i/);
    expect(text).not.toContain('more');
  });

  test('shows people the first hundred or --limit, and says how many more; as JSON it shows all', async () => {
    const many = chunk(0, 130);
    await refuse(many, 130);
    expect((await say('list')).text).toMatch(/^100 {2}[^]*\nand 30 more$/m);
    expect((await say('list', { limit: '3' })).text).toMatch(/^3 {2}[^]*\nand 127 more$/m);
    expect((await say('list', { limit: '130' })).text).not.toContain('more');
    expect((await say('list', { json: true })).json['lines']).toHaveLength(130);
    expect((await say('list', { json: true, limit: '2' })).json['lines']).toHaveLength(2);
  });

  test('shows no more than the beginning of what could not be read, and keeps it from the terminal', async () => {
    const line = `\u001b[2J\r\n\u202e${'x'.repeat(10_000)}`;
    await ledger.quarantine([{ chunk: 'odd', line, reason: 'a\u0007', status: 0 }]);
    const { text } = await say('list');
    expect(text).toContain(String.raw`\u{1b}[2J\u{d}\u{a}\u{202e}xxx`);
    expect(text).toContain(String.raw`0  a\u{7}`);
    expect(text.length).toBeLessThan(1_000);
    expect(text.split('\n')).toHaveLength(2);
    expect((await say('list', { json: true })).json['lines']).toMatchObject([{ line }]);
  });
});

describe('tally quarantine retry', () => {
  test('makes the chunk due at once and takes the line out of quarantine', async () => {
    await logged(0);
    await logged(1);
    expect(await dueChunks()).toEqual([]);
    expect(await say('retry 1')).toMatchObject({
      code: 0,
      text: '1 line sent again.',
      json: { retried: 1, left: [] },
    });
    expect(await ids()).toEqual([2]);
    expect(await dueChunks()).toEqual(['i.0']);
    expect((await ledger.read(['i.0', 'i.1'])).map(({ id }) => id)).toEqual(['i.0']);
  });

  test('takes the other lines of the same chunk along, but for the dropped ones', async () => {
    const { id, lines } = await logged(0, 3);
    await say('drop 3', { yes: true });
    expect(await say('retry 1')).toMatchObject({ code: 0, json: { retried: 2, left: [] } });
    expect(await ids()).toEqual([]);
    await refuse({ id, lines }, 3);
    expect((await ids()).length).toBe(2);
    const rows = await postgres.sql`SELECT id FROM quarantine WHERE dropped_at IS NOT NULL`;
    expect(rows.map((row) => row['id'] as string)).toEqual(['3']);
  });

  test('--all sends everything again that can be, and leaves the rest with the reason', async () => {
    await logged(0, 3);
    await logged(1);
    await refuse(chunk(2)); // accepted while the ledger was away
    await ledger.quarantine([{ chunk: 'job-7', line: '{"lines":7}', reason: 'not a chunk', status: 0 }]);
    const onItsWay = chunk(3);
    await ledger.add(onItsWay, 60_000);
    await refuse(onItsWay);
    await ledger.writeOff(chunk(4));
    await refuse(chunk(4));
    const { code, text, json } = await say('retry', { all: true });
    expect([code, json]).toEqual([
      1,
      {
        retried: 4,
        left: [
          { id: 5, why: 'its chunk is not in the ledger' },
          { id: 6, why: expect.stringMatching(/never sent, and its chunk is not in the ledger$/) as string },
          { id: 7, why: expect.stringMatching(/^its chunk is still on its way/) as string },
          { id: 8, why: 'its chunk is not in the ledger' },
        ],
      },
    ]);
    expect(text.split('\n')).toEqual([
      '4 lines sent again.',
      ...[5, 6, 7, 8].map((id) => expect.stringMatching(new RegExp(`^${id} stays: .*\\.$`)) as string),
    ]);
    expect(await ids()).toEqual([5, 6, 7, 8]);
    expect(await dueChunks()).toEqual(['i.0', 'i.1']);
  });

  test('sends a chunk of the ledger again that this version could not read', async () => {
    const made = chunk(0);
    await ledger.add(made, 0);
    await ledger.quarantine([{ chunk: made.id, line: made.lines.text, reason: 'not a chunk', status: 0 }]);
    await ledger.markLogged([made.id]);
    expect(await say('retry 1')).toMatchObject({ code: 0, json: { retried: 1, left: [] } });
    expect(await dueChunks()).toEqual(['i.0']);
  });

  test('does nothing at all when one of the ids is unknown, and names every such id', async () => {
    await logged(0);
    await logged(1);
    await say('drop 2', { yes: true });
    await expect(say('retry 1 2 77 999999999999999')).rejects.toThrow(
      'the quarantine has no 2, 77, 999999999999999;',
    );
    expect(await ids()).toEqual([1]);
    expect(await dueChunks()).toEqual([]);
  });

  test('counts an id that is given twice once, and an empty quarantine is no fault', async () => {
    expect(await say('retry', { all: true })).toMatchObject({ code: 0, json: { retried: 0, left: [] } });
    await logged(0);
    expect(await say('retry 1 1 01')).toMatchObject({ code: 0, json: { retried: 1, left: [] } });
  });
});

describe('tally quarantine drop', () => {
  test('asks first, and drops on nothing but a yes; the row stays as it was', async () => {
    await logged(0, 2);
    await logged(1);
    for (const answer of ['', 'n', 'no', 'yesterday', 'all']) {
      const { code, text, json, asked } = await say('drop 1 3', {}, answer);
      expect([code, text, json]).toEqual([1, 'Nothing was dropped.', { dropped: 0 }]);
      expect(asked).toEqual(['Drop 2 lines, so that nobody stores them? [y/N] ']);
    }
    await expect(say('drop 1 3')).rejects.toThrow('say --yes');
    expect(await ids()).toEqual([1, 2, 3]);
    const before =
      await postgres.sql`SELECT id, chunk_id, line, reason, status, refused_at FROM quarantine ORDER BY id`;
    expect(await say('drop 1 3', {}, ' Yes ')).toMatchObject({
      code: 0,
      text: '2 lines dropped.',
      json: { dropped: 2 },
    });
    expect(await ids()).toEqual([2]);
    const after =
      await postgres.sql`SELECT id, chunk_id, line, reason, status, refused_at FROM quarantine ORDER BY id`;
    expect([...after]).toEqual([...before]);
    expect(await dueChunks()).toEqual([]);
  });

  test('--all --yes drops all there are, without asking', async () => {
    await logged(0, 3);
    expect(await say('drop', { all: true, yes: true })).toMatchObject({
      code: 0,
      json: { dropped: 3 },
      asked: [],
    });
    expect(await ids()).toEqual([]);
    const again = await say('drop', { all: true });
    expect(again).toMatchObject({
      code: 0,
      text: 'The quarantine is empty.',
      json: { dropped: 0 },
      asked: [],
    });
  });

  test('--all drops nothing that was refused after the question', async () => {
    await logged(0);
    const terminal = {
      env: { DATABASE_URL: postgres.url },
      print: () => undefined,
      ask: async () => {
        await logged(1);
        return 'y';
      },
    };
    expect(await quarantine.run({ all: true }, terminal, ['drop'])).toBe(0);
    expect(await ids()).toEqual([2]);
  });

  test('does nothing at all when one of the ids is unknown or dropped already', async () => {
    await logged(0, 2);
    await say('drop 2', { yes: true });
    await expect(say('drop 1 2 9', { yes: true })).rejects.toThrow('the quarantine has no 2, 9;');
    expect(await ids()).toEqual([1]);
  });

  test('stands when the same line is refused again', async () => {
    const made = await logged(0);
    await say('drop 1', { yes: true });
    await refuse(made);
    expect(await ids()).toEqual([]);
  });
});

describe('as a program', () => {
  /** `tally` with these words, and nobody at the terminal. */
  async function tally(words: readonly string[], url: string | undefined = postgres.url) {
    const env = { PATH: process.env['PATH'], ...(url !== '' && { DATABASE_URL: url }) };
    const child = spawn(process.execPath, [MAIN, ...words], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (data: Buffer) => (output.stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => (output.stderr += data.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, ...output };
  }

  test('prints one document with --json, and exits with 1 when a line was left', async () => {
    await logged(0);
    await refuse(chunk(1));
    const listed = await tally(['quarantine', 'list', '--json']);
    expect([listed.code, listed.stderr]).toEqual([0, '']);
    expect(JSON.parse(listed.stdout)).toMatchObject({ lines: [{ id: 1 }, { id: 2 }] });
    const retried = await tally(['quarantine', 'retry', '1', '2', '--json']);
    expect([retried.code, retried.stderr]).toEqual([1, '']);
    expect(JSON.parse(retried.stdout)).toMatchObject({ retried: 1, left: [{ id: 2 }] });
    expect(await tally(['quarantine', 'drop', '--json', '--yes', '2'])).toEqual({
      code: 0,
      stdout: '{"dropped":1}\n',
      stderr: '',
    });
  });

  test.each([
    [[], 'it was not said what to do; expected list, retry or drop'],
    [['delete'], '"delete" is nothing it can do'],
    [['toString'], '"toString" is nothing it can do'],
    [['list', '7'], 'takes no ids: 7'],
    [['list', '--all'], 'quarantine list does not take --all'],
    [['list', '--limit', '0'], '--limit: "0"'],
    [['list', '--limit', 'many'], '--limit: "many"'],
    [['retry'], 'say which lines'],
    [['drop', '--yes'], 'say which lines'],
    [['retry', '1', '--all'], 'say which lines'],
    [['retry', '1', '--yes', '--limit', '3'], 'quarantine retry does not take --yes, --limit'],
    [
      ['retry', '1', 'a', '1.5', "1'; DROP TABLE chunks", '9999999999999999'],
      `"a", "1.5", "1'; DROP TABLE chunks", "99`,
    ],
    [['drop', '-1'], "'-1'"],
    [['drop', '4711', '4712', '--yes'], 'the quarantine has no 4711, 4712; nothing was done'],
  ])('quarantine %j is not understood: exit code 2, and why', async (words, reason) => {
    const { code, stdout, stderr } = await tally(['quarantine', ...words]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(reason);
    expect(stderr).toContain('--help');
  });

  test('no other command takes words', async () => {
    expect(await tally(['count', 'list'])).toMatchObject({ code: 2, stdout: '' });
  });

  test('teaches its use, alone and after an action', async () => {
    for (const words of [[], ['list'], ['retry']]) {
      const { code, stdout, stderr } = await tally(['quarantine', ...words, '--help'], '');
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(
        /^Usage: tally quarantine list\|retry\|drop \[ID\.\.\.\] \[OPTIONS\]\n[^]*Examples:/,
      );
    }
    expect((await tally(['--help'])).stdout).toMatch(/^ {2}quarantine +list, retry or drop/m);
  });

  test('fails and says why: without configuration, without a ledger, without its tables', async () => {
    const bare = new URL(postgres.url);
    bare.pathname = '/postgres';
    for (const [url, reason] of [
      ['', /DATABASE_URL: is required/],
      ['postgres://me:hunter2@127.0.0.1:1/away', /The ledger does not answer: ./],
      [bare.href, /tally setup makes its tables/],
    ] as const) {
      const { code, stdout, stderr } = await tally(['quarantine', 'list', '--json'], url);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(reason);
      expect(stderr).not.toContain('hunter2');
    }
  });
});

test('what is retried goes to InfluxDB as everything else: stored, or in quarantine again; what is dropped stays so', async () => {
  await using scene = await Scene.open(servers);
  const [good, bad, dropped] = [
    lineAt(0),
    lineAt(1).replace('result=1', 'result=nine'),
    lineAt(2).replace('=2 ', '=x '),
  ];
  const kept = async () =>
    (
      await scene.postgres.sql`SELECT id, line, dropped_at IS NOT NULL AS dropped FROM quarantine ORDER BY id`
    ).map((row) => [Number(row['id']), row['line'] as string, row['dropped'] as boolean] as const);
  const sceneLedger = new Ledger(scene.postgres);
  const inScene = async (values: Values, words: string[]) => {
    const terminal = { env: scene.env, print: () => undefined, ask: async () => undefined };
    return quarantine.run(values, terminal, words);
  };
  const settled = async () => (await sceneLedger.read(['i.0', 'i.1'])).length === 0;
  await sceneLedger.add({ id: 'i.0', lines: Lines.of([good, bad, dropped]) }, 0);
  await scene.worker();
  await until(settled);
  expect((await kept()).map(([, line]) => line).toSorted()).toEqual([bad, dropped].toSorted());
  // One that InfluxDB takes now: it was refused for a reason that is gone.
  const cured = lineAt(10);
  await sceneLedger.quarantine([{ chunk: 'i.1', line: cured, reason: 'was full', status: 400 }]);
  await sceneLedger.addLogged([{ id: 'i.1', lines: Lines.of([cured]) }]);
  const idOf = async (wanted: string) => (await kept()).find(([, line]) => line === wanted)?.[0] ?? 0;
  const badId = await idOf(bad);
  expect(await inScene({ yes: true }, ['drop', String(await idOf(dropped))])).toBe(0);
  expect(await scene.count()).toBe(1);
  expect(await inScene({ all: true }, ['retry'])).toBe(0);
  await until(settled);
  expect(await scene.count()).toBe(2);
  const rows = await kept();
  expect(rows.map(([, line, isDropped]) => [line, isDropped])).toEqual([
    [dropped, true],
    [bad, false],
  ]);
  expect(rows[1]?.[0]).toBeGreaterThan(badId);
});
