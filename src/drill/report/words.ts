import type { DrillResult, Running } from '../drill.js';
import type { Progress } from '../watch.js';
import type { Ended } from '../processes/fleet.js';
import { percentile, type Audited } from '../verdict/judgement.js';
import type { Happened } from '../perform.js';

/** A line of a table; a bad one says that something does not hold. */
export interface Row {
  readonly name: string;
  readonly value: string;
  readonly bad?: boolean;
}

const NAME_WIDTH = 48;

const count = (name: string, value: number, bad = false): Row => ({ name, value: thousands(value), bad });

const mustBeNone = (name: string, value: number) => count(name, value, value > 0);

export function requestRows({
  judgement: { requests, unexplained },
  tool,
}: Pick<DrillResult, 'judgement' | 'tool'>): readonly Row[] {
  const { sent, answered, refused, reset, timedOut, killed, excused } = requests;
  if (tool)
    return [
      count('requests, as the tool counts them', sent),
      count('answered with 200', answered),
      mustBeNone('failed', sent - answered),
    ];
  const clients = [...new Set(unexplained.map(({ client }) => client))].sort();
  return [
    count('requests', sent),
    count('answered with 200', answered),
    count('refused, reset or timed out', refused + reset + timedOut),
    count('  in flight on a killed process', killed),
    count('  sent to it before the balancer knew, or no store', excused),
    mustBeNone(
      `  for no good reason${clients.length > 0 ? `: ${clients.join(', ')}` : ''}`,
      requests.unexplained,
    ),
  ];
}

export function operationRows({
  judgement: { operations },
  foreign,
  tool,
}: Pick<DrillResult, 'judgement' | 'foreign' | 'tool'>): readonly Row[] {
  const { stored, lost, twice, wrong, invented } = operations;
  if (tool)
    return [
      count('operations in InfluxDB', stored),
      mustBeNone('fewer than were answered', lost),
      mustBeNone('more than were sent', twice),
    ];
  return [
    count(foreign ? 'operations of this drill in InfluxDB' : 'operations in InfluxDB', stored),
    mustBeNone('acknowledged and lost', lost),
    mustBeNone('counted twice', twice),
    mustBeNone('with another result', wrong),
    mustBeNone(foreign ? 'of this drill, that it did not ask for' : 'that nobody asked for', invented),
  ];
}

/** What was measured on the way. */
export function factsOf({
  judgement,
  record,
  logTimes,
  ended,
  loadMs,
  events,
  tool,
  samples,
}: DrillResult): readonly Row[] {
  const failed = new Set(record.failed.map(({ serial }) => serial));
  const took = record.tookMs
    .filter((_, index) => !failed.has(index + 1))
    .sort((one, other) => one - other)
    .map((ms) => ({ ms, operations: 1 }));
  const three = (values: typeof took | typeof logTimes, write: (ms: number) => string) =>
    [0.5, 0.99, 1].map((share) => write(percentile(share, values))).join(' / ');
  return [
    {
      name: 'answers per second',
      value: thousands(Math.round((judgement.requests.answered / loadMs) * 1_000)),
    },
    ...(tool
      ? []
      : [{ name: 'answered after, p50 / p99 / max', value: three(took, (ms) => `${ms.toFixed(0)} ms`) }]),
    ...(logTimes.length > 0
      ? [{ name: 'accepted to logged, p50 / p99 / max', value: three(logTimes, seconds) }]
      : []),
    { name: 'events', value: String(events.length) },
    { name: "the machine's load for each core, at most", value: mostPressure(samples) },
    ...longestEnds(ended),
  ];
}

const mostPressure = (samples: DrillResult['samples']) =>
  samples.reduce((most, { pressure }) => Math.max(most, pressure), 0).toFixed(1);

function longestEnds(ended: readonly Ended[]): Row[] {
  return (['api', 'worker'] as const).flatMap((kind) => {
    const asked = ended.filter((one) => one.kind === kind && one.why === 'asked');
    const longest = asked.reduce((most, { ending }) => Math.max(most, ending.ms), 0);
    const name = `${kind} processes asked to end; the slowest took`;
    return asked.length > 0 ? { name, value: `${asked.length}; ${seconds(longest)}` } : [];
  });
}

function promiseOf({ tool, foreign }: DrillResult): string {
  if (tool) return 'no request failed, and InfluxDB counts as many as were answered.';
  const own = foreign
    ? ' Judged were the operations of this drill alone: others may use the deployment too.'
    : '';
  return `everything acknowledged is stored, once, and as it was asked for.${own}`;
}

