import type { CumulativeHistogram } from '../../shared/heartbeats/heartbeat.js';
import type { Quantiles } from '../../shared/live.js';

/** What `now` has beyond `before`; never less than nothing. */
export function since(
  before: CumulativeHistogram | undefined,
  now: CumulativeHistogram,
): CumulativeHistogram {
  if (!before) return now;
  const { bounds } = now;
  const grown = [...bounds, Infinity].map((bound, index) => {
    return Math.max(0, (now.counts[index] ?? 0) - upTo(before, bound));
  });
  return { bounds, counts: grown };
}

/** Several together; where they have other bounds, their buckets are split evenly. */
export function together(histograms: readonly CumulativeHistogram[]): CumulativeHistogram {
  const bounds = [...new Set(histograms.flatMap((histogram) => histogram.bounds))].sort((a, b) => a - b);
  const counts = [...bounds, Infinity].map((bound) =>
    histograms.reduce((sum, histogram) => sum + upTo(histogram, bound), 0),
  );
  return { bounds, counts };
}

/** The median and the 99th of a hundred; `null` of nothing. `scale` turns the histogram's unit into the wanted one. */
export function quantilesOf(histogram: CumulativeHistogram, scale = 1): Quantiles | null {
  if (totalOf(histogram) === 0) return null;
  return { p50: scale * quantile(0.5, histogram), p99: scale * quantile(0.99, histogram) };
}

/**
 * As `histogram_quantile` of Prometheus has it: within its bucket a value lies in proportion, the first bucket begins at
 * 0, and what is beyond the last bound is taken for it.
 */
export function quantile(part: number, histogram: CumulativeHistogram): number {
  const { bounds, counts } = histogram;
  const rank = part * totalOf(histogram);
  const bucket = counts.findIndex((count) => count >= rank);
  const upper = bounds[bucket];
  if (upper === undefined) return bounds.at(-1) ?? 0;
  const lower = bucket === 0 ? Math.min(0, upper) : (bounds[bucket - 1] ?? 0);
  const [below, reached] = [bucket === 0 ? 0 : (counts[bucket - 1] ?? 0), counts[bucket] ?? 0];
  return reached === below ? upper : lower + ((upper - lower) * (rank - below)) / (reached - below);
}

const totalOf = ({ counts }: CumulativeHistogram) => counts.at(-1) ?? 0;

/** Observations up to a bound, in proportion where it lies within a bucket. */
function upTo(histogram: CumulativeHistogram, bound: number): number {
  const { bounds, counts } = histogram;
  const bucket = bounds.findIndex((upper) => upper >= bound);
  if (bucket === -1) return bound === Infinity ? totalOf(histogram) : (counts[bounds.length - 1] ?? 0);
  const upper = bounds[bucket] ?? bound;
  const lower = bucket === 0 ? Math.min(0, upper) : (bounds[bucket - 1] ?? 0);
  const below = bucket === 0 ? 0 : (counts[bucket - 1] ?? 0);
  const reached = counts[bucket] ?? 0;
  return upper === bound ? reached : below + ((reached - below) * (bound - lower)) / (upper - lower);
}
