import { setTimeout as pause } from 'node:timers/promises';
import { SECOND } from '../../shared/duration.js';
import { freePort, isFree } from './free-port.js';
import type { Runner } from './runner.js';
import { StoreError, type Store, type StoreName } from './store.js';
import type { TemporaryFolder } from './temporary-folder.js';

/** What is particular to one server, prepared to run on one port with one folder. */
export interface Server {
  readonly url: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly runner: Runner;
  /** May reject, or never settle for a second: both mean "not yet". */
  answers(): Promise<boolean>;
  /** Once, when it answers for the first time. */
  initialise?(): Promise<void>;
  /** Before each start. */
  beforeStart?(): Promise<void>;
  /** After its last end, before its folder is removed. */
  sweep?(): Promise<void>;
}

/** How to make a {@link Server}; nothing runs yet when it resolves. */
export interface Recipe {
  readonly name: StoreName;
  readonly origin: string;
  folder(): Promise<TemporaryFolder>;
  prepare(place: { readonly port: number; readonly folder: TemporaryFolder }): Promise<Server>;
}

const START_MS = 60 * SECOND;
const ASK_AGAIN_MS = 20;
const ATTEMPTS = 5;

/**
 * Starts a new server of our own and waits until it answers.
 *
 * @throws {StoreError} `START`
 */
export async function openOwnStore(recipe: Recipe): Promise<Store> {
  for (let attempt = 1; ; attempt += 1) {
    const folder = await recipe.folder();
    let store: OwnStore | undefined;
    let port = 0;
    try {
      port = await freePort();
      const server = await recipe.prepare({ port, folder });
      store = new OwnStore(recipe, server, folder);
      await store.start();
      await server.initialise?.();
      return store;
    } catch (error) {
      await (store ?? folder)[Symbol.asyncDispose]();
      // Between our asking for a free port and the server's taking it, somebody else may have come.
      if (attempt === ATTEMPTS || port === 0 || (await isFree(port))) throw error;
    }
  }
}

class OwnStore implements Store {
  readonly name: StoreName;
  readonly origin: string;
  readonly external = false;
  readonly #server: Server;
  readonly #folder: TemporaryFolder;
  #turn: Promise<unknown> = Promise.resolve();
  #disposed: Promise<void> | undefined;

  constructor({ name, origin }: Recipe, server: Server, folder: TemporaryFolder) {
    this.name = name;
    this.origin = origin;
    this.#server = server;
    this.#folder = folder;
  }

  get url() {
    return this.#server.url;
  }

  get environment() {
    return this.#server.environment;
  }

  start(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#disposed) throw new StoreError('START', `${this.name} was disposed`);
      const { runner } = this.#server;
      if (await runner.isRunning()) return;
      await this.#server.beforeStart?.();
      await runner.launch();
      await this.#answer();
    });
  }

  stop(): Promise<void> {
    return this.#inTurn(() => this.#server.runner.stop());
  }

  kill(): Promise<void> {
    return this.#inTurn(() => this.#server.runner.kill());
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#inTurn(async () => {
      try {
        await this.#server.runner.quit();
        await this.#server.sweep?.();
      } finally {
        // Ends, by force, what quit could not end.
        await this.#folder[Symbol.asyncDispose]();
      }
    });
    return this.#disposed;
  }

  async #answer(): Promise<void> {
    const { runner } = this.#server;
    const deadline = Date.now() + START_MS;
    for (;;) {
      const answered = await this.#server.answers().catch(() => false);
      const running = await runner.isRunning();
      if (answered && running) return;
      if (!running || Date.now() > deadline) {
        const fault = running ? `does not answer after ${START_MS / SECOND} s` : 'ended while it started';
        const words = await runner.lastWords();
        await runner.kill();
        throw new StoreError('START', `${this.name} (${this.origin}) ${fault}. Its log ends with:\n${words}`);
      }
      await pause(ASK_AGAIN_MS);
    }
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}
