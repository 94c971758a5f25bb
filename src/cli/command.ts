import type { ParseArgsConfig } from 'node:util';

/** Input that a command cannot take; it ends the program with exit code 2 and the message. */
export class UsageError extends Error {
  readonly code = 'USAGE';
}

/** A question that could not be decided; it ends the program with exit code 2 and the message. */
export class UndecidedError extends Error {
  readonly code = 'UNDECIDED';
}

/** Where a command's words go, and what it reads. */
export interface Terminal {
  readonly env: NodeJS.ProcessEnv;
  /** One document on standard output: a text for people, or the data as JSON when `--json` was given. */
  readonly print: (text: string, data: unknown) => void;
  /** Asks on standard error, and resolves with the answer, or `undefined` when there is nobody to ask. */
  readonly ask: (question: string) => Promise<string | undefined>;
}

export type Values = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** One command of `tally`. `run` resolves with the exit code. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  /** The words that follow the name, as the usage line shows them; without it there are none. */
  readonly positionals?: string;
  /** All of `tally NAME --help` below the usage line. */
  readonly help: string;
  readonly options: NonNullable<ParseArgsConfig['options']>;
  readonly run: (values: Values, terminal: Terminal, words?: readonly string[]) => Promise<number>;
}
