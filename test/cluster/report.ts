import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attempt, say } from './commands.js';
import type { Findings } from './judge.js';

interface Row {
  readonly scene: string;
  readonly seconds: number;
  readonly requests: number;
  readonly findings: Findings;
}

const COLUMNS = ['requests', 'in flight', 'refused', 'unexplained', 'lost', 'twice', 'wrong', 'seconds'];

/** What each scene saw, as a table in Markdown. Requests and failures are those of the scene alone. */
export class Report {
  readonly #rows: Row[] = [];

  add(row: Row): void {
    this.#rows.push(row);
  }

  get text(): string {
    const rows = this.#rows.map((row, index) => {
      const before = this.#rows[index - 1];
      const since = (count: (one: Row) => number) => count(row) - (before ? count(before) : 0);
      return [
        since(({ requests }) => requests),
        since(({ findings }) => findings.killed),
        since(({ findings }) => findings.refused),
        since(({ findings }) => findings.unexplained),
        row.findings.lost,
        row.findings.twice,
        row.findings.wrong + row.findings.invented,
        row.seconds,
      ].join(' | ');
    });
    return [
      `| scene | ${COLUMNS.join(' | ')} |`,
      `| --- |${' ---: |'.repeat(COLUMNS.length)}`,
      ...rows.map((row, index) => `| ${this.#rows[index]?.scene} | ${row} |`),
    ].join('\n');
  }
}

/** Writes what the cluster knows of a namespace into a folder, for who looks into a failure. */
export async function dump(namespace: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tally-cluster-'));
  const ask = async (file: string, ...args: readonly string[]) => {
    const { stdout, stderr } = await attempt('kubectl', ['--namespace', namespace, ...args]);
    await writeFile(join(folder, file), `${stdout}${stderr}`);
    return stdout;
  };
  await ask('pods.txt', 'get', 'pods,pvc,jobs,pdb,endpointslices', '--output', 'wide');
  await ask('describe.txt', 'describe', 'pods');
  await ask('events.txt', 'get', 'events', '--sort-by', '.lastTimestamp');
  await mkdir(join(folder, 'logs'));
  const pods = await ask('names.txt', 'get', 'pods', '--output', 'name');
  for (const pod of pods.split('\n').filter(Boolean)) {
    const name = pod.replace('pod/', '');
    await ask(join('logs', `${name}.log`), 'logs', name, '--timestamps', '--tail=5000');
    await ask(join('logs', `${name}.previous.log`), 'logs', name, '--timestamps', '--previous');
  }
  say(`what the cluster knows of it: ${folder}`);
}
