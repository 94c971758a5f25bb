import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { until } from './commands.js';
import { requestsPerSecond } from './options.js';
import type { Line, RequestRecord } from './record.js';

const PROGRAM = readFileSync(new URL('load.mts', import.meta.url), 'utf8');

export interface LoadOptions {
  readonly namespace: string;
  readonly pod: string;
  readonly url: string;
  readonly record: RequestRecord;
}

/** The load program, running in a pod; what came of each request goes into the record as it comes. */
export class Load {
  readonly #record: RequestRecord;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #stderr = '';
  /** How far the pod's clock is ahead of ours. */
  #aheadMs = 0;
  #done = false;

  private constructor({ namespace, pod, url, record }: LoadOptions) {
    this.#record = record;
    const settings = [`API_URL=${url}`, `RATE=${requestsPerSecond}`, `FIRST=${record.last + 1}`];
    const program = ['node', '--input-type=module-typescript', '--eval', PROGRAM];
    this.#child = spawn(
      'kubectl',
      ['--namespace', namespace, 'exec', '--stdin', pod, '--', 'env', ...settings, ...program],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    this.#child.stderr?.on('data', (text: Buffer) => (this.#stderr += text.toString()));
    if (this.#child.stdout)
      createInterface({ input: this.#child.stdout }).on('line', (line) =>
        this.#read(JSON.parse(line) as Line),
      );
    this.#ended = new Promise((resolve) => this.#child.once('close', () => resolve()));
  }

  /** Resolves when the first requests have been answered. */
  static async start(options: LoadOptions): Promise<Load> {
    const load = new Load(options);
    await load.answersMore(20);
    return load;
  }

  /** Resolves when so many more requests were answered, which shows that the load goes on. */
  async answersMore(count: number): Promise<void> {
    const { acknowledged } = this.#record;
    const enough = acknowledged.size + count;
    await until(`${count} more answers`, async () => {
      if (this.#child.exitCode !== null) throw new Error(`the load has ended: ${this.#stderr}`);
      return acknowledged.size >= enough || undefined;
    });
  }

  /** Sends nothing more. @throws when the program did not account for all that it sent. */
  async stop(): Promise<void> {
    this.#child.stdin?.end();
    await this.#ended;
    if (!this.#done) throw new Error(`the load ended early: ${this.#stderr}`);
  }

  #read(line: Line): void {
    if ('nowMs' in line) this.#aheadMs = line.nowMs - Date.now();
    else if ('done' in line) this.#done = true;
    else this.#record.add(line, this.#aheadMs);
  }
}
