import type { Logger } from './log.js';

/** A process goes one way: starting → ready → draining → stopped. */
export type State = 'starting' | 'ready' | 'draining' | 'stopped';

/** Why a process drains. SIGINT is a person at a terminal, who gets the quick way. */
export type StopCause = 'SIGTERM' | 'SIGINT' | 'fatal';

/**
 * The life of one process. `ready()` moves it from starting, `stop()` to draining, `stopped()` to the end; each is
 * idempotent and none goes back. `signal` is aborted by the first `stop()`.
 */
export class Lifecycle {
  readonly #stopping = new AbortController();
  readonly #watchers: (() => void)[] = [];
  #state: State = 'starting';
  #cause: StopCause | undefined;
  #stoppingSince = 0;

  get state(): State {
    return this.#state;
  }

  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Calls back each time the state has changed. */
  onChange(watcher: () => void): void {
    this.#watchers.push(watcher);
  }

  ready(): void {
    if (this.#state === 'starting') this.#move('ready');
  }

  stop(cause: StopCause): void {
    if (this.#cause) return;
    this.#cause = cause;
    this.#stoppingSince = performance.now();
    this.#move('draining');
    this.#stopping.abort();
  }

  stopped(): void {
    this.#move('stopped');
  }

  #move(state: State): void {
    this.#state = state;
    for (const watcher of this.#watchers) watcher();
  }

  /** Milliseconds since the process began to drain. */
  get drainMs(): number {
    return Math.round(performance.now() - this.#stoppingSince);
  }

  /** Resolves with the cause as soon as the process shall drain. */
  async untilStop(): Promise<StopCause> {
    if (!this.signal.aborted) {
      await new Promise((resolve) => this.signal.addEventListener('abort', resolve, { once: true }));
    }
    return this.#cause ?? 'fatal';
  }
}

/** Signals end in this exit code by convention: 128 plus the signal's number. */
const SIGNAL_EXIT = { SIGTERM: 143, SIGINT: 130 } as const;

/**
 * Lets SIGTERM, SIGINT and fatal errors take the one way to the end. A second signal ends the process at once, and so
 * does a drain that is not over `limitMs` after it began: both say so.
 */
export function superviseProcess(lifecycle: Lifecycle, log: Logger, limitMs: number): void {
  const stop = (cause: StopCause) => {
    log.info({ cause }, 'draining');
    lifecycle.stop(cause);
    const limit = setTimeout(() => {
      log.fatal({ limitMs }, 'the drain is stuck; ending at once');
      process.exit(1);
    }, limitMs);
    limit.unref();
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (!lifecycle.signal.aborted) return stop(signal);
      log.warn({ signal }, 'second signal; ending at once');
      process.exit(SIGNAL_EXIT[signal]);
    });
  }
  const fatal = (error: unknown) => {
    log.fatal({ err: error }, 'fatal error');
    process.exitCode = 1;
    if (!lifecycle.signal.aborted) stop('fatal');
  };
  process.on('uncaughtException', fatal);
  process.on('unhandledRejection', fatal);
}
