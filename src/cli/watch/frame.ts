import { describeEvent, type WatchEvent } from './events.js';
import type { WatchRecord } from './record.js';
import type { SeenInstance, ServiceView } from './service.js';
import { drawLegend, drawStrip, shortLane } from './strip.js';
import { flow, type Line, type Span } from './styled.js';
import { clockTime, elapsed, milliseconds, seconds, thousands, unknownOr } from './words.js';

/** Instances and events that a small screen has room for before the strip gets more. */
const FEW = 4;

const NAME_WIDTH = 30;

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
 * The screen, in no more lines than it has. What matters most comes first: the totals, one row of the strip, the asks;
 * then as many instances and events as there is room for; what is left goes to the strip's past.
 */
export function drawFrame(view: FrameView, { width, height }: Size): Line[] {
  const { record, service, everyMs, beganAt } = view;
  const strip = (rows: number) => drawStrip(record.lanes, { everyMs, beganAt, width, height: rows });
  const oneRow = record.lanes.length;
  const room = new Room(height);
  const head = room.take([drawHead(view)]);
  const totals = room.take(drawTotals(service, beganAt + view.nowMs, width));
  const rowOfStrip = room.take(strip(oneRow), BLANK);
  const legend = room.take(drawLegend(record.answerers.versions, width));
  const asks = room.take(drawAsks(record, view.nowMs), BLANK);
  const instances = room.some(drawInstances(service), BLANK, FEW + 1);
  const events = room.some(drawEvents(view), BLANK, FEW, 'last');
  const moreInstances = room.rest(drawInstances(service), instances);
  const past = rowOfStrip.length > 0 ? room.take(strip(oneRow + room.left).slice(0, -oneRow)) : [];
  return [
    ...head,
    ...totals,
    ...asks,
    ...withPast(rowOfStrip, past),
    ...legend,
    ...instances,
    ...moreInstances,
    ...events,
  ];
}

const BLANK: readonly Line[] = [[]];

/** The lines that are left; a part that does not fit is left out whole. */
class Room {
  left: number;

  constructor(height: number) {
    this.left = height;
  }

  take(lines: readonly Line[], before: readonly Line[] = []): readonly Line[] {
    const all = lines.length === 0 ? [] : [...before, ...lines];
    if (all.length > this.left) return [];
    this.left -= all.length;
    return all;
  }

  /** So many at the most, the first or the last ones. */
  some(
    lines: readonly Line[],
    before: readonly Line[],
    most: number,
    which: 'first' | 'last' = 'first',
  ): readonly Line[] {
    const fitting = Math.max(0, Math.min(most, this.left - before.length));
    const chosen =
      which === 'first'
        ? lines.slice(0, fitting)
        : lines.slice(lines.length - Math.min(fitting, lines.length));
    return this.take(chosen, before);
  }

  /** Those that follow on what was taken of them, as far as there is room. */
  rest(lines: readonly Line[], taken: readonly Line[]): readonly Line[] {
    if (taken.length === 0) return [];
    return this.take(lines.slice(taken.length - 1).slice(0, this.left));
  }
}

function withPast(row: readonly Line[], past: readonly Line[]): readonly Line[] {
  return [...row.slice(0, 1), ...past, ...row.slice(1)];
}

function drawHead({ url, nowMs, beganAt }: FrameView): Line {
  const time = `${clockTime(beganAt + nowMs)}  for ${elapsed(nowMs)}`;
  return [['strong', 'tally watch'], `  ${url}  ${time}  `, ['faint', 'Ctrl+C ends it']];
}

function drawTotals(service: ServiceView, now: number, width: number): Line[] {
  const { totals, missing, extra, point, away, about } = service;
  const item = (name: string, value: number | null): Line => [`${name} ${unknownOr(value)}`];
  const some = (name: string, value: number | null | undefined) => (value ? [item(name, value)] : []);
  const mustBeNone = (name: string, value: number | null): Line =>
    value === null ? item(name, value) : [[value === 0 ? 'good' : 'bad', `${name} ${thousands(value)}`]];
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
  const oldest = oldestPendingSeconds
    ? `; the oldest pending one is ${oldestPendingSeconds.toFixed(1)} s old`
    : '';
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

function drawInstances({ instances }: ServiceView): Line[] {
  if (instances.length === 0) return [];
  const width = (of: (seen: SeenInstance) => string) =>
    Math.min(NAME_WIDTH, Math.max(8, ...instances.map((seen) => of(seen).length))) + 2;
  const [names, versions] = [width(({ instance }) => instance), width(({ version }) => version)];
  const fit = (text: string, columns: number) => text.slice(0, columns - 2).padEnd(columns);
  const count = (value: number | undefined) => (value === undefined ? '' : thousands(value)).padStart(11);
  const title = `${'process'.padEnd(9)}${'instance'.padEnd(names)}${'version'.padEnd(versions)}${'state'.padEnd(9)}`;
  return [
    [['faint', `${title}${'accepted'.padStart(11)}${'logged'.padStart(11)}  seen`]],
    ...instances.map((seen): Line => {
      const { process, instance, version, state, accepted, logged, seenMs } = seen;
      return [
        `${process.padEnd(9)}${fit(instance, names)}${fit(version, versions)}`,
        drawState(state),
        `${count(accepted)}${count(logged)}  ${seconds(Math.max(0, seenMs))} ago`,
      ];
    }),
  ];
}

function drawState(state: string): Span {
  const text = state.padEnd(9);
  if (state === 'ready') return ['good', text];
  return state === 'gone' ? ['bad', text] : ['strong', text];
}

function drawEvents({ events }: FrameView): Line[] {
  return events.map(({ at, event }): Line => [['faint', `${clockTime(at)}  `], describeEvent(event)]);
}
