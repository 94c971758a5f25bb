import type { DrillResult } from '../drill.js';
import { percentile } from '../verdict/judgement.js';
import type { Happened } from '../perform.js';

type Points = readonly (readonly [ms: number, value: number | undefined])[];

/** One line in a plot: its points, and gaps where there is none. */
interface Curve {
  readonly name: string;
  /** Of the page's colours. */
  readonly colour: 'blue' | 'orange' | 'red' | 'green';
  readonly points: Points;
  /** A column for each point, or a stair from each to the next, instead of a line. */
  readonly as?: 'columns' | 'stairs';
}

export interface Plot {
  readonly title: string;
  readonly unit: string;
  readonly curves: readonly Curve[];
}

const [WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM, TOP] = [960, 180, 62, 14, 24, 12];

/** What events need above the first plot for their names. */
const NAMES_HEIGHT = 80;

const SECOND_MS = 1_000;

export function plotsOf({ record, samples, logTimes, loadMs, tool }: DrillResult): readonly Plot[] {
  const latencies = tool ? [] : [latencyPlot(record, loadMs)];
  const longest = logTimes.at(-1);
  const backlog = samples.map(({ ms, unlogged }) => [ms, unlogged] as const);
  const ready = (kind: 'apis' | 'workers') => samples.map((sample) => [sample.ms, sample[kind]] as const);
  const fleets: Plot = {
    title: 'Processes that are ready',
    unit: '',
    curves: [
      { name: 'API', colour: 'blue', points: ready('apis'), as: 'stairs' },
      { name: 'worker', colour: 'green', points: ready('workers'), as: 'stairs' },
    ],
  };
  const answered = perSecond(samples.map(({ ms, answered: count }) => [ms, count]));
  const failed = perSecond(samples.map(({ ms, failed: count }) => [ms, count]));
  return [
    {
      title: 'Answers',
      unit: '/s',
      curves: [{ name: 'answered with 200', colour: 'blue', points: answered }],
    },
    {
      title: 'Failed requests',
      unit: '/s',
      curves: [{ name: 'refused, reset or timed out', colour: 'red', points: failed, as: 'columns' }],
    },
    ...latencies,
    {
      title: `Accepted and not yet logged${longest ? `: the longest took ${(longest.ms / SECOND_MS).toFixed(1)} s` : ''}`,
      unit: '',
      curves: [{ name: 'operations; a gap: nobody can say', colour: 'orange', points: backlog }],
    },
    ...(samples.some(({ apis }) => apis !== undefined) ? [fleets] : []),
  ];
}

/** How a count that only grows grew, between each two samples. */
function perSecond(counts: readonly (readonly [ms: number, count: number])[]): Points {
  return counts.slice(1).map(([ms, count], index) => {
    const [beforeMs, before] = counts[index] ?? [0, 0];
    return [ms, ms > beforeMs ? ((count - before) / (ms - beforeMs)) * SECOND_MS : 0] as const;
  });
}

function latencyPlot({ tookMs, sentMs }: DrillResult['record'], loadMs: number): Plot {
  const took = Array.from({ length: Math.max(1, Math.ceil(loadMs / SECOND_MS)) }, () => [] as number[]);
  tookMs.forEach((ms, index) => took[Math.floor(((sentMs[index] ?? 0) + ms) / SECOND_MS)]?.push(ms));
  const sorted = took.map((all) =>
    all.toSorted((one, other) => one - other).map((ms) => ({ ms, operations: 1 })),
  );
  const share = (part: number): Points =>
    sorted.map((values, second) => [
      (second + 0.5) * SECOND_MS,
      values.length > 0 ? percentile(part, values) : undefined,
    ]);
  return {
    title: 'Latency',
    unit: ' ms',
    curves: [
      { name: 'p99', colour: 'orange', points: share(0.99) },
      { name: 'p50', colour: 'blue', points: share(0.5) },
    ],
  };
}

