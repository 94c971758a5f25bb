import type { SeenVersion } from './answerers.js';
import type { Cell } from './cells.js';
import type { LaneRecord } from './lane-record.js';
import { flow, type Line, type Span } from './styled.js';
import { clockTime, thousands } from './words.js';

const LABEL_WIDTH = 14;
const CLOCK_WIDTH = 10;

/** Below this there is no room for the time. */
const LEAST_CELLS = 40;

/** What stands for a version: one letter each, then what is left over. */
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const letterOf = ({ index }: SeenVersion) => LETTERS[index] ?? '+';

export interface StripOptions {
  readonly everyMs: number;
  /** When the first turn was, as Unix time in milliseconds. */
  readonly beganAt: number;
  readonly width: number;
  /** Lines that there are for it: each row of it takes one for each lane. */
  readonly height: number;
}

/**
 * Every answer, lane below lane, written from left to right. A row that is full is followed by another one below; the
 * oldest go when there is no room.
 */
export function drawStrip(lanes: readonly LaneRecord[], options: StripOptions): Line[] {
  const { everyMs, beganAt, width, height } = options;
  const clock = width - LABEL_WIDTH - CLOCK_WIDTH >= LEAST_CELLS;
  const cells = Math.max(1, width - LABEL_WIDTH - (clock ? CLOCK_WIDTH : 0));
  const end = Math.max(...lanes.map((lane) => lane.cells.end));
  return rowsOf(end, cells, Math.max(1, Math.floor(height / lanes.length))).flatMap((from) =>
    lanes.map((lane, index) => {
      const time = index === 0 ? clockTime(beganAt + from * everyMs) : '';
      return [
        ...(clock ? [['faint', time.padEnd(CLOCK_WIDTH)] as const] : []),
        ['faint', shortLane(lane).padEnd(LABEL_WIDTH)] as const,
        ...drawCells(lane, from, from + cells),
      ];
    }),
  );
}

/** The turn that each row begins with, when so many turns have been. One row alone keeps half of what it has when it is full. */
function rowsOf(end: number, cells: number, most: number): readonly number[] {
  const step = most === 1 ? Math.ceil(cells / 2) : cells;
  const last = Math.max(0, Math.ceil((end - cells) / step)) * step;
  const rows = Math.min(most, Math.floor(last / cells) + 1);
  return Array.from({ length: rows }, (_, index) => last - (rows - 1 - index) * cells);
}

/** Neighbours of one style are one span. */
function drawCells({ cells }: LaneRecord, from: number, to: number): Span[] {
  const spans: [style: 'none' | Exclude<Span, string>[0], text: string][] = [];
  for (let turn = from; turn < Math.min(to, cells.end); turn++) {
    const [style, text] = drawCell(cells.at(turn));
    const last = spans.at(-1);
    if (last?.[0] === style) last[1] += text;
    else spans.push([style, text]);
  }
  return spans.map(([style, text]) => (style === 'none' ? text : [style, text]));
}

function drawCell(cell: Cell | undefined): readonly ['none' | Exclude<Span, string>[0], string] {
  switch (cell?.kind) {
    case 'answered': {
      const { by, slow } = cell;
      if (!by.version) return ['none', '?'];
      const letter = letterOf(by.version);
      return [`version-${by.version.index}`, slow ? letter.toLowerCase() : letter];
    }
    case 'failed':
      return ['bad', '✗'];
    case 'gap':
      return ['bad', '-'];
    case 'waiting':
      return ['none', '.'];
    default:
      return ['none', ' '];
  }
}

/** What the signs of the strip say, and how often each version answered. */
export function drawLegend(versions: readonly SeenVersion[], width: number): Line[] {
  const seen = versions.map((version): Line => {
    const letter = [`version-${version.index}`, letterOf(version)] as const;
    return [letter, ` ${version.name}: ${thousands(version.answered)}`];
  });
  const signs = ['a slower than 1 s', '✗ failed', '- gap', '. waiting', '? version not known yet'];
  return flow([...seen, ...signs.map((sign): Line => [['faint', sign]])], width);
}

export function shortLane({ call, connection }: Pick<LaneRecord, 'call' | 'connection'>): string {
  return `${call === 'POST /sum' ? 'sum' : 'version'} ${connection}`;
}
