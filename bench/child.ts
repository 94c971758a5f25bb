import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../src/drill/stores/command.js';

/** Where Tally's programs are started. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The processes of Tally as they are shipped. */
export const API = ['dist/api/main.js'];
export const WORKER = ['dist/worker/main.js'];

/** A process of the bench itself, which stands beside them. */
export const peer = (name: string): string[] => ['--import', 'tsx', `bench/peers/${name}.ts`];

const LAST_WORDS = 5;

interface LogLine {
  readonly msg?: string;
  readonly port?: number;
  readonly adminPort?: number;
}

export interface Ending {
  readonly code: number | null;
  /** From the signal to the exit. */
  readonly seconds: number;
}

/** A Node process that logs `ready` with its ports when it is. */
export class Child implements AsyncDisposable {
  readonly port: number;
  readonly adminPort: number;
  readonly #process: ChildProcess;
  readonly #exit: Promise<void>;
  readonly #said: readonly string[];
  #stopping = false;

  private constructor(child: ChildProcess, exit: Promise<void>, said: readonly string[], ready: LogLine) {
    this.#process = child;
    this.#exit = exit;
    this.#said = said;
    this.port = ready.port ?? 0;
    this.adminPort = ready.adminPort ?? 0;
  }

  /** Resolves as soon as the process is ready; all its ports are free ones. */
  static async start(args: readonly string[], environment: Readonly<Record<string, string>>): Promise<Child> {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: {
        PATH: process.env['PATH'],
        ...{ HOST: '127.0.0.1', PORT: '0', ADMIN_PORT: '0', LOG_LEVEL: 'info', SHUTDOWN_DELAY: '0ms' },
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exit = once(child, 'exit').then(() => undefined);
    const lastWords: string[] = [];
    const ready = new Promise<LogLine>((resolve) => {
      createInterface(child.stdout).on('line', (line) => {
        lastWords.push(line);
        if (lastWords.length > LAST_WORDS) lastWords.shift();
        const said = JSON.parse(line) as LogLine;
        if (said.msg === 'ready') resolve(said);
      });
    });
    const gone = exit.then(() => Promise.reject(new Error(`${args.join(' ')} ended before it was ready`)));
    return new Child(child, exit, lastWords, await Promise.race([ready, gone]));
  }

  /** One of its Prometheus metrics, summed over its labels. */
  async metric(name: string): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.adminPort}/metrics`);
    const samples = (await response.text()).matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'));
    return [...samples].reduce((sum, [, value]) => sum + Number(value), 0);
  }

  /** Its resident memory in bytes. */
  async residentBytes(): Promise<number> {
    const { pid } = this.#process;
    if (process.platform === 'linux') {
      const [, kilobytes] = /^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
      return Number(kilobytes) * 1024;
    }
    const { output } = await runCommand('ps', ['-o', 'rss=', '-p', String(pid)], {
      environment: process.env,
    });
    return Number(output) * 1024;
  }

  /**
   * Settles as `work` does.
   *
   * @throws when the process ends on its own before.
   */
  async during<T>(work: Promise<T>): Promise<T> {
    const gone = this.#exit.then(() => {
      if (!this.#stopping) throw new Error(`a process ended on its own:\n${this.#said.join('\n')}`);
    });
    return Promise.race([work, gone.then(() => work)]);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ending> {
    this.#stopping = true;
    const started = performance.now();
    this.#process.kill(signal);
    await this.#exit;
    return { code: this.#process.exitCode, seconds: (performance.now() - started) / 1_000 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) await this.stop('SIGKILL');
  }
}
