import type { ISql, Sql } from 'postgres';
import { LEDGER_VARIABLES, readVariables } from '../shared/configuration.js';
import { askLedger } from '../shared/ledger-question.js';
import { UsageError, type Command, type Terminal, type Values } from './command.js';
import { openLedgerDatabase } from './ledger-database.js';

const HELP = `Lines that InfluxDB refused for good are kept in the ledger, with what it said, until someone decides on them.

  list           show them: id, when, the HTTP status InfluxDB answered with (0: never sent), what it said, the line
  retry ID...    send them again, as everything else is sent: what is refused again comes back under another id.
                 A chunk is sent whole, so the other lines of the same chunk go with them
  drop ID...     decide that they are not to be stored. The audit goes on counting them, as dropped

Options:
  --all       retry, drop: every line in quarantine, instead of ids
  --yes       drop: do not ask
  --limit N   list: the first N lines (default 100; with --json all)

The ledger is in Postgres, at DATABASE_URL. Exit code 1: some lines could not be retried, or you declined.

Examples:
  tally quarantine list
  tally quarantine retry 17 18
  tally quarantine retry --all
  tally quarantine drop --all --yes --json`;

const EMPTY = 'The quarantine is empty.';

const DEFAULT_LIMIT = 100;

/** Lines that were not dropped: all, or those with these ids. */
type Which = 'all' | readonly string[];

interface Asked {
  /** Puts a question to the ledger. */
  readonly ask: <T>(question: (sql: Sql) => PromiseLike<T>) => Promise<T>;
  readonly which: Which;
  /** How many lines to show. */
  readonly limit: number | null;
  readonly confirmed: boolean;
  readonly terminal: Terminal;
}

interface Action {
  readonly options: readonly string[];
  readonly run: (asked: Asked) => Promise<number>;
}

const ACTIONS: ReadonlyMap<string, Action> = new Map([
  ['list', { options: ['limit'], run: list }],
  ['retry', { options: ['all'], run: retry }],
  ['drop', { options: ['all', 'yes'], run: drop }],
]);

export const quarantine: Command = {
  name: 'quarantine',
  summary: 'list, retry or drop the lines that InfluxDB refused for good',
  positionals: 'list|retry|drop [ID...]',
  help: HELP,
  options: { all: { type: 'boolean' }, yes: { type: 'boolean' }, limit: { type: 'string' } },
  async run(values, terminal, [name, ...ids] = []) {
    const { options, run } = actionOf(name, values);
    const which = options.includes('all') ? whichOf(ids, values) : noneOf(ids);
    const limit = limitOf(values);
    await using postgres = openLedgerDatabase(readVariables(LEDGER_VARIABLES, terminal.env));
    return await run({
      ask: (question) => askLedger(postgres, question),
      which,
      limit,
      confirmed: values['yes'] === true,
      terminal,
    });
  },
};

function actionOf(name: string | undefined, values: Values): Action {
  const action = ACTIONS.get(name ?? '');
  if (!action) {
    const fault = name === undefined ? 'it was not said what to do' : `"${name}" is nothing it can do`;
    throw new UsageError(`quarantine: ${fault}; expected list, retry or drop`);
  }
  const others = Object.keys(quarantine.options).filter((option) => !action.options.includes(option));
  const strange = others.filter((option) => values[option] !== undefined).map((option) => `--${option}`);
  if (strange.length > 0) throw new UsageError(`quarantine ${name} does not take ${strange.join(', ')}`);
  return action;
}

function noneOf(ids: readonly string[]): Which {
  if (ids.length > 0) throw new UsageError(`quarantine list takes no ids: ${ids.join(', ')}`);
  return 'all';
}

function whichOf(ids: readonly string[], { all }: Values): Which {
  const strange = ids.filter((id) => !/^\d{1,15}$/.test(id)).map((id) => JSON.stringify(id));
  if (strange.length > 0)
    throw new UsageError(`${strange.join(', ')}: expected ids, numbers as tally quarantine list shows them`);
  if (all ? ids.length > 0 : ids.length === 0)
    throw new UsageError('quarantine: say which lines, by their ids or with --all');
  return all ? 'all' : [...new Set(ids.map((id) => String(Number(id))))];
}

function limitOf({ limit, json }: Values): number | null {
  if (limit === undefined) return json ? null : DEFAULT_LIMIT;
  if (!/^[1-9]\d{0,8}$/.test(String(limit)))
    throw new UsageError(`--limit: "${String(limit)}" is not a number of lines; expected one from 1 on`);
  return Number(limit);
}

interface KeptLine {
  readonly id: number;
  readonly chunk: string;
  readonly line: string;
  readonly reason: string;
  readonly status: number;
  readonly refusedAt: Date;
}

async function list({ ask, limit, terminal }: Asked): Promise<number> {
  const rows = await ask(
    (sql) => sql<(KeptLine & { total: number })[]>`
      SELECT id::float8, chunk_id AS chunk, line, reason, status, refused_at AS "refusedAt",
             (count(*) OVER ())::float8 AS total
      FROM quarantine WHERE dropped_at IS NULL ORDER BY quarantine.id LIMIT ${limit}`,
  );
  const more = (rows[0]?.total ?? 0) - rows.length;
  const text = [...rows.map(inWords), ...(more > 0 ? [`and ${more} more`] : [])];
  const lines = rows.map(({ id, chunk, line, reason, status, refusedAt }) => {
    return { id, chunk, line, reason, status, refusedAt: refusedAt.toISOString() };
  });
  terminal.print(rows.length > 0 ? text.join('\n') : EMPTY, { lines });
  return 0;
}

