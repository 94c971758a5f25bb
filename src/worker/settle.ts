import { Lines } from '../shared/lines.js';
import type { Batch, BatchReason } from './batcher.js';
import type { Quarantine } from './quarantine.js';
import type { Refusal, Store } from './store.js';

/** What became of a batch. */
export interface SettledBatch {
  readonly reason: BatchReason;
  readonly stored: number;
  readonly refused: number;
  /** From leaving to being settled. */
  readonly seconds: number;
}

export interface SettleOptions {
  readonly store: Pick<Store, 'store'>;
  readonly quarantine: Pick<Quarantine, 'keep'>;
  readonly onSettled: (batch: SettledBatch) => void;
}

/** Brings a batch to its end: its lines are in InfluxDB, or in quarantine with the reason. Nothing else settles it. */
export function settleWith({ store, quarantine, onSettled }: SettleOptions) {
  return async ({ segments, reason }: Batch, signal: AbortSignal): Promise<void> => {
    const started = performance.now();
    const lines = Lines.concat(segments.map((segment) => segment.lines));
    const refusals = await store.store(lines, signal);
    if (refusals.length > 0) {
      const refused = refusals.map((refusal) => ({ ...refusal, chunk: chunkOf(refusal, segments) }));
      await quarantine.keep(refused, signal);
    }
    const seconds = (performance.now() - started) / 1_000;
    onSettled({ reason, stored: lines.length - refusals.length, refused: refusals.length, seconds });
  };
}

function chunkOf({ line }: Refusal, segments: Batch['segments']): string {
  return segments.find(({ lines }) => lines.has(line))?.chunk.id ?? 'unknown';
}
