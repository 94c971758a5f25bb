import type { Sql } from 'postgres';

/** One setup at a time; any number that nobody else uses for the same database. */
const LOCK = 7_416_237;

/**
 * The ledger's tables, step by step. A step that was released is never changed, and each only adds, so that the version
 * before runs beside it during a deploy.
 */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE chunks (
     id          text PRIMARY KEY,                     -- <instance>.<seq>
     instance    text NOT NULL,
     seq         bigint NOT NULL,
     operations  integer NOT NULL,                     -- 0: refused, only its number is accounted for
     first_at    bigint NOT NULL,                      -- Unix time in nanoseconds, as in InfluxDB
     last_at     bigint NOT NULL,
     lines       text NOT NULL,
     accepted_at timestamptz NOT NULL DEFAULT now(),
     due_at      timestamptz NOT NULL,                 -- when the relay may take it, unless it is logged
     logged_at   timestamptz
   );
   -- Lines lie compressed and out of the row, so that marking a chunk logged does not copy them.
   ALTER TABLE chunks SET (toast_tuple_target = 128, autovacuum_vacuum_scale_factor = 0.05);
   CREATE INDEX chunks_due ON chunks (due_at) WHERE logged_at IS NULL;
   CREATE INDEX chunks_logged ON chunks (logged_at) WHERE logged_at IS NOT NULL;
   CREATE INDEX chunks_range ON chunks (instance, first_at);

   CREATE TABLE quarantine (
     id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     chunk_id   text NOT NULL,
     line       text NOT NULL,
     reason     text NOT NULL,                         -- what InfluxDB said
     status     integer NOT NULL,                      -- the HTTP status it said it with; 0: never sent
     refused_at timestamptz NOT NULL DEFAULT now(),
     dropped_at timestamptz                            -- someone decided that it is not to be stored
   );
   CREATE UNIQUE INDEX quarantine_line ON quarantine (chunk_id, md5(line));

   CREATE TABLE forgotten (                            -- which chunks were deleted on purpose
     instance text PRIMARY KEY,
     seq      bigint NOT NULL,                         -- up to this one
     last_at  bigint                                   -- of the last that InfluxDB may still hold
   );`,
  `CREATE UNLOGGED TABLE heartbeats (                  -- how the processes are; worth nothing a minute later
     instance  text PRIMARY KEY,
     heartbeat text NOT NULL,
     beat_at   timestamptz NOT NULL
   ) WITH (fillfactor = 50);                           -- room for each to be written anew in its place`,
];

/**
 * Brings the ledger's tables up to date, one process at a time. Resolves with how many steps that took, 0 when there
 * was nothing to do.
 */
export async function migrate(sql: Sql): Promise<number> {
  return sql.begin(async (transaction) => {
    await transaction`SELECT pg_advisory_xact_lock(${LOCK})`;
    await transaction`CREATE TABLE IF NOT EXISTS ledger_migrations (
      step integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`;
    const [{ done }] = await transaction<
      [{ done: number }]
    >`SELECT count(*)::integer AS done FROM ledger_migrations`;
    for (const [step, statements] of MIGRATIONS.entries()) {
      if (step < done) continue;
      await transaction.unsafe(statements);
      await transaction`INSERT INTO ledger_migrations (step) VALUES (${step})`;
    }
    return Math.max(0, MIGRATIONS.length - done);
  });
}
