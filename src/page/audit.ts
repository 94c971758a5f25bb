import type { LiveAudit, LiveState } from '../shared/live.js';
import { element, mark, write } from './element.js';
import { section, type Panel } from './panel.js';
import { clock, count } from './words.js';

const ROWS = ['accepted', 'logged', 'quarantined', 'dropped', 'pending', 'missing', 'extra'] as const;

/** These must be none. */
const FAULTS: ReadonlySet<string> = new Set(['missing', 'extra']);

/** What the stores themselves say. */
export function audit(): Panel<LiveState> {
  const values = ROWS.map((name) => [name, element('dd', {}, '–')] as const);
  const when = element('p', { class: 'verdict' }, 'No audit yet.');
  const list = values.map(([name, value]) => element('div', {}, element('dt', {}, name), value));
  const words = {
    title: 'Last audit',
    from: 'Operations of the last hour: the chunks of the ledger against what InfluxDB counts.',
  };
  const show = ({ audit: last }: LiveState) => {
    write(when, last ? `${last.balanced ? 'Balanced' : 'Not balanced'}, ${clock(last.at)}` : 'No audit yet.');
    mark(when, 'state', last ? (last.balanced ? 'good' : 'bad') : 'unknown');
    for (const [name, value] of values) showValue(value, name, last);
  };
  return { root: section('audit', words, when, element('dl', { class: 'sums' }, ...list)), show };
}

function showValue(place: HTMLElement, name: (typeof ROWS)[number], last: LiveAudit | null): void {
  write(place, last ? count(last[name]) : '–');
  mark(place, 'state', last && FAULTS.has(name) && last[name] > 0 ? 'bad' : '');
}
