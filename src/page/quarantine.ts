import type { LiveQuarantine } from '../shared/live.js';
import { element, write } from './element.js';
import { section, type Panel } from './panel.js';
import { clock, counted } from './words.js';

/** What InfluxDB refused for good, with the reasons. */
export function quarantine(): Panel<LiveQuarantine> {
  const total = element('p', { class: 'verdict' }, 'Nothing is in quarantine.');
  const list = element('ol', { class: 'refused' });
  const words = {
    title: 'Quarantine',
    from: 'Lines that InfluxDB refuses for good, the latest 20, with its own words. Retry or drop them: tally quarantine.',
  };
  const show = ({ total: many, lines }: LiveQuarantine) => {
    write(total, many === 0 ? 'Nothing is in quarantine.' : `${counted(many, 'line')}.`);
    list.replaceChildren(...lines.map(item));
  };
  return { root: section('quarantine', words, total, list), show };
}

function item({ id, chunk, line, reason, status, refusedAt }: LiveQuarantine['lines'][number]): HTMLElement {
  const about = `line ${id} of chunk ${chunk}, refused ${clock(Date.parse(refusedAt))} with ${status}`;
  return element(
    'li',
    {},
    element('p', { class: 'reason' }, reason),
    element('code', {}, line),
    element('p', { class: 'small-print' }, about),
  );
}
