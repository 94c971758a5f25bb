import type { LiveState, LiveTotals } from '../shared/live.js';
import { element, mark, write } from './element.js';
import type { Panel } from './panel.js';
import { clock, count, counted, seconds } from './words.js';

interface Tile {
  readonly root: HTMLElement;
  readonly value: HTMLElement;
  readonly note: HTMLElement;
}

function tile(name: string, title: string, from: string): Tile {
  const value = element('b', { class: 'value' }, '–');
  const note = element('span', { class: 'small-print' }, from);
  const label = element('span', { class: 'tile-name' }, title);
  return { root: element('div', { class: `tile ${name}`, title: from }, label, value, note), value, note };
}

const FROM = {
  accepted: 'answered with 200: all that the ledger keeps',
  logged: 'stored in InfluxDB',
  quarantined: 'refused by InfluxDB for good',
  missing: 'in the ledger as logged, and not in InfluxDB',
};

/** What was accepted, and what became of it. */
export function totals(): Panel<LiveState> {
  const accepted = tile('accepted', 'Accepted', FROM.accepted);
  const logged = tile('logged', 'Logged', FROM.logged);
  const pending = tile('pending', 'Pending', 'accepted and not logged yet');
  const quarantined = tile('quarantined', 'Quarantined', FROM.quarantined);
  const missing = tile('missing', 'Missing', FROM.missing);
  const verdict = element('p', { class: 'verdict' }, 'Nothing is known yet.');
  const tiles = [accepted, logged, pending, quarantined, missing];

  const show = (state: LiveState) => {
    const { totals: known, audit } = state;
    const number = (value: number | undefined) => (value === undefined ? '–' : count(value));
    write(accepted.value, number(known?.accepted));
    write(logged.value, number(known?.logged));
    write(pending.value, number(known?.pending));
    write(quarantined.value, number(known?.quarantined));
    write(missing.value, number(audit?.missing));
    const dropped = known?.dropped ? `; ${count(known.dropped)} more dropped` : '';
    write(quarantined.note, `${FROM.quarantined}${dropped}`);
    write(pending.note, pendingNote(known?.oldestPendingSeconds));
    write(missing.note, audit ? `audit of the last hour, ${clock(audit.at)}` : 'no audit yet');
    mark(missing.root, 'state', !audit ? 'unknown' : audit.missing > 0 ? 'bad' : 'good');
    mark(quarantined.root, 'state', known?.quarantined ? 'warning' : 'unknown');
    const { words, mood } = verdictOf(state);
    write(verdict, words);
    mark(verdict, 'state', mood);
  };
  const root = element(
    'section',
    { class: 'totals', 'aria-label': 'Totals' },
    element('div', { class: 'tiles' }, ...tiles.map((each) => each.root)),
    verdict,
  );
  return { root, show };
}

function pendingNote(oldest: number | undefined): string {
  return oldest ? `not logged yet; the oldest for ${seconds(oldest)}` : 'accepted and not logged yet';
}

/** Under load something is always on the way; what was accepted before the oldest of it is not. */
function loggedUntil({ at, oldestPendingSeconds, quarantined, dropped }: LiveTotals): string {
  const what = quarantined + dropped > 0 ? 'logged or refused by InfluxDB' : 'logged';
  return `Everything accepted until ${clock(at - 1_000 * oldestPendingSeconds)} is ${what}.`;
}

type Mood = 'good' | 'bad' | 'unknown';

function verdictOf({ totals: known, audit, completeAt }: LiveState): { words: string; mood: Mood } {
  if (audit && !audit.balanced) {
    const wrong = [
      audit.missing > 0 && `${counted(audit.missing, 'operation')} missing`,
      audit.extra > 0 && `${counted(audit.extra, 'operation')} that nobody accepted`,
    ].filter((word) => word !== false);
    return { words: `The audit of ${clock(audit.at)} found ${wrong.join(' and ')}.`, mood: 'bad' };
  }
  const last = completeAt === null ? '' : ` Everything accepted was logged at ${clock(completeAt)}.`;
  if (!known) return { words: `The ledger does not answer.${last}`, mood: 'unknown' };
  if (known.pending > 0) {
    const onTheWay = `${counted(known.pending, 'operation')} on the way to InfluxDB.`;
    return { words: audit ? `${onTheWay} ${loggedUntil(known)}` : onTheWay, mood: 'unknown' };
  }
  if (completeAt === null)
    return { words: 'Nothing is pending; the audit is yet to say so.', mood: 'unknown' };
  return { words: `Everything accepted is logged, as of ${clock(completeAt)}.`, mood: 'good' };
}
