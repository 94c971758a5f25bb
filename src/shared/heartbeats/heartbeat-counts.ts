import type { Counter, Histogram } from 'prom-client';
import type { CumulativeHistogram } from './heartbeat.js';

type Labels = Readonly<Partial<Record<string, string | number>>>;

/** A counter's value under these labels. */
export async function valueOf(counter: Counter, labels: Labels): Promise<number> {
  const { values } = await counter.get();
  const fits = (found: Labels) => Object.entries(labels).every(([name, value]) => found[name] === value);
  return values.filter(({ labels: found }) => fits(found)).reduce((sum, { value }) => sum + value, 0);
}

/** A histogram's buckets, added up over the labels that fit. */
export async function bucketsOf(
  histogram: Histogram,
  fits: (labels: Labels) => boolean = () => true,
): Promise<CumulativeHistogram> {
  const counts = new Map<number, number>();
  const { values } = await histogram.get();
  for (const { labels, value } of values as readonly { labels: Labels; value: number }[]) {
    if (labels['le'] === undefined || !fits(labels)) continue;
    const bound = labels['le'] === '+Inf' ? Infinity : Number(labels['le']);
    counts.set(bound, (counts.get(bound) ?? 0) + value);
  }
  const all = counts.get(Infinity) ?? 0;
  counts.delete(Infinity);
  return { bounds: [...counts.keys()], counts: [...counts.values(), all] };
}
