import { SECOND } from '../../shared/duration.js';
import { describeEvent, type WatchEvent } from './events.js';
import type { WatchRecord } from './record.js';
import { drawInstances } from './instances.js';
import type { ServiceView } from './service.js';
import { drawLegend, drawStrip, shortLane } from './strip.js';
import { flow, type Line, type Span } from './styled.js';
import { clockTime, elapsed, milliseconds, seconds, thousands, unknownOr } from './words.js';

/** Instances and events that a small screen has room for before the strip gets more. */
const FEW = 4;

/** The time of an audit is said when it is older: the next one should have been there. */
const OLD_MS = 15 * SECOND;

/** All that a screen shows. */
export interface FrameView {
  readonly url: string;
  /** Of the watch. */
  readonly nowMs: number;
  /** When it began, as Unix time in milliseconds. */
  readonly beganAt: number;
  readonly everyMs: number;
  readonly service: ServiceView;
  readonly record: WatchRecord;
  /** Oldest first. */
  readonly events: readonly { readonly at: number; readonly event: WatchEvent }[];
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * The screen, in no more lines than it has. What matters most gets its lines first: one row of the strip, the totals, the
 * asks, some instances and events; then all instances, the strip's past, and more events.
 */
export function drawFrame(view: FrameView, { width, height }: Size): Line[] {
  const { record, service, everyMs, beganAt, nowMs } = view;
  const drawRows = (lines: number) => drawStrip(record.lanes, { everyMs, beganAt, width, height: lines });
  const oneRow = record.lanes.length;
  const totals = drawTotals(service, beganAt + nowMs, width);
  const legend = drawLegend(record.answerers.versions, width);
  const asks = drawAsks(record, nowMs);
  const instances = drawInstances(service, width);
  const events = drawEvents(view);

  const room = new Room(height);
  const given = {
    head: room.give(1),
    strip: room.give(BLANK + oneRow),
    totals: room.give(totals.length, 1),
    legend: room.give(legend.length),
    asks: room.give(BLANK + asks.length),
    instances: room.give(BLANK + Math.min(instances.length, FEW + TITLE), BLANK + TITLE + 1),
    events: room.give(BLANK + Math.min(events.length, FEW), BLANK + 1),
  };
  if (given.instances > 0) given.instances += room.give(instances.length + BLANK - given.instances, 1);
  if (given.strip > 0) given.strip += room.give(drawRows(oneRow + room.left).length - oneRow);
  if (given.events > 0) given.events += room.give(events.length + BLANK - given.events, 1);
  return [
    ...[drawHead(view)].slice(0, given.head),
    ...totals.slice(0, given.totals),
    ...below(asks.slice(0, given.asks)),
    ...below(given.strip > 0 ? drawRows(given.strip - BLANK) : []),
    ...legend.slice(0, given.legend),
    ...below(instances.slice(0, Math.max(0, given.instances - BLANK))),
    ...below(events.slice(events.length - Math.max(0, given.events - BLANK))),
  ].slice(0, height);
}

/** Lines that a part takes beside its own: one before it, and its title. */
const BLANK = 1;
const TITLE = 1;

/** The lines that are left. */
class Room {
  left: number;

  constructor(height: number) {
    this.left = height;
  }

  /** So many as are wanted, or what is left if that is enough to be of use, or none. */
  give(wanted: number, least = wanted): number {
    const given = wanted <= this.left ? wanted : this.left >= least ? this.left : 0;
    this.left -= given;
    return given;
  }
}

const below = (lines: readonly Line[]): readonly Line[] => (lines.length > 0 ? [[], ...lines] : []);

function drawHead({ url, nowMs, beganAt }: FrameView): Line {
  const time = `${clockTime(beganAt + nowMs)}  for ${elapsed(nowMs)}`;
  return [['strong', 'tally watch'], `  ${url}  ${time}  `, ['faint', 'Ctrl+C ends it']];
}

function drawTotals(service: ServiceView, now: number, width: number): Line[] {
  const { totals, missing, missingAt, extra, point, away, about } = service;
  const old = missingAt !== null && now - missingAt > OLD_MS ? ` at ${clockTime(missingAt)}` : '';
  const item = (name: string, value: number | null): Line => [`${name} ${unknownOr(value)}`];
  const some = (name: string, value: number | null | undefined) => (value ? [item(name, value)] : []);
  const mustBeNone = (name: string, value: number | null): Line =>
    value === null
      ? item(name, value)
      : [[value === 0 ? 'good' : 'bad', `${name} ${thousands(value)}${old}`]];
  return [
    ...flow(
      [
        item('accepted', totals?.accepted ?? null),
        item('logged', totals?.logged ?? null),
        item('quarantined', totals?.quarantined ?? null),
        ...some('dropped', totals?.dropped),
        item('pending', totals?.pending ?? null),
        mustBeNone('missing', missing),
        ...(extra ? [mustBeNone('too many', extra)] : []),
        [['faint', about]],
      ],
      width,
    ),
    drawCompleteness(service, now),
    ...(point || away.length > 0
      ? flow(
          [
            ...(point ? [[`all instances: ${thousands(point.answered)} answers/s`]] : []),
            ...(point && point.failed > 0
              ? [[['bad', `✗ ${thousands(point.failed)} failed/s`]] as Line]
              : []),
            ...(point ? [item('backlog', point.backlog)] : []),
            away.length > 0
              ? [['bad', `✗ stores away: ${away.join(', ')}`]]
              : [['faint', 'no store is away']],
          ],
          width,
        )
      : []),
  ];
}

function drawCompleteness({ completeAt, oldestPendingSeconds }: ServiceView, now: number): Line {
  const late = oldestPendingSeconds !== null && oldestPendingSeconds >= 1;
  const oldest = late ? `; oldest pending: ${oldestPendingSeconds.toFixed(1)} s` : '';
  if (completeAt === null) return [`everything accepted is logged: not seen yet${oldest}`];
  const ago = Math.max(0, now - completeAt);
  return [
    ['good', `everything accepted was logged at ${clockTime(completeAt)}`],
    `, ${seconds(ago)} ago${oldest}`,
  ];
}

const COLUMNS = ['answered', 'failed', 'gaps', 'p50 (10 s)', 'p99 (10 s)'];

/** Latencies are those of the last ten seconds, the rest is of all the time. */
function drawAsks({ lanes }: WatchRecord, nowMs: number): Line[] {
  const row = (label: string, cells: readonly Span[]): Line => [['faint', label.padEnd(14)], ...cells];
  const cell = (text: string) => text.padStart(11);
  return [
    [['faint', `${'asked here'.padEnd(14)}${COLUMNS.map(cell).join('')}`]],
    ...lanes.map((lane) => {
      const latency = lane.recent(nowMs);
      const mustBeNone = (value: number): Span =>
        value === 0 ? cell('0') : ['bad', cell(`✗ ${thousands(value)}`)];
      return row(shortLane(lane), [
        cell(thousands(lane.answered)),
        mustBeNone(lane.failed),
        mustBeNone(lane.gaps + (lane.inGap ? 1 : 0)),
        cell(latency ? milliseconds(latency.p50) : ''),
        cell(latency ? milliseconds(latency.p99) : ''),
      ]);
    }),
  ];
}

function drawEvents({ events }: FrameView): Line[] {
  return events.map(({ at, event }): Line => [['faint', `${clockTime(at)}  `], describeEvent(event)]);
}
