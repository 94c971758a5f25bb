import type { Tracer } from '@opentelemetry/api';
import type { Chunk } from '../shared/chunk.js';
import type { InfluxAnswer, InfluxConfig } from '../shared/influx.js';
import type { Batch } from './batcher.js';
import type { Outcome } from './consumer.js';
import type { SettledBatch } from './settle.js';
import type { Verdict } from './store.js';

/** What the worker's parts say of their work, for those who follow one request through it. */
export interface WorkerTracing {
  /** Does as `settle`, which settles a chunk out of the queue, in the trace that its job carries. */
  process(chunk: Chunk, redelivered: boolean, settle: () => Promise<Outcome>): Promise<Outcome>;
  /** Does as `settle`, which settles a chunk out of the ledger, in a trace of its own: the ledger carries none. */
  relay(chunk: Chunk, settle: () => Promise<Outcome>): Promise<Outcome>;
  /** Does as `write`, which brings the batch to its end. */
  write(batch: Batch, write: () => Promise<void>): Promise<void>;
  /** Told each answer of InfluxDB while a batch is written. */
  answered(verdict: Verdict, answer: InfluxAnswer, lines: number): void;
  /** Told what became of the batch that is written. */
  settled(batch: SettledBatch): void;
  /** Does as `mark`, which marks the chunk logged in the ledger. */
  mark(chunk: Chunk, mark: () => Promise<boolean>): Promise<boolean>;
}

/** Nothing is traced. */
const UNTRACED: WorkerTracing = {
  process: (_, __, settle) => settle(),
  relay: (_, settle) => settle(),
  write: (_, write) => write(),
  answered: () => undefined,
  settled: () => undefined,
  mark: (_, mark) => mark(),
};

/** Where InfluxDB is, and which bucket. */
export type Target = Pick<InfluxConfig, 'INFLUX_URL' | 'INFLUX_BUCKET'>;

export async function traceWorker(tracer: Tracer | undefined, target: Target): Promise<WorkerTracing> {
  if (!tracer) return UNTRACED;
  const { TracedWorker } = await import('./traced.js');
  return new TracedWorker(tracer, target);
}
