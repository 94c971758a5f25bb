import { createHistogram } from 'node:perf_hooks';
import { SECOND } from '../../shared/duration.js';
import { TIMEOUT_MS } from './asking.js';
import { Cells } from './cells.js';
import { GapFinder } from './gaps.js';
import type { Call, Connection, Lane } from './lanes.js';

/** Of this time are rates and latencies that are shown. */
const RECENT_MS = 10 * SECOND;

const PER_MS = 1_000;

/** In milliseconds. */
export interface Latency {
  readonly p50: number;
  readonly p99: number;
}

interface Took {
  readonly ms: number;
  readonly tookMs: number;
}

/** What came of the asks of one lane. */
export class LaneRecord implements Lane {
  readonly call: Call;
  readonly connection: Connection;
  readonly cells = new Cells();
  readonly finder = new GapFinder();
  asked = 0;
  answered = 0;
  failed = 0;
  /** Failed while this process stood still. */
  unjudged = 0;
  gaps = 0;
  /** Why the last ask failed; `undefined` since the last answer. */
  failing: string | undefined;
  /** Whether it was told that there is a gap. */
  inGap = false;
  // Microseconds to three digits: as much memory after a day as after a second.
  readonly #all = createHistogram({ lowest: 1, highest: 2 * TIMEOUT_MS * PER_MS, figures: 3 });
  #recent: Took[] = [];

  constructor({ call, connection }: Lane) {
    [this.call, this.connection] = [call, connection];
  }

  took(ms: number, tookMs: number): void {
    this.#all.record(Math.max(1, Math.round(tookMs * PER_MS)));
    this.#recent.push({ ms, tookMs });
  }

  /** Of the answers since then, in milliseconds. */
  tookSince(ms: number): readonly number[] {
    return this.#recent.filter((took) => took.ms >= ms).map(({ tookMs }) => tookMs);
  }

  /** Of the last ten seconds; forgets what is older. */
  recent(nowMs: number): Latency | undefined {
    this.#recent = this.#recent.filter(({ ms }) => ms >= nowMs - RECENT_MS);
    return latencyOf(this.#recent.map(({ tookMs }) => tookMs));
  }

  /** Of all answers. */
  get latency(): (Latency & { readonly max: number }) | undefined {
    if (this.#all.count === 0) return undefined;
    const of = (percentage: number) => this.#all.percentile(percentage) / PER_MS;
    return { p50: of(50), p99: of(99), max: this.#all.max / PER_MS };
  }
}

export function latencyOf(took: readonly number[]): Latency | undefined {
  const sorted = [...took].sort((one, other) => one - other);
  const of = (share: number) => sorted[Math.ceil(sorted.length * share) - 1] ?? 0;
  return sorted.length === 0 ? undefined : { p50: of(0.5), p99: of(0.99) };
}
