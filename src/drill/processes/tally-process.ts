import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { withDeadline } from '../../shared/deadline.js';
import { SECOND } from '../../shared/duration.js';

/** A line of a process's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg?: string };

/** How a process ended; `receipt` is missing when it never wrote one. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly receipt: LogLine | undefined;
  /** From the signal to the end, when it was asked to end. */
  readonly ms: number;
  /** What it said of a fatal error. */
  readonly fatal?: string;
}

export interface TallyProcessOptions {
  readonly kind: 'api' | 'worker';
  readonly env: Readonly<Record<string, string>>;
  /** What Node is to run instead of Tally; it says `ready` with its ports and its name as Tally does. */
  readonly program?: readonly string[] | undefined;
}

/** As pino numbers its levels. */
const FATAL = 60;

const READY_MS = 15 * SECOND;

/** Longer than any drain that tests and demo configure. */
const END_MS = 60 * SECOND;

/** An API or worker process of Tally, as `node dist/…/main.js` on free ports of the loopback address. */
export class TallyProcess implements AsyncDisposable {
  readonly kind: 'api' | 'worker';
  readonly #env: Readonly<Record<string, string>>;
  readonly #child: ChildProcess;
  readonly #log: LogLine[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #ended: Promise<Ending>;
  #errors = '';
  #signalledAt = performance.now();
  #instance: string | undefined;

  private constructor({ kind, env, program }: TallyProcessOptions) {
    this.kind = kind;
    this.#env = env;
    const main = fileURLToPath(new URL(`../../../dist/${kind}/main.js`, import.meta.url));
    const ports = { HOST: '127.0.0.1', ADMIN_PORT: '0', ...(kind === 'api' && { PORT: '0' }) };
    this.#child = spawn(process.execPath, program ?? [main], {
      env: { PATH: process.env['PATH'], ...ports, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // Ctrl+C is for us to pass on
    });
    if (this.#child.stdout) createInterface(this.#child.stdout).on('line', (line) => this.#read(line));
    this.#child.stderr?.on('data', (data: Buffer) => (this.#errors += data.toString()));
    mustNotOutliveUs(this.#child);
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        const receipt = this.#log.find(({ msg }) => msg === 'receipt');
        const fatal = this.#fatal();
        resolve({
          code,
          signal,
          receipt,
          ms: performance.now() - this.#signalledAt,
          ...(fatal && { fatal }),
        });
        for (const watch of this.#watchers) watch();
      });
    });
  }

  /**
   * Starts it and waits until it is ready.
   *
   * @throws {Error} with what it said when it ended instead.
   */
  static async start(options: TallyProcessOptions): Promise<TallyProcess> {
    const started = TallyProcess.launch(options);
    try {
      await started.logged(({ msg }) => msg === 'ready', READY_MS);
    } catch (error) {
      await started.kill();
      throw error;
    }
    return started;
  }

  /** Starts it and waits for nothing: its ports are then those that its environment names. */
  static launch(options: TallyProcessOptions): TallyProcess {
    return new TallyProcess(options);
  }

  get port(): number {
    return Number(this.#ready['port'] ?? this.#env['PORT']);
  }

  get adminPort(): number {
    return Number(this.#ready['adminPort'] ?? this.#env['ADMIN_PORT']);
  }

  /** Its own name; that of the process when it was asked for before there was one. */
  get instance(): string {
    this.#instance ??= (this.#ready['instance'] as string | undefined) ?? `process-${this.pid}`;
    return this.#instance;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get #ready(): LogLine {
    return this.#log.find(({ msg }) => msg === 'ready') ?? {};
  }

  get log(): readonly LogLine[] {
    return this.#log;
  }

  /** Resolves with the first line that fits, whether it was written already or will be; rejects when it ends first. */
  async logged(fits: (line: LogLine) => boolean, ms: number = END_MS): Promise<LogLine> {
    return withDeadline(
      new Promise<LogLine>((resolve, reject) => {
        const watch = () => {
          const line = this.#log.find(fits);
          const ended = this.#child.exitCode !== null || this.#child.signalCode !== null;
          if (!line && !ended) return;
          this.#watchers.delete(watch);
          if (line) resolve(line);
          else
            reject(new Error(`the ${this.kind} ended: ${this.#errors || JSON.stringify(this.#log.at(-1))}`));
        };
        this.#watchers.add(watch);
        watch();
      }),
      ms,
      `a line of log of the ${this.kind}`,
    );
  }

  /** Sends the signal without waiting for what follows. */
  signal(signal: NodeJS.Signals): void {
    this.#signalledAt = performance.now();
    this.#child.kill(signal);
  }

  /** Sends the signal and resolves with how it ended. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ending> {
    this.signal(signal);
    return this.ended();
  }

  /** Resolves when it ends, however long it runs. */
  get end(): Promise<Ending> {
    return this.#ended;
  }

  ended(): Promise<Ending> {
    return withDeadline(this.#ended, END_MS, `the end of the ${this.kind}`);
  }

  /** `kill -9`. */
  kill(): Promise<Ending> {
    return this.stop('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.kill();
  }

  #fatal(): string {
    const line = this.#log.find(({ level }) => level === FATAL);
    const { stack } = (line?.['err'] ?? {}) as { readonly stack?: string };
    return [line?.msg, stack, this.#errors].filter(Boolean).join('\n');
  }

  #read(line: string): void {
    try {
      this.#log.push(JSON.parse(line) as LogLine);
    } catch {
      this.#errors += `${line}\n`;
    }
    for (const watch of this.#watchers) watch();
  }
}

const children = new Set<ChildProcess>();

function killChildren(): void {
  for (const child of children) child.kill('SIGKILL');
}

/** One listener for all of them. */
function mustNotOutliveUs(child: ChildProcess): void {
  if (children.size === 0) process.on('exit', killChildren);
  children.add(child);
  child.once('close', () => {
    children.delete(child);
    if (children.size === 0) process.off('exit', killChildren);
  });
}
