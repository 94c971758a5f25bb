import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { SECOND } from '../../shared/duration.js';
import { DeadlineError, withDeadline } from '../../shared/deadline.js';
import { lastLines, STOP_SECONDS, type Runner } from './runner.js';
import { StoreError } from './store.js';
import type { TemporaryFolder } from './temporary-folder.js';

export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  /** Its working folder; its output goes to `server.log` there. */
  readonly folder: TemporaryFolder;
  readonly environment: Readonly<Record<string, string>>;
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  /** Asks for a graceful end. */
  readonly stopSignal: NodeJS.Signals;
  /** Ends it quickly where the data is not needed any more, but leaves nothing of it in the system. */
  readonly quitSignal: NodeJS.Signals;
}

interface Running {
  readonly child: ChildProcess;
  readonly gone: Promise<void>;
}

/**
 * A server in a process group of its own, so that Ctrl+C reaches us alone. Its fourth file descriptor is a pipe to us
 * that every process it forks inherits: `close` comes when the last of them has ended, not when the first has.
 */
export class ServerProcess implements Runner {
  readonly #launch: Launch;
  #running: Running | undefined;
  #failure = '';

  constructor(launch: Launch) {
    this.#launch = launch;
  }

  get #log() {
    return join(this.#launch.folder.path, 'server.log');
  }

  isRunning(): Promise<boolean> {
    return Promise.resolve(this.#running !== undefined);
  }

  launch(): Promise<void> {
    const { command, args, folder, environment, user, quitSignal } = this.#launch;
    const log = openSync(this.#log, 'a');
    try {
      const child = spawn(command, args, {
        cwd: folder.path,
        env: environment,
        detached: true,
        stdio: ['ignore', log, log, 'pipe'],
        ...user,
      });
      if (child.pid !== undefined) folder.mind({ pid: child.pid, signal: quitSignal });
      child.once('error', (error) => (this.#failure = error.message));
      const lifeline = child.stdio[3] as Socket;
      lifeline.on('error', () => undefined).resume();
      const gone = new Promise<void>((resolve) => {
        child.once('close', () => {
          folder.mind(undefined);
          this.#running = undefined;
          resolve();
        });
      });
      this.#running = { child, gone };
    } finally {
      closeSync(log);
    }
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    try {
      await this.#end(this.#launch.stopSignal, STOP_SECONDS * SECOND);
    } catch (error) {
      if (!(error instanceof DeadlineError)) throw error;
      await this.kill();
      throw new StoreError('STOP', `${this.#launch.command}: ${error.message}; it was killed`);
    }
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL', STOP_SECONDS * SECOND);
  }

  quit(): Promise<void> {
    return this.#end(this.#launch.quitSignal, STOP_SECONDS * SECOND);
  }

  async lastWords(): Promise<string> {
    const log = await readFile(this.#log, 'utf8').catch(() => '');
    return lastLines(`${log}${this.#failure}`);
  }

  async #end(signal: NodeJS.Signals, deadlineMs: number): Promise<void> {
    if (this.#running === undefined) return;
    const { child, gone } = this.#running;
    child.kill(signal);
    await withDeadline(gone, deadlineMs, `ending after ${signal}`);
  }
}
