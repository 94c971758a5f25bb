import { parseArgs } from 'node:util';
import { SECOND } from '../shared/duration.js';
import { demo } from './demo.js';
import { openStores } from './stores/open-stores.js';

const HELP = `npm run demo [-- OPTIONS]

Starts Redis, Postgres and InfluxDB of its own, and Tally on them; drives load; deploys Tally in mid-load with SIGTERM to
the old API and worker; and counts. Exit code 0 only when nothing was lost, nothing counted twice and no request failed.

  --seconds N       how long the load lasts, at least 10 (default 12)
  --connections N   keep-alive connections (default 50)
  --keep            leave it running afterwards and print the addresses; Ctrl+C ends it
`;

const say = (line: string) => void process.stdout.write(`${line}\n`);

/** By convention the exit code of a program that Ctrl+C ended. */
const INTERRUPTED = 130;

process.exitCode = await run();

async function run(): Promise<number> {
  const stopped = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stopped.abort());
  const { signal } = stopped;
  try {
    const options = readOptions();
    if (!options) return 0;
    await using stores = await openStores({ report: say });
    return (await demo({ ...options, environment: stores.environment, signal, say })) ? 0 : 1;
  } catch (error) {
    if (signal.aborted) return INTERRUPTED;
    process.stderr.write(`${(error as Error).message}\n`);
    return 1;
  }
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '12' },
      connections: { type: 'string', default: '50' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false, short: 'h' },
    },
  });
  if (values.help) {
    say(HELP);
    return undefined;
  }
  return {
    loadMs: wholeNumber('seconds', values.seconds, 10) * SECOND,
    connections: wholeNumber('connections', values.connections, 1),
    keep: values.keep,
  };
}

function wholeNumber(name: string, text: string, least: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least) return number;
  throw new Error(`--${name}: "${text}" is not a whole number of at least ${least}`);
}
