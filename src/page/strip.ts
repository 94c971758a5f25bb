import { EVERY_MS, isGap, KEPT_MS, LANES, type Ask, type Asking } from './asking.js';
import type { Colours } from './colours.js';
import { element } from './element.js';
import type { Versions } from './versions.js';
import { clock } from './words.js';

/** Where a line of the strip is on the canvas. */
interface Line {
  readonly from: number;
  readonly y: number;
}

const GUTTER = 56;
const LANE_HEIGHT = 13;
const LINE_HEIGHT = 2 * LANE_HEIGHT + 13;

/** How many seconds a line may be long; the longest whose answers can still be told apart is taken. */
const LENGTHS_MS = [120_000, 60_000, 30_000, 20_000, 15_000, 10_000] as const;
const LEAST_PER_SECOND = 14;

/**
 * Every answer of the last two minutes as a cell in the colour of its version, line below line as in a log book: above
 * those to `POST /sum`, below those to `GET /version`. Nothing moves but when a line is full.
 */
export class Strip {
  readonly root: HTMLCanvasElement;
  readonly #asking: Asking;
  readonly #versions: Versions;
  readonly #colours: Colours;
  readonly #context: CanvasRenderingContext2D | null;
  #width = 0;

  constructor(asking: Asking, versions: Versions, colours: Colours) {
    this.#asking = asking;
    this.#versions = versions;
    this.#colours = colours;
    const label = 'Every answer of the last two minutes; their counts are below';
    this.root = element('canvas', { class: 'strip', role: 'img', 'aria-label': label });
    this.#context = this.root.getContext('2d');
    new ResizeObserver(([entry]) => {
      this.#width = entry?.contentRect.width ?? 0;
      this.draw();
    }).observe(this.root);
  }

  /** What was asked at a place of the canvas. */
  at(x: number, y: number): Ask | undefined {
    const line = this.#lines().findLast((each) => each.y <= y);
    if (!line || x < GUTTER) return undefined;
    const lane = LANES[y - line.y < LANE_HEIGHT ? 0 : 1];
    const time = line.from + (x - GUTTER) / this.#perMs;
    return this.#asking.asks.find(
      (ask) => ask.lane === lane && time >= ask.sentAt && time < ask.sentAt + EVERY_MS,
    );
  }

  draw(): void {
    const context = this.#context;
    if (!context || this.#width === 0) return;
    const lines = this.#lines();
    this.#resize(lines.length * LINE_HEIGHT);
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, this.#width, lines.length * LINE_HEIGHT);
    context.font = '11px system-ui, sans-serif';
    context.textBaseline = 'middle';
    for (const line of lines) {
      context.fillStyle = this.#colours.of('--soft');
      context.fillText(clock(line.from), 0, line.y + LANE_HEIGHT);
      context.fillStyle = this.#colours.of('--well');
      context.fillRect(GUTTER, line.y, this.#width - GUTTER, 2 * LANE_HEIGHT + 1);
    }
    this.#drawPauses(context, lines);
    const { asks } = this.#asking;
    for (const ask of asks) this.#drawAnswer(context, lines, ask);
    for (const ask of asks) this.#drawFault(context, lines, ask);
  }

  get #lengthMs(): number {
    const room = (this.#width - GUTTER) / LEAST_PER_SECOND;
    return LENGTHS_MS.find((length) => length / 1_000 <= room) ?? LENGTHS_MS[5];
  }

  get #perMs(): number {
    return (this.#width - GUTTER) / this.#lengthMs;
  }

  #lines(): readonly Line[] {
    const length = this.#lengthMs;
    const last = Math.floor(Date.now() / length) * length;
    const many = Math.ceil(KEPT_MS / length) + 1;
    return Array.from({ length: many }, (_, index) => ({
      from: last - (many - 1 - index) * length,
      y: index * LINE_HEIGHT + 4,
    }));
  }

  #resize(height: number): void {
    const { root } = this;
    const [wide, high] = [this.#width, height].map((size) => Math.round(size * devicePixelRatio));
    if (root.width === wide && root.height === high) return;
    root.width = wide ?? 0;
    root.height = high ?? 0;
    root.style.height = `${height}px`;
  }

  #placeOf(lines: readonly Line[], { lane, sentAt }: Pick<Ask, 'lane' | 'sentAt'>) {
    const line = lines.findLast(({ from }) => from <= sentAt);
    if (!line || sentAt >= line.from + this.#lengthMs) return undefined;
    const slot = Math.floor((sentAt - line.from) / EVERY_MS);
    return {
      x: GUTTER + slot * EVERY_MS * this.#perMs,
      y: line.y + LANES.indexOf(lane) * (LANE_HEIGHT + 1),
      width: EVERY_MS * this.#perMs,
    };
  }

  #drawAnswer(context: CanvasRenderingContext2D, lines: readonly Line[], ask: Ask): void {
    const place = this.#placeOf(lines, ask);
    if (!place || ask.state !== 'answered') return;
    const { colour } = this.#versions.of(ask.instance ?? '') ?? { colour: '--soft' };
    context.fillStyle = this.#colours.of(colour);
    context.fillRect(place.x, place.y, Math.max(1, place.width - 1), LANE_HEIGHT);
  }

  /** A cross for an error, and a hollow box for as long as nobody answered. */
  #drawFault(context: CanvasRenderingContext2D, lines: readonly Line[], ask: Ask): void {
    const place = this.#placeOf(lines, ask);
    if (!place) return;
    const { x, y, width } = place;
    if (isGap(ask)) {
      const long = Math.min(((ask.endedAt ?? Date.now()) - ask.sentAt) * this.#perMs, this.#width - x);
      context.fillStyle = this.#colours.of('--amber-wash');
      context.fillRect(x, y, long, LANE_HEIGHT);
      context.strokeStyle = this.#colours.of('--amber');
      context.lineWidth = 1.5;
      context.strokeRect(x + 0.75, y + 0.75, Math.max(2, long - 1.5), LANE_HEIGHT - 1.5);
    }
    if (ask.state !== 'failed') return;
    const [middle, half] = [x + width / 2, LANE_HEIGHT / 2 - 2];
    context.fillStyle = this.#colours.of('--red-wash');
    context.fillRect(x - 1, y, width + 1, LANE_HEIGHT);
    context.strokeStyle = this.#colours.of('--red');
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(middle - half, y + 2);
    context.lineTo(middle + half, y + LANE_HEIGHT - 2);
    context.moveTo(middle + half, y + 2);
    context.lineTo(middle - half, y + LANE_HEIGHT - 2);
    context.stroke();
  }

  /** A dotted line while nobody asked. */
  #drawPauses(context: CanvasRenderingContext2D, lines: readonly Line[]): void {
    context.strokeStyle = this.#colours.of('--soft');
    context.lineWidth = 1;
    context.setLineDash([1, 3]);
    for (const { from, to = Date.now() } of this.#asking.pauses) {
      for (const line of lines) {
        const [begin, end] = [Math.max(from, line.from), Math.min(to, line.from + this.#lengthMs)];
        if (begin >= end) continue;
        context.beginPath();
        context.moveTo(GUTTER + (begin - line.from) * this.#perMs, line.y + LANE_HEIGHT);
        context.lineTo(GUTTER + (end - line.from) * this.#perMs, line.y + LANE_HEIGHT);
        context.stroke();
      }
    }
    context.setLineDash([]);
  }
}
