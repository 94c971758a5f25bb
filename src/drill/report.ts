import type { DrillResult } from './drill.js';
import { percentile } from './judgement.js';
import type { Happened } from './perform.js';
import { eventRows, factsOf, operationRows, requestRows, type Row } from './words.js';

/** One line in a plot: its points, and gaps where there is none. */
interface Curve {
  readonly name: string;
  readonly colour: string;
  readonly points: readonly (readonly [ms: number, value: number | undefined])[];
}

interface Plot {
  readonly title: string;
  readonly unit: string;
  readonly curves: readonly Curve[];
}

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [960, 190, 60, 24, 14];

const BLUE = '#2f6fde';
const ORANGE = '#d9731a';
const RED = '#cc2f2f';
const GREEN = '#2d8f57';

/** A page about a drill that needs nothing but itself. */
export function renderReport(result: DrillResult, title: string): string {
  const { judgement, events } = result;
  const passed = judgement.verdict === 'pass';
  const heading = passed ? 'Nothing was lost' : 'Not everything holds';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}: ${judgement.verdict}</title>
<style>
:root { color-scheme: light dark; --ink: light-dark(#1c2430, #e4e8ee); --faint: light-dark(#d9dee6, #39424f); --soft: light-dark(#5d6a7a, #9aa6b5) }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: light-dark(#fff, #14181e); max-width: 980px; margin: 2rem auto; padding: 0 1rem }
h1 { margin: 0 } h2 { margin: 2rem 0 .5rem; font-size: 1.05rem }
.verdict { color: ${passed ? GREEN : RED}; font-weight: 600 }
table { border-collapse: collapse; margin: .5rem 0 } td, th { padding: .15rem 1.2rem .15rem 0; text-align: left; font-weight: normal; vertical-align: top }
th { color: var(--soft) } td.n { text-align: right; font-variant-numeric: tabular-nums } .bad { color: ${RED}; font-weight: 600 }
.columns { display: flex; flex-wrap: wrap; gap: 0 3rem }
svg { width: 100%; height: auto; display: block } svg text { fill: var(--soft); font-size: 11px } .grid { stroke: var(--faint) } .event { fill: var(--faint); opacity: .55 } .legend { font-size: .85rem; color: var(--soft) }
</style>
</head>
<body>
<h1>${escape(title)}</h1>
<p class="verdict">${passed ? '✓' : '✗'} ${heading}.</p>
${judgement.broken.length > 0 ? `<ul class="bad">${judgement.broken.map((fault) => `<li>${escape(fault)}</li>`).join('')}</ul>` : ''}
<div class="columns">${[requestRows(result), operationRows(result), factsOf(result)].map(renderRows).join('')}</div>
${plotsOf(result)
  .map((plot) => renderPlot(plot, events, result.loadMs))
  .join('\n')}
<h2>What happened</h2>
<table><tr><th>at</th><th>what</th><th>to</th><th>until back</th><th>until all before was logged</th></tr>
${eventRows(events)
  .map((cells) => `<tr>${cells.map((cell) => `<td>${escape(cell)}</td>`).join('')}</tr>`)
  .join('\n')}
</table>
<h2>Receipts</h2>
<table><tr><th>process</th><th>ended</th><th>after</th><th>receipt</th></tr>
${result.ended.map(renderEnded).join('\n')}
</table>
${renderFailures(result)}
</body>
</html>
`;
}

function plotsOf({ record, samples, logTimes, loadMs }: DrillResult): readonly Plot[] {
  const seconds = Math.max(1, Math.ceil(loadMs / 1_000));
  const took = Array.from({ length: seconds }, () => [] as number[]);
  record.tookMs.forEach((ms, index) => {
    const end = Math.floor(((record.sentMs[index] ?? 0) + ms) / 1_000);
    took[end]?.push(ms);
  });
  const failed = Array.from({ length: seconds }, () => 0);
  for (const { endedMs } of record.failed) {
    const second = Math.min(seconds - 1, Math.floor(endedMs / 1_000));
    failed[second] = (failed[second] ?? 0) + 1;
  }
  const middle = (second: number) => (second + 0.5) * 1_000;
  const latency = (share: number): Curve['points'] =>
    took.map((all, second) => {
      const values = all.toSorted((one, other) => one - other).map((ms) => ({ ms, operations: 1 }));
      return [middle(second), values.length > 0 ? percentile(share, values) : undefined];
    });
  const [logged] = logTimes.slice(-1);
  return [
    {
      title: 'Answers',
      unit: '/s',
      curves: [
        {
          name: 'answered',
          colour: BLUE,
          points: took.map((all, second) => [middle(second), all.length - (failed[second] ?? 0)]),
        },
        { name: 'failed', colour: RED, points: failed.map((count, second) => [middle(second), count]) },
      ],
    },
    {
      title: 'Latency',
      unit: ' ms',
      curves: [
        { name: 'p99', colour: ORANGE, points: latency(0.99) },
        { name: 'p50', colour: BLUE, points: latency(0.5) },
      ],
    },
    {
      title: `Accepted and not yet logged${logged ? ` (the longest took ${(logged.ms / 1_000).toFixed(1)} s)` : ''}`,
      unit: '',
      curves: [
        {
          name: 'operations; a gap: the ledger is away',
          colour: ORANGE,
          points: samples.map(({ ms, unlogged }) => [ms, unlogged]),
        },
      ],
    },
    {
      title: 'Processes that are ready',
      unit: '',
      curves: [
        { name: 'API', colour: BLUE, points: samples.map(({ ms, apis }) => [ms, apis]) },
        { name: 'worker', colour: GREEN, points: samples.map(({ ms, workers }) => [ms, workers]) },
      ],
    },
  ];
}

function renderPlot({ title, unit, curves }: Plot, events: readonly Happened[], loadMs: number): string {
  const values = curves.flatMap(({ points }) => points.map(([, value]) => value ?? 0));
  const top = niceCeiling(values.reduce((most, value) => Math.max(most, value), 0));
  const x = (ms: number) => LEFT + (Math.min(ms, loadMs) / loadMs) * (WIDTH - LEFT - 10);
  const y = (value: number) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - TOP);
  const grid = [0, 0.5, 1].map((share) => {
    const at = y(top * share).toFixed(1);
    return `<line class="grid" x1="${LEFT}" x2="${WIDTH - 10}" y1="${at}" y2="${at}"/><text x="${LEFT - 6}" y="${at}" text-anchor="end" dominant-baseline="middle">${escape(short(top * share))}${unit}</text>`;
  });
  const marks = events.map(({ what, fromMs, healedMs }) => {
    const width = Math.max(1.5, x(healedMs) - x(fromMs)).toFixed(1);
    return `<rect class="event" x="${x(fromMs).toFixed(1)}" width="${width}" y="${TOP}" height="${HEIGHT - BOTTOM - TOP}"><title>${escape(what)}</title></rect>`;
  });
  const times = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<text x="${x(loadMs * share).toFixed(1)}" y="${HEIGHT - 6}" text-anchor="middle">${((loadMs * share) / 1_000).toFixed(0)} s</text>`,
  );
  const lines = curves.flatMap(({ colour, points }) =>
    pieces(points).map(
      (piece) =>
        `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${piece.map(([ms, value]) => `${x(ms).toFixed(1)},${y(value).toFixed(1)}`).join(' ')}"/>`,
    ),
  );
  const legend = curves
    .map(({ name, colour }) => `<span style="color:${colour}">●</span> ${escape(name)}`)
    .join(' &nbsp; ');
  return `<h2>${escape(title)}</h2>
<div class="legend">${legend}</div>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escape(title)}">${marks.join('')}${grid.join('')}${times.join('')}${lines.join('')}</svg>`;
}