function inWords({ id, refusedAt, status, reason, line }: KeptLine): string {
  return `${id}  ${refusedAt.toISOString()}  ${status}  ${harmless(reason)}\n    ${harmless(line)}`;
}

/** Of what could not be read nobody knows how long it is, or what it does to a terminal. */
function harmless(text: string): string {
  const shown = text.length > 500 ? `${text.slice(0, 500)}…` : text;
  return shown.replace(
    /[\p{C}\u2028\u2029]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

interface ChosenLine {
  readonly id: number;
  readonly chunk: string;
  readonly status: number;
}

/** The chosen lines, and the ids that are none of them. In a transaction nobody else decides on them until its end. */
async function choose(sql: ISql, which: Which) {
  const lines = await sql<ChosenLine[]>`
    SELECT id::float8, chunk_id AS chunk, status FROM quarantine
    WHERE dropped_at IS NULL ${which === 'all' ? sql`` : sql`AND id = ANY (${which as string[]}::bigint[])`}
    ORDER BY quarantine.id FOR UPDATE`;
  const found = new Set(lines.map(({ id }) => String(id)));
  return { lines, unknown: which === 'all' ? [] : which.filter((id) => !found.has(id)) };
}

function requireNone(unknown: readonly string[]): void {
  if (unknown.length > 0)
    throw new UsageError(`the quarantine has no ${unknown.join(', ')}; nothing was done`);
}

async function retry({ ask, which, terminal }: Asked): Promise<number> {
  const { unknown, chosen, retried, left } = await ask((sql) =>
    sql.begin((transaction) => sendAgain(transaction, which)),
  );
  requireNone(unknown);
  const along = retried - (chosen - left.length);
  const text = [
    `${inNumber(retried)} sent again${along > 0 ? `, ${along} of them because their chunks are` : ''}.`,
    ...left.map(({ id, why }) => `${id} stays: ${why}.`),
  ];
  terminal.print(chosen > 0 ? text.join('\n') : EMPTY, { retried, left });
  return left.length > 0 ? 1 : 0;
}

/**
 * Makes the chunks due, whole, and takes their lines out of quarantine: also those that nobody chose, or they would
 * stay there although they may be stored now.
 */
async function sendAgain(sql: ISql, which: Which) {
  const { lines, unknown } = await choose(sql, which);
  if (unknown.length > 0) return { unknown, chosen: 0, retried: 0, left: [] };
  // One that is not logged yet may be in a worker's hand, which would mark it logged without the line.
  const due = await sql<{ id: string }[]>`
    UPDATE chunks SET logged_at = NULL, due_at = now()
    WHERE id = ANY (${lines.map(({ chunk }) => chunk)}) AND logged_at IS NOT NULL AND operations > 0
    RETURNING id`;
  const chunks = new Set(due.map(({ id }) => id));
  const { count: retried } = await sql`
    DELETE FROM quarantine WHERE chunk_id = ANY (${[...chunks]}) AND dropped_at IS NULL`;
  const left = lines.filter(({ chunk }) => !chunks.has(chunk));
  return { unknown, chosen: lines.length, retried, left: await reasons(sql, left) };
}

async function reasons(sql: ISql, left: readonly ChosenLine[]) {
  const rows = await sql<{ id: string }[]>`
    SELECT id FROM chunks WHERE id = ANY (${left.map(({ chunk }) => chunk)}) AND operations > 0`;
  const unlogged = new Set(rows.map(({ id }) => id));
  return left.map(({ id, chunk, status }) => {
    if (unlogged.has(chunk))
      return { id, why: 'its chunk is still on its way; retry it when that is logged' };
    const unreadable = 'this version could not read it, so it was never sent, and ';
    return { id, why: `${status === 0 ? unreadable : ''}its chunk is not in the ledger` };
  });
}

async function drop({ ask, which, confirmed, terminal }: Asked): Promise<number> {
  const { lines, unknown } = await ask((sql) => choose(sql, which));
  requireNone(unknown);
  if (lines.length === 0) {
    terminal.print(EMPTY, { dropped: 0 });
    return 0;
  }
  if (!confirmed && !(await confirm(terminal, lines.length))) {
    terminal.print('Nothing was dropped.', { dropped: 0 });
    return 1;
  }
  // What was refused since the question is not among the answered.
  const { count: dropped } = await ask(
    (sql) => sql`
      UPDATE quarantine SET dropped_at = now()
      WHERE id = ANY (${lines.map(({ id }) => String(id))}::bigint[]) AND dropped_at IS NULL`,
  );
  terminal.print(`${inNumber(dropped)} dropped.`, { dropped });
  return 0;
}

async function confirm({ ask }: Terminal, lines: number): Promise<boolean> {
  const answer = await ask(`Drop ${inNumber(lines)}, so that nobody stores them? [y/N] `);
  if (answer === undefined) throw new UsageError('there is no terminal to ask on; say --yes');
  return /^y(es)?$/i.test(answer.trim());
}

const inNumber = (lines: number) => (lines === 1 ? '1 line' : `${lines} lines`);
