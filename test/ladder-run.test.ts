import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { climb } from '../src/drill/ladder/ladder.js';
import { readLadder } from '../src/drill/ladder/rungs.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

async function tally(root: string, args: readonly string[]) {
  const child = spawn(process.execPath, [join(root, 'dist/cli/main.js'), 'drill', ...args], {
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { out: '', err: '' };
  child.stdout.on('data', (data: Buffer) => (said.out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (said.err += data.toString()));
  const [code] = (await once(child, 'close')) as [number];
  return { ...said, code };
}

interface Document {
  readonly verdict: string;
  readonly ladder: readonly {
    readonly rung: string;
    readonly verdict: string;
    readonly requests: Readonly<Record<string, number>>;
    readonly operations: Readonly<Record<string, number>>;
    readonly events: readonly { readonly what: string }[];
    readonly seen: readonly string[];
    readonly asExpected: boolean;
  }[];
}

test('a batch in memory that nobody flushes is lost in a deploy, and the ladder sees it', async () => {
  const batch = readLadder().find(({ name }) => name === 'batch');
  if (!batch) throw new Error('there is no such rung');
  const [climbed] = await climb({
    rungs: [{ ...batch, plan: 'roll', durationMs: 2_000 }],
    ...{ environment: process.env, apis: 1, workers: 0, connections: 3, seed: 1, lagMs: 500, probeMs: 250 },
    ...{ signal: new AbortController().signal, say: () => undefined, onProgress: () => undefined },
  });
  expect(climbed).toMatchObject({ seen: expect.arrayContaining(['lost']) as string[], asExpected: true });
  const { operations } = climbed?.result.judgement ?? {};
  expect(operations).toMatchObject({ twice: 0, wrong: 0, invented: 0 });
  // What is not lost is stored: all was waited for.
  expect(operations?.stored).toBe((operations?.acknowledged ?? 0) - (operations?.lost ?? 0));
});

test('without its wait Tally fails requests in a deploy, and tally drill --ladder says so in one document', async () => {
  const small = ['--api', '1', '--workers', '1', '--connections', '5', '--seed', '1'];
  const { code, out, err } = await tally(ROOT, ['--ladder', '--rungs', 'no-wait', '--json', ...small]);
  expect(code, err).toBe(0);
  const { verdict, ladder } = JSON.parse(out) as Document;
  expect([verdict, ladder.length]).toEqual(['pass', 1]);
  expect(ladder[0]).toMatchObject({ rung: 'no-wait', verdict: 'fail', seen: ['failed'], asExpected: true });
  expect(ladder[0]?.requests['unexplained']).toBeGreaterThan(0);
  expect(ladder[0]?.operations).toMatchObject({ lost: 0, twice: 0 });
  expect(ladder[0]?.events.map(({ what }) => what)).toEqual(['roll']);
});

test('the ladder does not begin without a checkout, with a rung that there is not, or with a plan', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tally-ladder-'));
  try {
    await cp(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
    await cp(join(ROOT, 'package.json'), join(folder, 'package.json'));
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const said = await Promise.all([
      tally(folder, ['--ladder']),
      tally(ROOT, ['--ladder', '--rungs', 'tall']),
      tally(ROOT, ['--ladder', '--plan', 'roll']),
    ]);
    expect(said.map(({ code }) => code)).toEqual([2, 2, 2]);
    expect(said[0].err).toContain('it needs a checkout of Tally');
    expect(said[1].err).toContain('there is no rung "tall"');
    expect(said[2].err).toContain('--plan does not go with --ladder');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
