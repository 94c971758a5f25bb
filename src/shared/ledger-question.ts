import postgres, { type Sql } from 'postgres';
import { DeadlineError, withDeadline } from './deadline.js';
import { SECOND } from './duration.js';
import type { Postgres } from './postgres.js';

/** A statement over millions of rows takes seconds; one that takes longer counts as not answered. */
const DEADLINE_MS = 30 * SECOND;

const UNDEFINED_TABLE = '42P01';

/** Why a question was not answered. `code` is `'LEDGER'`; the message is made to be printed as it is. */
class LedgerError extends Error {
  readonly code = 'LEDGER';

  constructor(cause: unknown) {
    super(inWords(cause as Error), { cause });
    this.name = 'LedgerError';
  }
}

/**
 * Asks the ledger something outside the way of a chunk. A connection on which no answer comes is given up, and every
 * other of `database` with it.
 *
 * @throws {LedgerError} when it does not answer, or not in time.
 */
export async function askLedger<T>(
  database: Postgres,
  question: (sql: Sql) => PromiseLike<T>,
  deadlineMs = DEADLINE_MS,
): Promise<T> {
  try {
    return await withDeadline(question(database.sql), deadlineMs, 'its answer');
  } catch (error) {
    if (error instanceof DeadlineError) database.reset();
    throw new LedgerError(error);
  }
}

function inWords(error: Error & { code?: string }): string {
  if (error instanceof postgres.PostgresError) {
    const remedy = error.code === UNDEFINED_TABLE ? '; tally setup makes its tables' : '';
    return `The ledger answered: ${error.message}${remedy}`;
  }
  return `The ledger does not answer: ${error.message || error.code || error.name}`;
}
