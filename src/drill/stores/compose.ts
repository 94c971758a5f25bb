import { runCommand, type CommandResult } from './command.js';
import { lastLines, type Runner } from './runner.js';
import { StoreError, type Environment } from './store.js';

interface ComposeOptions {
  /** The path of a document with this one service. */
  readonly file: string;
  readonly service: string;
  readonly environment: Environment;
}

/** A server as the one service of a Docker Compose project. Who removes the project is not decided here. */
export class ComposeRunner implements Runner {
  readonly #options: ComposeOptions;

  constructor(options: ComposeOptions) {
    this.#options = options;
  }

  async isRunning(): Promise<boolean> {
    const { ok, output } = await this.#compose('ps', '--status', 'running', '--quiet');
    return ok && output.trim() !== '';
  }

  /** The first time this may download the image. */
  async launch(): Promise<void> {
    await this.#must('START', 'up', '--detach', '--no-recreate', '--quiet-pull');
  }

  async stop(): Promise<void> {
    await this.#must('STOP', 'stop');
  }

  async kill(): Promise<void> {
    if (!(await this.isRunning())) return;
    await this.#must('STOP', 'kill', '--signal', 'SIGKILL');
    // `kill` sends the signal; `stop` waits for the end.
    await this.#must('STOP', 'stop');
  }

  quit(): Promise<void> {
    return this.kill();
  }

  async lastWords(): Promise<string> {
    const { output } = await this.#compose('logs', '--no-color', '--no-log-prefix', '--tail', '20');
    return lastLines(output);
  }

  async #must(code: 'START' | 'STOP', ...args: string[]): Promise<void> {
    const { ok, output } = await this.#compose(...args);
    if (!ok) throw new StoreError(code, `docker compose ${args.join(' ')} failed:\n${lastLines(output)}`);
  }

  #compose(...args: string[]): Promise<CommandResult> {
    const { file, environment } = this.#options;
    return runCommand('docker', ['compose', '--progress', 'quiet', '--file', file, ...args], { environment });
  }
}