/** One plot as SVG; events are stretches of time behind it, with their names above if so said. */
export function renderPlot(
  { title, unit, curves }: Plot,
  { events, loadMs }: Pick<DrillResult, 'events' | 'loadMs'>,
  named: boolean,
): string {
  const above = named && events.length > 0 ? NAMES_HEIGHT : 0;
  const values = curves.flatMap(({ points }) => points.map(([, value]) => value ?? 0));
  const top = niceCeiling(values.reduce((most, value) => Math.max(most, value), 0));
  const x = (ms: number) => LEFT + (Math.min(ms, loadMs) / Math.max(1, loadMs)) * (WIDTH - LEFT - RIGHT);
  const y = (value: number) => above + HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - TOP);
  const grid = [0, 0.5, 1].map((share) => {
    const at = y(top * share).toFixed(1);
    return `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/><text x="${LEFT - 8}" y="${at}" text-anchor="end" dominant-baseline="middle">${short(top * share)}${unit}</text>`;
  });
  const times = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<text x="${x(loadMs * share).toFixed(1)}" y="${above + HEIGHT - 6}" text-anchor="${share === 1 ? 'end' : 'middle'}">${((loadMs * share) / SECOND_MS).toFixed(0)} s</text>`,
  );
  const bands = events.map((event) => renderBand(event, x, above));
  const names = above > 0 ? renderNames(events, x, above) : [];
  const floor = y(0);
  const lines = curves.map((curve) => renderCurve(curve, x, y, floor));
  return `<svg viewBox="0 0 ${WIDTH} ${above + HEIGHT}" role="img" aria-label="${escape(title)}">${[...bands, ...grid, ...times, ...lines, ...names].join('')}</svg>`;
}

type Scale = (value: number) => number;

function renderBand({ what, graceful, fromMs, healedMs }: Happened, x: Scale, above: number): string {
  const width = Math.max(1.5, x(healedMs) - x(fromMs)).toFixed(1);
  const seconds = ((healedMs - fromMs) / SECOND_MS).toFixed(1);
  return `<rect class="${graceful ? 'event' : 'fault'}" x="${x(fromMs).toFixed(1)}" width="${width}" y="${above + TOP}" height="${HEIGHT - BOTTOM - TOP}"><title>${escape(what)}, ${seconds} s</title></rect>`;
}

/** Slanted, and only those for which there is room: the table has them all. */
function renderNames(events: readonly Happened[], x: Scale, above: number): string[] {
  let free = -Infinity;
  return events.flatMap(({ what, fromMs, healedMs }) => {
    const at = (x(fromMs) + x(Math.max(fromMs, healedMs))) / 2;
    if (at < free) return [];
    free = at + 15;
    const place = `${at.toFixed(1)} ${above + TOP - 6}`;
    return `<text class="name" transform="translate(${place}) rotate(-38)">${escape(short20(what))}</text>`;
  });
}

const LONGEST_NAME = 20;

const short20 = (name: string) => (name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name);

function renderCurve({ colour, points, as }: Curve, x: Scale, y: Scale, floor: number): string {
  if (as === 'columns')
    return points
      .filter(([, value]) => (value ?? 0) > 0)
      .map(([ms, value = 0]) => {
        const height = Math.max(2, floor - y(value));
        return `<rect class="${colour} column" x="${(x(ms) - 2).toFixed(1)}" width="4" y="${(floor - height).toFixed(1)}" height="${height.toFixed(1)}"/>`;
      })
      .join('');
  return pieces(points)
    .map((piece) => {
      const path = piece.map(([ms, value], index) => {
        const before = piece[index - 1];
        const stair = as === 'stairs' && before ? `${x(ms).toFixed(1)},${y(before[1]).toFixed(1)} ` : '';
        return `${stair}${x(ms).toFixed(1)},${y(value).toFixed(1)}`;
      });
      return `<polyline class="${colour}" points="${path.join(' ')}"/>`;
    })
    .join('');
}

/** What lies between two gaps. */
function pieces(points: Points): (readonly [ms: number, value: number])[][] {
  const found: (readonly [number, number])[][] = [[]];
  for (const [ms, value] of points) {
    if (value === undefined) found.push([]);
    else found.at(-1)?.push([ms, value]);
  }
  return found.filter(({ length }) => length > 0);
}

/** The next of 1, 2, 4 and 6 with zeros, so that half of it is a whole number from 2 on. */
function niceCeiling(value: number): number {
  if (value <= 2) return 2;
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 10].map((step) => step * unit).find((step) => step >= value) ?? value;
}

const short = (value: number) => (value >= 10_000 ? `${value / 1_000}k` : String(value));

export function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
