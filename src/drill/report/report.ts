import type { DrillResult } from '../drill.js';
import { escape, plotsOf, renderPlot, type Plot } from './plots.js';
import { eventRows, factsOf, operationRows, requestRows, type Row } from './words.js';

const STYLE = `
:root { color-scheme: light dark; --paper: light-dark(#f6f7f9, #12161b); --card: light-dark(#fff, #1a2027);
  --ink: light-dark(#1c2430, #e4e8ee); --soft: light-dark(#5d6a7a, #9aa6b5); --rule: light-dark(#e3e7ed, #2d3641);
  --blue: light-dark(#2f6fde, #6ea0ff); --orange: light-dark(#c9660f, #f2a04f); --green: light-dark(#22804a, #5cc98c); --red: light-dark(#c62b2b, #ff7b72) }
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1020px; margin: 0 auto; padding: 2rem 1rem 4rem }
header { border-left: 6px solid var(--green); padding: .2rem 0 .2rem 1rem; margin-bottom: 1.5rem } header.bad { border-color: var(--red) }
h1 { margin: 0; font-size: 1.7rem; line-height: 1.25 } h2 { margin: 0 0 .4rem; font-size: 1rem } p { margin: .2rem 0 } .soft { color: var(--soft) }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: .8rem } .tile b { display: block; font-size: 1.6rem; line-height: 1.2; font-variant-numeric: tabular-nums }
.tile, section { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: .8rem 1rem } section { margin-top: .8rem; overflow-x: auto }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(290px, 1fr)); gap: 0 .8rem } .columns section { height: calc(100% - .8rem) }
table { border-collapse: collapse; width: 100% } td, th { padding: .18rem .8rem .18rem 0; text-align: left; font-weight: normal; vertical-align: top }
tr + tr td { border-top: 1px solid var(--rule) } th { color: var(--soft); white-space: nowrap } td:last-child, th:last-child { padding-right: 0 }
td.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums } .bad b, .bad li, td.bad { color: var(--red); font-weight: 600 } .good b { color: var(--green) }
svg { width: 100%; height: auto; display: block } svg text { fill: var(--soft); font-size: 11px } .grid { stroke: var(--rule) } .event { fill: var(--soft); opacity: .16 } .fault { fill: var(--red); opacity: .16 }
polyline { fill: none; stroke-width: 1.6; stroke-linejoin: round } polyline.blue { stroke: var(--blue) } polyline.orange { stroke: var(--orange) } polyline.green { stroke: var(--green) } .column { fill: var(--red) }
.legend { float: right; font-size: .85rem; color: var(--soft) } .legend i { display: inline-block; width: .7rem; height: .7rem; border-radius: 50%; margin: 0 .3rem 0 .9rem } i.blue { background: var(--blue) } i.orange { background: var(--orange) } i.green { background: var(--green) } i.red { background: var(--red) }
@media (max-width: 600px) { svg { min-width: 600px } .legend { float: none } body { padding: 1rem .5rem } }
`;

/** A page about a drill that needs nothing but itself. */
export function renderReport(result: DrillResult, title: string): string {
  const { judgement, loadMs } = result;
  const passed = judgement.verdict === 'pass';
  const heading = passed ? 'Nothing was lost' : 'Not everything holds';
  const broken = judgement.broken.map((fault) => `<li>${escape(fault)}</li>`).join('');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}: ${judgement.verdict}</title>
<style>${STYLE}</style>
</head>
<body>
<header class="${passed ? 'good' : 'bad'}"><h1>${heading}</h1>
<p class="soft">${escape(title)}, ${(loadMs / 1_000).toFixed(0)} s of load</p>${broken === '' ? '' : `<ul>${broken}</ul>`}</header>
${renderTiles(result)}
<div class="columns">${[requestRows(result), operationRows(result)].map(renderRows).join('')}</div>
${renderRows(factsOf(result))}
${plotsOf(result)
  .map((plot, index) => renderSection(plot, result, index === 0))
  .join('\n')}
${renderEvents(result)}
${renderReceipts(result)}
${renderFailures(result)}
</body>
</html>
`;
}

function renderTiles({ judgement: { requests, operations } }: DrillResult): string {
  const tile = (name: string, value: number, kind: string) =>
    `<div class="tile ${kind}"><b>${value.toLocaleString('en')}</b><span class="soft">${name}</span></div>`;
  const mustBeNone = (name: string, value: number) => tile(name, value, value > 0 ? 'bad' : 'good');
  return `<div class="tiles">${[
    tile('answered with 200', requests.answered, ''),
    mustBeNone('failed for no good reason', requests.unexplained),
    mustBeNone('lost', operations.lost),
    mustBeNone('counted twice', operations.twice),
  ].join('')}</div>`;
}

function renderSection(plot: Plot, result: DrillResult, named: boolean): string {
  const legend = plot.curves.map(({ name, colour }) => `<i class="${colour}"></i>${escape(name)}`).join('');
  return `<section><span class="legend">${legend}</span><h2>${escape(plot.title)}</h2>
${renderPlot(plot, result, named)}</section>`;
}

function renderEvents({ events }: DrillResult): string {
  if (events.length === 0) return '';
  const rows = eventRows(events).map(
    (cells) => `<tr>${cells.map((cell) => `<td>${escape(cell)}</td>`).join('')}</tr>`,
  );
  return `<section><h2>What happened</h2>
<table><tr><th>at</th><th>what</th><th>to</th><th>until back</th><th>until all before was logged</th></tr>
${rows.join('\n')}
</table></section>`;
}

function renderReceipts({ ended }: DrillResult): string {
  if (ended.length === 0) return '';
  return `<section><h2>Receipts</h2>
<table><tr><th>process</th><th>ended</th><th>after</th><th>receipt</th></tr>
${ended.map(renderEnded).join('\n')}
</table></section>`;
}

function renderRows(rows: readonly Row[]): string {
  const cells = rows.map(
    ({ name, value, bad }) =>
      `<tr><td>${escape(name)}</td><td class="n${bad ? ' bad' : ''}">${escape(value)}</td></tr>`,
  );
  return `<section><table>${cells.join('')}</table></section>`;
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
  return `<section><h2>Failed requests${failed.length > FAILURES_SHOWN ? `, the first ${FAILURES_SHOWN} of ${failed.length}` : ''}</h2>
<table><tr><th>sent at</th><th>took</th><th>client</th><th>outcome</th><th>process</th></tr>
${rows.join('\n')}
</table></section>`;
}
