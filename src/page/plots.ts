import type { LivePoint, Quantiles } from '../shared/live.js';
import type { Colours } from './colours.js';
import { element } from './element.js';
import { Plot, type Plotted } from './plot.js';
import { Points } from './points.js';
import { compact, milliseconds, seconds } from './words.js';

/** Of a second in which nothing was measured there are none. */
const quantiles = (of: (point: LivePoint) => Quantiles | null): Plotted['curves'] => [
  { name: 'p50', colour: '--blue', as: 'line', sparse: true, value: (point) => of(point)?.p50 ?? null },
  { name: 'p99', colour: '--orange', as: 'dashes', sparse: true, value: (point) => of(point)?.p99 ?? null },
];

const PLOTTED: readonly Plotted[] = [
  {
    title: 'Answers per second',
    from: 'Answers to POST /sum by all API instances: 200; 4xx; 5xx.',
    words: compact,
    least: 5,
    curves: [
      { name: 'answered', colour: '--blue', as: 'area', value: ({ answered }) => answered },
      { name: 'rejected', colour: '--orange', as: 'dashes', value: ({ rejected }) => rejected },
      { name: 'failed', colour: '--red', as: 'columns', value: ({ failed }) => failed },
    ],
  },
  {
    title: 'Latency',
    from: 'Of the answers to POST /sum, as the API measures it; estimated from histograms.',
    words: milliseconds,
    least: 1,
    curves: quantiles(({ latencyMs }) => latencyMs),
  },
  {
    title: 'Backlog',
    from: 'Operations accepted and not logged yet, counted in the ledger.',
    words: compact,
    least: 5,
    curves: [{ name: 'pending', colour: '--violet', as: 'area', value: ({ backlog }) => backlog }],
  },
  {
    title: 'Time from accepted to logged',
    from: 'Of what reached InfluxDB in each second, as the workers measure it; estimated from histograms.',
    words: seconds,
    least: 1,
    curves: quantiles(({ loggedAfterSeconds }) => loggedAfterSeconds),
  },
  {
    title: 'Batches per second',
    from: 'Sent to InfluxDB by all workers, by why they left: full; old enough; the worker drains.',
    words: compact,
    least: 2,
    stacked: true,
    curves: [
      { name: 'size', colour: '--blue', as: 'columns', value: ({ batches }) => batches.size },
      { name: 'interval', colour: '--orange', as: 'columns', value: ({ batches }) => batches.interval },
      { name: 'drain', colour: '--violet', as: 'columns', value: ({ batches }) => batches.drain },
    ],
  },
];

/** The last five minutes. */
export class Plots {
  readonly root: HTMLElement;
  readonly #plots: readonly Plot[];
  readonly #points = new Points();

  constructor(colours: Colours) {
    this.#plots = PLOTTED.map((plotted) => new Plot(plotted, colours));
    this.root = element(
      'section',
      { class: 'plots', 'aria-label': 'The last five minutes' },
      ...this.#plots.map(({ root }) => root),
    );
  }

  add(points: readonly LivePoint[]): void {
    this.#points.add(points);
  }

  /** Draws what there is, up to a time: with nothing new the curves move on and leave a gap. */
  draw(now: number): void {
    const { line } = this.#points;
    for (const plot of this.#plots) plot.show(line, now);
  }

  redraw(): void {
    for (const plot of this.#plots) plot.redraw();
  }
}