/** What lies between two gaps. */
function pieces(points: Curve['points']): (readonly [ms: number, value: number])[][] {
  const found: (readonly [number, number])[][] = [[]];
  for (const [ms, value] of points) {
    if (value === undefined) found.push([]);
    else found.at(-1)?.push([ms, value]);
  }
  return found.filter(({ length }) => length > 0);
}

/** The next of 1, 2 and 5 with zeros. */
function niceCeiling(value: number): number {
  if (value <= 1) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * unit).find((step) => step >= value) ?? value;
}

const short = (value: number) => (value >= 10_000 ? `${value / 1_000}k` : String(value));

function renderRows(rows: readonly Row[]): string {
  const cells = rows.map(
    ({ name, value, bad }) =>
      `<tr><td>${escape(name)}</td><td class="n${bad ? ' bad' : ''}">${escape(value)}</td></tr>`,
  );
  return `<table>${cells.join('')}</table>`;
}

/** Not the receipt's own. */
const OF_EVERY_LINE = new Set(['level', 'ms']);

function renderEnded({ kind, instance, why, ending }: DrillResult['ended'][number]): string {
  const said = Object.entries(ending.receipt ?? {}).flatMap(([name, value]) =>
    typeof value === 'number' && !OF_EVERY_LINE.has(name) ? `${name} ${value}` : [],
  );
  const how = why === 'asked' ? `exit code ${ending.code}` : why;
  return `<tr><td>${escape(`${kind} ${instance}`)}</td><td>${escape(how)}</td><td class="n">${(ending.ms / 1_000).toFixed(1)} s</td><td>${escape(said.join(', ') || 'none')}</td></tr>`;
}

/** Failed requests that are named; the tables count them all. */
const FAILURES_SHOWN = 100;

function renderFailures({ judgement: { unexplained }, record }: DrillResult): string {
  const failed = [...new Set([...unexplained, ...record.failed])];
  if (failed.length === 0) return '';
  const rows = failed.slice(0, FAILURES_SHOWN).map(({ sentMs, endedMs, client, kind, reason, endpoint }) => {
    const cells = [
      `${(sentMs / 1_000).toFixed(3)} s`,
      `${(endedMs - sentMs).toFixed(0)} ms`,
      client,
      `${kind}: ${reason}`,
      endpoint ?? '',
    ];
    return `<tr>${cells.map((cell) => `<td>${escape(cell)}</td>`).join('')}</tr>`;
  });
  return `<h2>Failed requests${failed.length > FAILURES_SHOWN ? `, the first ${FAILURES_SHOWN} of ${failed.length}` : ''}</h2>
<table><tr><th>sent at</th><th>took</th><th>client</th><th>outcome</th><th>process</th></tr>
${rows.join('\n')}
</table>`;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
