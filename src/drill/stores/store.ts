export type StoreName = 'redis' | 'postgres' | 'influxdb';

/**
 * A real server that Tally runs on, with data of its own. Calls on one store run one after the other; each is
 * idempotent.
 */
export interface Store extends AsyncDisposable {
  readonly name: StoreName;
  /** Where the server comes from, for people: a binary, an image, a variable. */
  readonly origin: string;
  /** Stays the same across stop, kill and start. */
  readonly url: string;
  /** What Tally needs to use it, such as `REDIS_URL`. Names that must not come from elsewhere are given as `''`. */
  readonly environment: Readonly<Record<string, string>>;
  /** Whether it was running before us: then {@link start}, {@link stop} and {@link kill} reject with `EXTERNAL`. */
  readonly external: boolean;
  /** Resolves when it answers. */
  start(): Promise<void>;
  /** Ends it gracefully; its data stays. */
  stop(): Promise<void>;
  /** `kill -9`; its data stays. Resolves when no process of it is left. */
  kill(): Promise<void>;
  /** Ends it and deletes its data. */
  [Symbol.asyncDispose](): Promise<void>;
}

export type StoreErrorCode =
  /** It did not start, or did not answer in time; the message ends with the last lines of its log. */
  | 'START'
  /** It did not end when asked to and was killed. */
  | 'STOP'
  /** It is not ours to start, stop or kill. */
  | 'EXTERNAL'
  /** It is not on this machine; the message says how to get it. */
  | 'MISSING'
  /** The packages could not be installed. */
  | 'INSTALL';

export class StoreError extends Error {
  constructor(
    readonly code: StoreErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'StoreError';
  }
}

/** Environment variables, as `process.env` holds them. */
export type Environment = Readonly<Record<string, string | undefined>>;
