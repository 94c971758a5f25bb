import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { StoreError } from '../src/drill/stores/store.js';
import { acceptance } from './acceptance.js';
import { audit } from './audit.js';
import { ledgerSize, redisMemory } from './bytes.js';
import { draining } from './draining.js';
import { influxAway } from './influx-away.js';
import { live } from './live.js';
import { liveShown } from './live-shown.js';
import { redisFlushed, redisGone, workerKilled } from './recovery.js';
import { toTable, writeResults, type Row } from './report.js';
import { refusal } from './refusal.js';
import { shutdown } from './shutdown.js';
import { tracing } from './tracing.js';

interface Group {
  readonly measures: string;
  readonly run: (quick: boolean) => Promise<readonly Row[]>;
}

const GROUPS: Readonly<Record<string, Group>> = {
  acceptance: { measures: 'requests/s and p99 of POST /sum ÷ without logging', run: acceptance },
  draining1: { measures: 'drained operations/s on InfluxDB 1.x', run: (quick) => draining('1.x', quick) },
  draining2: { measures: 'drained operations/s on InfluxDB 2.x', run: (quick) => draining('2.x', quick) },
  'redis-memory': { measures: 'Redis memory per queued operation', run: redisMemory },
  'ledger-size': { measures: 'ledger bytes per logged operation', run: ledgerSize },
  'influx-away': {
    measures: 'worker memory while InfluxDB is away; lines sent when it is back',
    run: influxAway,
  },
  'worker-killed': { measures: 'kill -9 of a worker to all in InfluxDB', run: workerKilled },
  'redis-flushed': { measures: 'FLUSHALL to all in InfluxDB', run: redisFlushed },
  'redis-gone': { measures: 'operations/s drained from the ledger alone', run: redisGone },
  audit: { measures: 'tally audit, one chunk missing', run: audit },
  refusal: { measures: 'refusing the worst body ÷ by schema', run: refusal },
  shutdown: { measures: 'SIGTERM to exit of a worker', run: shutdown },
  live: { measures: 'requests/s of POST /sum with ten live pages open ÷ with none', run: live },
  'live-shown': { measures: 'an accepted operation to its being shown on the live page', run: liveShown },
  tracing: { measures: 'requests/s of POST /sum with tracing ÷ without', run: tracing },
};

const HELP = `Measures what Tally promises to reach, as ratios within one run.

npm run bench -- [--quick] [--only NAME[,NAME]] [--list]

  --quick   shorter, and so less certain
  --only    these groups alone
  --list    the groups
`;

const RESULTS = fileURLToPath(new URL('results', import.meta.url));

const say = (text: string) => process.stdout.write(`${text}\n`);

/** What a group measured, or why it could not. */
async function measure(name: string, { run }: Group, quick: boolean): Promise<readonly Row[]> {
  const started = Date.now();
  try {
    return await run(quick);
  } catch (error) {
    const { message, stack } = error as Error;
    const missing = error instanceof StoreError && error.code === 'MISSING';
    if (!missing) process.stderr.write(`${name}: ${stack}\n`);
    return [{ figure: name, missing: message.split('\n', 1)[0] ?? '' }]; // the other groups' figures stay
  } finally {
    process.stderr.write(`${name}: ${Math.round((Date.now() - started) / 1_000)} s\n`);
  }
}

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) say(HELP);
  if (values.list)
    for (const [name, { measures }] of Object.entries(GROUPS)) say(`${name.padEnd(14)}  ${measures}`);
  if (values.help || values.list) return 0;
  const names = values.only?.split(',') ?? Object.keys(GROUPS);
  const unknown = names.filter((name) => !(name in GROUPS));
  if (unknown.length > 0) {
    say(`There is no ${unknown.join(', ')}; there are ${Object.keys(GROUPS).join(', ')}`);
    return 1;
  }
  const startedAt = new Date().toISOString();
  const loadBefore = loadavg();
  const rows: Row[] = [];
  for (const name of names) {
    const group = GROUPS[name];
    if (group) rows.push(...(await measure(name, group, values.quick)));
  }
  const path = writeResults(RESULTS, rows, { startedAt, quick: values.quick, loadBefore });
  const load = loadBefore[0]?.toFixed(1);
  say(`\n${toTable(rows)}\n`);
  say(`Servers, stores and load share ${cpus().length} cores; before it, the load of others was ${load}.`);
  say(`Written to ${path}`);
  return rows.some((row) => 'missing' in row) ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${(error as Error).stack}\n`);
  process.exitCode = 1;
}
