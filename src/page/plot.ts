import uPlot from 'uplot';
import type { LivePoint } from '../shared/live.js';
import type { Colours } from './colours.js';
import { element, write } from './element.js';
import { WINDOW_MS } from './points.js';
import { clock } from './words.js';

interface Curve {
  readonly name: string;
  /** A custom property of the style sheet. */
  readonly colour: string;
  /** Who cannot tell colours apart tells lines apart. */
  readonly as: 'area' | 'line' | 'dashes' | 'columns';
  /** Some seconds have nothing to show, and those between them would not be seen without a dot. */
  readonly sparse?: true;
  /** `null`: there is nothing to show of this second. */
  readonly value: (point: LivePoint) => number | null;
}

export interface Plotted {
  readonly title: string;
  readonly from: string;
  readonly curves: readonly Curve[];
  /** Each curve stands on the one before. */
  readonly stacked?: boolean;
  readonly words: (value: number) => string;
  /** The least that the axis reaches up to. */
  readonly least: number;
}

/** All plots show the same moment under the pointer. */
const SYNC = 'live';

const HEIGHT = 132;

/** Between two marks on the axis of time, in seconds. */
const TIME_STEPS = [60, 120, 300];

const FONT = '11px system-ui, sans-serif';

/** Some minutes of curves, with their latest values, or those under the pointer. */
export class Plot {
  readonly root: HTMLElement;
  readonly #plotted: Plotted;
  readonly #colours: Colours;
  readonly #chart: uPlot;
  readonly #values: readonly HTMLElement[];
  readonly #time = element('span', { class: 'plot-time' });
  #line: readonly (LivePoint | undefined)[] = [];

  constructor(plotted: Plotted, colours: Colours) {
    this.#plotted = plotted;
    this.#colours = colours;
    const place = element('div', { class: 'plot-canvas', role: 'img', 'aria-label': plotted.title });
    this.#values = plotted.curves.map(() => element('b', {}, '–'));
    const legend = plotted.curves.map(({ name, colour, as }, index) => {
      const swatch = element('i', { class: `swatch ${as}` });
      swatch.style.color = `var(${colour})`;
      return element('span', {}, swatch, `${name} `, this.#values[index] ?? '');
    });
    this.root = element(
      'figure',
      { class: 'plot' },
      element('figcaption', { title: plotted.from }, element('h3', {}, plotted.title), this.#time),
      element('p', { class: 'legend' }, ...legend),
      place,
      element('p', { class: 'small-print' }, plotted.from),
    );
    this.#chart = new uPlot(this.#options(), [[]], place);
    new ResizeObserver(([entry]) => {
      if (entry) this.#chart.setSize({ width: entry.contentRect.width, height: HEIGHT });
    }).observe(place);
  }

  /** @param now the right edge, in Unix milliseconds. */
  show(line: readonly (LivePoint | undefined)[], now: number): void {
    this.#line = line;
    this.#chart.setData(this.#data(line), false);
    this.#chart.setScale('x', { min: (now - WINDOW_MS) / 1_000, max: now / 1_000 });
    this.#writeValues();
  }

  redraw(): void {
    this.#chart.redraw();
  }

  #data(line: readonly (LivePoint | undefined)[]): uPlot.AlignedData {
    const times = line.map((point, index) => (point?.at ?? (line[index - 1]?.at ?? 0) + 1) / 1_000);
    const curves = this.#plotted.curves.map(({ value }) =>
      line.map((point) => (point ? value(point) : null)),
    );
    return [times, ...(this.#plotted.stacked ? stack(curves).toReversed() : curves)];
  }

  #writeValues(): void {
    const { idx } = this.#chart.cursor;
    const pointed = typeof idx === 'number' ? this.#line[idx] : undefined;
    const point = pointed ?? this.#line.at(-1);
    for (const [index, { value }] of this.#plotted.curves.entries()) {
      const now = point ? value(point) : null;
      const place = this.#values[index];
      if (place) write(place, now === null ? '–' : this.#plotted.words(now));
    }
    write(this.#time, pointed ? clock(pointed.at) : '');
  }

  #options(): uPlot.Options {
    const { curves, words, least, stacked } = this.#plotted;
    const colour = (name: string) => () => this.#colours.of(name);
    const axis = { stroke: colour('--soft'), font: FONT, ticks: { show: false } };
    return {
      width: 300,
      height: HEIGHT,
      padding: [8, 18, 0, 0],
      legend: { show: false },
      cursor: { y: false, sync: { key: SYNC }, drag: { x: false, y: false }, points: { size: 6 } },
      scales: { y: { range: (_, __, most) => [0, Math.max(least, (most ?? 0) * 1.08)] } },
      axes: [
        {
          ...axis,
          size: 22,
          grid: { show: false },
          space: 44,
          incrs: TIME_STEPS,
          values: (_, ticks) => ticks.map(minute),
        },
        {
          ...axis,
          size: 52,
          space: 34,
          grid: { stroke: colour('--rule'), width: 1 },
          values: (_, ticks) => ticks.map(words),
        },
      ],
      series: [
        {},
        // What stands on another is drawn behind it.
        ...(stacked ? curves.toReversed() : curves).map((curve) => ({
          stroke: colour(curve.colour),
          ...styleOf(curve, colour),
          points: {
            show: curve.sparse ?? false,
            size: 3,
            fill: colour(curve.colour),
          },
        })),
      ],
      hooks: { setCursor: [() => this.#writeValues()] },
    };
  }
}

type Style = Pick<uPlot.Series, 'width' | 'fill' | 'dash' | 'paths'>;

function styleOf({ as, colour: name }: Curve, colour: (name: string) => () => string): Style {
  if (as === 'area') return { width: 1.5, fill: colour(`${name}-wash`) };
  if (as === 'dashes') return { width: 1.5, dash: [4, 3] };
  if (as === 'line') return { width: 1.5 };
  const paths = uPlot.paths.bars?.({ size: [0.8, 8, 2], align: -1 });
  return { width: 0, fill: colour(name), ...(paths && { paths }) };
}

/** Each curve on top of those before it. */
function stack(curves: readonly (readonly (number | null)[])[]): (number | null)[][] {
  const stacked: (number | null)[][] = [];
  for (const curve of curves) {
    const below = stacked.at(-1);
    stacked.push(curve.map((value, index) => (value === null ? null : value + (below?.[index] ?? 0))));
  }
  return stacked;
}

/** 16:30 */
const minute = (second: number) => clock(second * 1_000).slice(0, 5);
