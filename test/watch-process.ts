import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { WatchEvent } from '../src/cli/watch/events.js';
import type { Second } from '../src/cli/watch/second.js';
import type { Summary } from '../src/cli/watch/summary.js';
import { until } from './latch.js';

const TALLY = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

export type Document =
  | ({ readonly type: 'second' } & Second)
  | ({ readonly type: 'event' } & WatchEvent)
  | ({ readonly type: 'summary' } & Summary);

/** `tally watch` as it runs where nobody sits at a terminal. */
export class WatchProcess implements AsyncDisposable {
  readonly said = { out: '', err: '' };
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown[]>;

  constructor(args: readonly string[]) {
    this.#child = spawn(process.execPath, [TALLY, 'watch', ...args], {
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.on('data', (data: Buffer) => (this.said.out += data.toString()));
    this.#child.stderr?.on('data', (data: Buffer) => (this.said.err += data.toString()));
    this.#closed = once(this.#child, 'close');
  }

  /** What it wrote with `--json`: whole lines. */
  get documents(): readonly Document[] {
    const lines = this.said.out.split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Document);
  }

  get events(): readonly WatchEvent[] {
    return this.documents.flatMap((document) => (document.type === 'event' ? document : []));
  }

  get seconds(): readonly Second[] {
    return this.documents.flatMap((document) => (document.type === 'second' ? document : []));
  }

  get summary(): Summary {
    const last = this.documents.at(-1);
    if (last?.type !== 'summary') throw new Error(`no summary: ${this.said.out}${this.said.err}`);
    return last;
  }

  /** Resolves when one of the documents is so. */
  async sees(fits: (document: Document) => boolean): Promise<void> {
    await until(() => this.documents.some(fits));
  }

  /** As Ctrl+C does. */
  interrupt(): void {
    this.#child.kill('SIGINT');
  }

  /** As `| head` does when it has enough. */
  closeOutput(): void {
    this.#child.stdout?.destroy();
  }

  /** Resolves with its exit code. */
  async ended(): Promise<number | null> {
    const [code] = (await this.#closed) as [number | null];
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#closed;
  }
}
