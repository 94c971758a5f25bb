import { StoreError, type Store, type StoreName } from './store.js';

interface ExternalOptions {
  readonly name: StoreName;
  /** The variable that names it. */
  readonly origin: string;
  readonly url: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Removes what was made there. */
  cleanUp(): Promise<void>;
}

/** A server that was there before us: used in a place of our own, cleaned up, and otherwise left alone. */
export class ExternalStore implements Store {
  readonly name: StoreName;
  readonly origin: string;
  readonly url: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly external = true;
  readonly #cleanUp: () => Promise<void>;
  #disposed: Promise<void> | undefined;

  constructor(options: ExternalOptions) {
    this.name = options.name;
    this.origin = options.origin;
    this.url = options.url;
    this.environment = options.environment;
    this.#cleanUp = () => options.cleanUp();
  }

  start(): Promise<void> {
    return this.#refuse('started');
  }

  stop(): Promise<void> {
    return this.#refuse('stopped');
  }

  kill(): Promise<void> {
    return this.#refuse('killed');
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#cleanUp();
    return this.#disposed;
  }

  #refuse(what: string): Promise<never> {
    const message = `${this.name} comes from ${this.origin}: it cannot be ${what} here. Unset ${this.origin} to get one that can.`;
    return Promise.reject(new StoreError('EXTERNAL', message));
  }
}
