import postgres from 'postgres';
import { MOST_CHARACTERS } from './heartbeat.js';
import type { HeartbeatStore, KeptHeartbeat } from './heartbeat-store.js';
import { Postgres, type PostgresOptions } from '../postgres.js';

/** Heartbeats in the table that `tally setup` makes, on a connection of their own. */
export class PostgresHeartbeats implements HeartbeatStore {
  readonly away = false;
  readonly #postgres: Postgres;

  constructor(options: PostgresOptions) {
    this.#postgres = new Postgres({ ...options, connections: 1 });
  }

  async write(instance: string, heartbeat: string): Promise<void> {
    await this.#postgres.sql`
      INSERT INTO heartbeats (instance, heartbeat, beat_at) VALUES (${instance}, ${heartbeat}, now())
      ON CONFLICT (instance) DO UPDATE SET heartbeat = excluded.heartbeat, beat_at = excluded.beat_at`;
  }

  async read(limit: number): Promise<readonly KeptHeartbeat[]> {
    return this.#postgres.sql<KeptHeartbeat[]>`
      SELECT instance, heartbeat FROM heartbeats
      WHERE length(instance) + length(heartbeat) <= ${MOST_CHARACTERS} LIMIT ${limit}`;
  }

  async forget(ageSeconds: number): Promise<void> {
    await this.#postgres.sql`
      DELETE FROM heartbeats WHERE beat_at < now() - ${ageSeconds} * interval '1 second'`;
  }

  isRefusal(error: unknown): boolean {
    return error instanceof postgres.PostgresError;
  }

  reset(): void {
    this.#postgres.reset();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#postgres[Symbol.asyncDispose]();
  }
}