function describeAudit({ accepted, logged, missing, extra }: Audited): string {
  const balance = missing + extra === 0 ? 'balanced' : 'not balanced';
  const counts = `${thousands(accepted)} accepted, ${thousands(logged)} logged, ${thousands(missing)} missing`;
  return `Audit: ${balance}: ${counts}${extra > 0 ? `, ${thousands(extra)} too many` : ''}.`;
}

/** When, what, to what, how long until it was back, and until all that was accepted before was logged. */
export function eventRows(events: readonly Happened[]): readonly (readonly string[])[] {
  return events.map(({ what, target, fromMs, healedMs, recoveryMs }) => [
    seconds(fromMs),
    what,
    target,
    seconds(healedMs - fromMs),
    recoveryMs === undefined ? '' : recoveryMs === Infinity ? 'never' : seconds(recoveryMs),
  ]);
}

/** The verdict for a terminal. */
export function describeResult(result: DrillResult): string {
  const { judgement } = result;
  const line = ({ name, value, bad }: Row) =>
    `${bad ? '✗ ' : '  '}${name.padEnd(NAME_WIDTH)}${value.padStart(12)}`;
  const tables = [requestRows(result), operationRows(result), factsOf(result)];
  return [
    ...tables.map((rows) => rows.map(line).join('\n')),
    ...(result.events.length > 0 ? [eventTable(result.events)] : []),
    ...(result.audit ? [describeAudit(result.audit)] : []),
    judgement.verdict === 'pass'
      ? `PASS: ${promiseOf(result)}`
      : `FAIL:\n${judgement.broken.map((fault) => `  ${fault}`).join('\n')}`,
  ].join('\n\n');
}

function eventTable(events: readonly Happened[]): string {
  const rows = [['at', 'event', 'to', 'back after', 'all logged after'], ...eventRows(events)];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) => `  ${row.map((cell, column) => cell.padEnd((widths[column] ?? 0) + 2)).join('')}`.trimEnd())
    .join('\n');
}

/** How it goes, in a line; what matters most comes first, for a narrow terminal shows no more. */
export function describeProgress(now: Progress, before: Progress | undefined): string {
  const { ms, answered, failed, inFlight, unlogged, apis, workers, happening } = now;
  const rate = before && ms > before.ms ? ((answered - before.answered) / (ms - before.ms)) * 1_000 : 0;
  const logged =
    unlogged === undefined
      ? 'logged: nobody can say'
      : `${thousands(Math.max(0, answered - unlogged))} logged, ${thousands(unlogged)} to log`;
  const fleets = apis === undefined ? [] : [`${apis} API, ${workers} worker`];
  const load = `${thousands(answered)} answered, ${thousands(Math.round(rate))}/s, ${failed} failed, ${inFlight} in flight`;
  const seconds = (ms / 1_000).toFixed(0).padStart(4);
  return [`${seconds} s  ${load}, ${happening}`, logged, ...fleets].join('; ');
}

/** Where everything is that was left running. */
export function describeAddresses({ url, apis, workers, environment }: Running): string {
  const tally = ['INFLUX_URL', 'INFLUX_BUCKET', 'INFLUX_ORG', 'INFLUX_TOKEN', 'DATABASE_URL']
    .filter((name) => environment[name])
    .map((name) => `${name}=${environment[name]}`);
  const admins = (fleet: Running['apis']) =>
    fleet.running.map(({ adminPort }) => `http://127.0.0.1:${adminPort}`).join(' ');
  return [
    `API       ${url}   admin ${admins(apis)}`,
    `Live      ${url}/live`,
    `worker    admin ${admins(workers)}`,
    `Redis     ${environment['REDIS_URL']}`,
    `Postgres  ${environment['DATABASE_URL']}`,
    `InfluxDB  ${environment['INFLUX_URL']}`,
    '',
    `curl -i ${url.startsWith('https') ? '-k ' : ''}${url}/sum -H 'Content-Type: application/json' -d '{"numbers":[1,2,3,4]}'`,
    `export ${tally.join(' ')}`,
    'node dist/cli/main.js count',
    'node dist/cli/main.js audit',
    '',
    'Ctrl+C ends it and leaves nothing behind.',
  ].join('\n');
}

const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;

const thousands = (value: number) => value.toLocaleString('en');
