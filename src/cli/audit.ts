import { audit as auditStores, WindowError, type Audit, type InstanceAudit } from '../shared/audit/audit.js';
import { makeDue, type Repaired } from '../shared/audit/audit-ledger.js';
import type { Tally } from '../shared/audit/audit-tally.js';
import { INFLUX_VARIABLES, LEDGER_VARIABLES, readVariables } from '../shared/configuration.js';
import { DAY } from '../shared/duration.js';
import { Influx } from '../shared/influx.js';
import { UndecidedError, UsageError, type Command, type Terminal, type Values } from './command.js';
import { openLedgerDatabase } from './ledger-database.js';
import { durationOption } from './options.js';

/** Chunks named to people; with `--json` all are. */
const CHUNKS_SHOWN = 20;

export const audit: Command = {
  name: 'audit',
  summary: 'prove that what was accepted is stored, from the stores themselves',
  help: `Compares what the ledger says was accepted with what InfluxDB itself counts, by API process and in total, and
names the chunks that differ. Pending is what is not due yet.

Options:
  --since D   chunks accepted in the last D, such as 1h (default 24h)
  --repair    make the chunks that miss operations due again; sending again what is there changes nothing

Exit codes: 0 balanced, 1 something is missing or there is too much, 2 could not tell: a store does not answer or does
not reach back so far, or the ledger lacks chunk numbers.

Example:
  tally audit --since 1h --repair`,
  options: { since: { type: 'string' }, repair: { type: 'boolean' } },
  async run(values, terminal) {
    try {
      return await run(values, terminal);
    } catch (error) {
      throw error instanceof UsageError
        ? error
        : new UndecidedError(reasonOf(error as Error), { cause: error });
    }
  },
};

async function run(values: Values, { env, print }: Terminal): Promise<number> {
  const sinceMs = durationOption('since', values['since']) ?? DAY;
  const config = readVariables({ ...INFLUX_VARIABLES, ...LEDGER_VARIABLES }, env);
  using influx = new Influx(config);
  await using postgres = openLedgerDatabase(config);
  const result = await auditStores({ postgres, influx, bucket: config }, { sinceMs, narrow: true });
  const lacking = result.chunks.flatMap(({ id, missing }) => (missing > 0 ? id : []));
  const repaired = values['repair'] && lacking.length > 0 ? await makeDue(postgres, lacking) : undefined;
  print(inWords(result, repaired), { ...result, ...(repaired && { repaired }) });
  if (result.missing > 0 || result.extra > 0) return 1;
  return result.balanced ? 0 : 2;
}

function reasonOf(error: Error): string {
  const remedy = error instanceof WindowError ? `; --since ${error.longest} would do` : '';
  return `could not tell: ${error.message}${remedy}`;
}

function inWords(result: Audit, repaired: Repaired | undefined): string {
  return [
    ...table(result),
    ...result.gaps.map(
      ({ instance, from, to }) =>
        `The ledger lacks ${from === to ? `${instance}.${from}` : `${instance}.${from} to .${to}`}`,
    ),
    ...differences(result),
    verdict(result, repaired),
  ].join('\n');
}

function table(result: Audit): string[] {
  const columns = (
    ['accepted', 'logged', 'quarantined', 'dropped', 'pending', 'missing', 'extra'] as const
  ).filter((column) => (column !== 'dropped' && column !== 'extra') || result[column] > 0);
  const names = ['in total', ...result.instances.map(({ instance }) => instance)];
  const width = Math.max(...names.map(({ length }) => length));
  const row = (name: string, tally: Tally) =>
    `${name.padEnd(width)}${columns.map((column) => String(tally[column]).padStart(13)).join('')}`;
  return [
    `${''.padEnd(width)}${columns.map((column) => column.padStart(13)).join('')}`,
    ...result.instances.map((tally: InstanceAudit) => row(tally.instance, tally)),
    row('in total', result),
  ];
}

function differences({ chunks }: Audit): string[] {
  const named = chunks
    .slice(0, CHUNKS_SHOWN)
    .map(({ id, missing, extra }) => `${id}: ${missing > 0 ? `${missing} missing` : `${extra} too many`}`);
  return chunks.length > CHUNKS_SHOWN ? [...named, `and ${chunks.length - CHUNKS_SHOWN} more`] : named;
}

function verdict({ balanced, missing, extra, gaps }: Audit, repaired: Repaired | undefined): string {
  if (balanced) return 'Balanced: what was accepted is stored, in quarantine or not due yet.';
  if (missing === 0 && extra === 0)
    return `Could not tell: the ledger lacks chunk numbers in ${gaps.length} places.`;
  const counts = [missing > 0 && `${missing} operations are missing`, extra > 0 && `${extra} are too many`];
  const found = `Not balanced: ${counts.filter((count) => count !== false).join(', ')}.`;
  if (repaired) {
    const { chunks, operations } = repaired;
    return `${found} ${chunks} chunks with ${operations} operations are due again; run it again when they are logged.`;
  }
  return missing > 0 ? `${found} tally audit --repair sends them again.` : found;
}
