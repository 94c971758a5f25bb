#!/usr/bin/env node
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { readVersion } from '../shared/version.js';
import { audit } from './audit.js';
import { clear } from './clear.js';
import { UndecidedError, UsageError, type Command, type Terminal, type Values } from './command.js';
import { count } from './count.js';
import { drill } from './drill.js';
import { quarantine } from './quarantine.js';
import { setup } from './setup.js';
import { watch } from './watch.js';

const COMMANDS: readonly Command[] = [setup, count, audit, clear, quarantine, drill, watch];

const HELP = `Usage: tally COMMAND [OPTIONS]

Tally answers calculations and logs every one of them to InfluxDB: none lost, none counted twice.

Commands:
${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`).join('\n')}

Every command takes --json (one document on standard output and nothing else; of watch one a line) and --help.
Where the stores are comes from the environment: INFLUX_URL, INFLUX_BUCKET, INFLUX_ORG, INFLUX_TOKEN, DATABASE_URL.
Exit codes: 0 done, 1 failed or declined, 2 not understood; audit has its own.
`;

process.exitCode = await run(process.argv.slice(2));

async function run(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === '--version') return say(readVersion(process.env).version);
  if (name === undefined || name === '--help' || name === 'help') return say(HELP.trimEnd());
  try {
    const command = COMMANDS.find((candidate) => candidate.name === name);
    if (!command) throw new UsageError(`there is no command "${name}"`);
    const { values, words } = parse(command, rest);
    if (values['help']) {
      const { positionals, help } = command;
      return say(`Usage: tally ${name}${positionals ? ` ${positionals}` : ''} [OPTIONS]\n\n${help}`);
    }
    return await command.run(values, terminal(values['json'] === true), words);
  } catch (error) {
    const { message } = error as Error;
    process.stderr.write(`tally: ${message}\n`);
    if (error instanceof UsageError) process.stderr.write('Say tally --help to see how it is used.\n');
    return error instanceof UsageError || error instanceof UndecidedError ? 2 : 1;
  }
}

function parse({ options, positionals }: Command, args: string[]): { values: Values; words: string[] } {
  try {
    const common = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const;
    const allowPositionals = positionals !== undefined;
    const parsed = parseArgs({ args, options: { ...options, ...common }, strict: true, allowPositionals });
    return { values: parsed.values, words: parsed.positionals };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function terminal(json: boolean): Terminal {
  return {
    env: process.env,
    print: (text, data) => void say(json ? JSON.stringify(data) : text),
    ask: async (question) => {
      if (!process.stdin.isTTY) return undefined;
      const lines = createInterface({ input: process.stdin, output: process.stderr });
      try {
        return await lines.question(question);
      } finally {
        lines.close();
      }
    },
  };
}

function say(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}
