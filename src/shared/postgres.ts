import { connect, type Socket } from 'node:net';
import postgres, { type Sql } from 'postgres';
import { withDeadline } from './deadline.js';
import { SECOND } from './duration.js';
import type { Logger } from './log.js';

const CLOSE_MS = SECOND / 2;
const CONNECT_SECONDS = 5;

/** An array of texts, or of what is written as text, as Postgres reads it. */
const arrayOf = (oid: number) => ({
  to: oid,
  from: [],
  serialize: (items: readonly string[]) =>
    `{${items.map((item) => `"${item.replace(/["\\]/g, String.raw`\$&`)}"`).join(',')}}`,
  parse: (text: string) => text,
});

/** The arrays that statements are given. */
const ARRAYS = { texts: arrayOf(1_009), bigints: arrayOf(1_016) };

export interface PostgresOptions {
  readonly url: string;
  /** Who connects, as `pg_stat_activity` shows it. */
  readonly application: string;
  readonly log: Logger;
  /** Connections at the most. */
  readonly connections?: number;
  /** Told when a connection ends: what was held in its session is gone. */
  readonly onClose?: () => void;
}

/** Connections to Postgres that are made when needed, and again when they broke. */
export class Postgres implements AsyncDisposable {
  /** Statements as tagged templates; they reject at once while nothing listens at the address. */
  readonly sql: Sql;
  readonly #connections: number;
  readonly #sockets = new Set<Socket>();
  readonly #onClose: () => void;

  constructor({ url, application, log, connections = 4, onClose = () => undefined }: PostgresOptions) {
    this.#connections = connections;
    this.#onClose = onClose;
    const options = {
      max: connections,
      connect_timeout: CONNECT_SECONDS,
      // Whoever uses it decides when to try again; waiting here would only be waited for in vain.
      backoff: () => 0,
      // The library would ask for them on each new connection, and nobody hears it when that one breaks meanwhile.
      fetch_types: false,
      types: ARRAYS,
      connection: { application_name: application },
      onnotice: (notice: object) => log.debug({ notice }, 'postgres'),
      socket: ({ host, port }: { host: string[]; port: number[] }) => this.#connect(host[0], port[0]),
    };
    this.sql = postgres(url, options);
  }

  /**
   * Resolves when Postgres answers. Every connection is asked before: the library answers the first statement after a
   * broken connection with the error that broke it, however long ago that was.
   */
  async ping(): Promise<void> {
    await Promise.allSettled(Array.from({ length: this.#connections }, () => this.sql`SELECT 1`));
    await this.sql`SELECT 1`;
  }

  /** Gives up every connection, stalled ones too: what is on its way fails, what comes next gets new ones. */
  reset(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** The library ends a stalled connection politely, and so never; these can be ended for good. */
  #connect(host = 'localhost', port = 5432): Socket {
    // The library writes at once and reads the name for TLS from here.
    const socket = Object.assign(connect({ host, port, keepAlive: true }), { host });
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#onClose();
    });
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await withDeadline(this.sql.end(), CLOSE_MS, 'closing postgres').catch(() => undefined);
    this.reset();
  }
}
