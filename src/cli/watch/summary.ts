import { describeLane } from './lanes.js';
import type { WatchRecord } from './record.js';
import type { ServiceView } from './service.js';
import { clockTime, isoTime, milliseconds, seconds, thousands } from './words.js';

export interface SummaryOptions {
  readonly url: string;
  /** How long it was watched. */
  readonly ms: number;
  /** When it began, as Unix time in milliseconds. */
  readonly beganAt: number;
  readonly record: WatchRecord;
  /** The last that was known of the service. */
  readonly service: ServiceView;
}

/** What was seen, as `--json` prints it; times are ISO 8601. */
export function summarize({ url, ms, beganAt, record, service }: SummaryOptions) {
  const at = (sinceMs: number) => new Date(beganAt + sinceMs).toISOString();
  const { answerers, errors, gaps, lanes } = record;
  const { missing, extra } = service;
  const [failed, gapCount] = [record.sum('failed'), record.sum('gaps')];
  const versions = answerers.versions.map(({ name, answered }) => ({ version: name, answered }));
  return {
    ok: failed === 0 && gapCount === 0 && !missing && !extra,
    url,
    from: at(0),
    ms: Math.round(ms),
    asked: record.sum('asked'),
    answered: record.sum('answered'),
    failed,
    /** Failed while this process stood still itself. */
    unjudged: record.sum('unjudged'),
    versions,
    /** Answers of instances whose version nobody told. */
    unplaced: answerers.unplaced,
    lanes: lanes.map(({ call, connection, asked, answered, latency, ...lane }) => ({
      ...{ call, connection, asked, answered, failed: lane.failed, gaps: lane.gaps },
      latencyMs: latency ?? null,
    })),
    errors: [...errors.values()].map(({ reason, count, first: { call, connection, ms: firstMs } }) => ({
      ...{ reason, count },
      first: { call, connection, at: at(firstMs) },
    })),
    gapCount,
    gaps: gaps.map(({ call, connection, fromMs, toMs }) => ({
      ...{ call, connection, from: at(fromMs), ms: Math.round(toMs - fromMs) },
    })),
    /** Of the last hour; null: nobody could tell. */
    missing,
    extra,
    missingAt: isoTime(service.missingAt),
    totals: service.totals,
    completeAt: isoTime(service.completeAt),
    source: service.source,
  };
}

export type Summary = ReturnType<typeof summarize>;

export function describeSummary(summary: Summary): string {
  return [
    `${summary.url} for ${seconds(summary.ms)}`,
    '',
    ...describeAsks(summary),
    ...describeVersions(summary),
    ...describeErrors(summary),
    ...describeGaps(summary),
    '',
    describeMissing(summary),
    describeVerdict(summary),
  ].join('\n');
}

/** Fits 80 columns. */
const NAME_WIDTH = 20;
const WIDTHS = [8, 9, 7, 5, 9, 9, 9];

function describeAsks({ lanes, asked, answered, failed, unjudged, gapCount }: Summary): string[] {
  const row = (name: string, cells: readonly string[]) =>
    `  ${name.padEnd(NAME_WIDTH)}${cells.map((cell, index) => cell.padStart(WIDTHS[index] ?? 0)).join('')}`;
  const counts = (numbers: readonly number[]) => numbers.map(thousands);
  return [
    row('', ['asked', 'answered', 'failed', 'gaps', 'p50', 'p99', 'max']),
    ...lanes.map(({ latencyMs, ...lane }) =>
      row(`${lane.call}, ${lane.connection}`, [
        ...counts([lane.asked, lane.answered, lane.failed, lane.gaps]),
        ...(latencyMs ? [latencyMs.p50, latencyMs.p99, latencyMs.max].map(milliseconds) : []),
      ]),
    ),
    row('in total', counts([asked, answered, failed, gapCount])),
    ...(unjudged > 0 ? [`  ${thousands(unjudged)} failed while this process stood still: not judged`] : []),
  ];
}

function describeVersions({ versions, unplaced }: Summary): string[] {
  return [
    '',
    ...versions.map(({ version, answered }) => `  answered by ${version}: ${thousands(answered)}`),
    ...(unplaced > 0 ? [`  answered by versions that nobody told: ${thousands(unplaced)}`] : []),
  ];
}

function describeErrors({ errors }: Summary): string[] {
  return errors.map(
    ({ reason, count, first }) =>
      `✗ ${thousands(count)} failed: ${reason}; first ${describeLane(first)} at ${localTime(first.at)}`,
  );
}

function describeGaps({ gaps, gapCount }: Summary): string[] {
  const more = gapCount - gaps.length;
  return [
    ...gaps.map(
      (gap) => `✗ no answer to ${describeLane(gap)} for ${seconds(gap.ms)} from ${localTime(gap.from)} on`,
    ),
    ...(more > 0 ? [`✗ and ${thousands(more)} more`] : []),
  ];
}

function describeMissing({ missing, missingAt, extra, completeAt }: Summary): string {
  if (missing === null) return '  Missing: unknown, nobody could tell.';
  const complete = completeAt === null ? '' : ` Everything accepted was logged at ${localTime(completeAt)}.`;
  const at = missingAt === null ? '' : `, as of ${localTime(missingAt)}`;
  const tooMany = extra ? `, ${thousands(extra)} too many` : '';
  return `${missing || extra ? '✗' : ' '} Missing: ${thousands(missing)}${tooMany}${at}.${complete}`;
}

function describeVerdict({ ok, failed, gapCount }: Summary): string {
  if (ok) return 'PASS: every ask was answered, without a gap.';
  const what = [
    failed > 0 && `${thousands(failed)} ${failed === 1 ? 'ask' : 'asks'} failed`,
    gapCount > 0 && `${thousands(gapCount)} ${gapCount === 1 ? 'gap' : 'gaps'}`,
    'what is missing or too much is said above',
  ];
  return `FAIL: ${what
    .filter((part) => part !== false)
    .slice(0, failed + gapCount > 0 ? -1 : 1)
    .join(', ')}.`;
}

const localTime = (iso: string) => clockTime(Date.parse(iso));
