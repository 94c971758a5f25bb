/** How a server is run: as a process or as a container. None of this is called twice at the same time. */
export interface Runner {
  isRunning(): Promise<boolean>;
  /** Resolves when the server was started, which is before it answers. */
  launch(): Promise<void>;
  /** Resolves when it has ended. Rejects with `STOP` when it had to be killed. */
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** Ends it quickly: nobody needs its data any more. */
  quit(): Promise<void>;
  /** The last lines of its log. */
  lastWords(): Promise<string>;
}

/** How long a server may take to end gracefully. */
export const STOP_SECONDS = 30;

export function lastLines(log: string): string {
  return log.trimEnd().split('\n').slice(-20).join('\n');
}
