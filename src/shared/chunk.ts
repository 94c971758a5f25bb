import { Lines } from './lines.js';
import { MAX_LINES } from './operation.js';
import { readTraceContext, type TraceContext } from './tracing/trace-context.js';

/** 1 to 500 lines accepted together by one API process: one queue job and one ledger row, under one id. */
export interface Chunk {
  /** `<instance>.<n>`, n counting from 0. */
  readonly id: string;
  readonly lines: Lines;
  /** The trace in which it was sent, if that is kept. */
  readonly trace?: TraceContext;
}

/** What a chunk's queue job carries: its lines, joined by line feeds (no line holds one), and its trace if that is kept. */
export interface ChunkJob {
  readonly lines: string;
  /** Not read by versions that do not trace. */
  readonly trace?: TraceContext;
}

export function toJob({ lines }: Chunk, trace?: TraceContext): ChunkJob {
  return { lines: lines.text, ...(trace && { trace }) };
}

/** The chunk with this id and these lines, or `undefined` when this version cannot read it: then nothing may be guessed. */
export function readChunk(id: string, text: string): Chunk | undefined {
  const lines = text.includes('\0') ? undefined : Lines.read(text);
  return lines && lines.length <= MAX_LINES ? { id, lines } : undefined;
}

/** The chunk in a job, or `undefined` when this version cannot read the job's data. */
export function fromJob(id: string, data: unknown): Chunk | undefined {
  if (typeof data !== 'object' || data === null || !('lines' in data)) return undefined;
  const chunk = typeof data.lines === 'string' ? readChunk(id, data.lines) : undefined;
  const trace = 'trace' in data ? readTraceContext(data.trace) : undefined;
  return chunk && trace ? { ...chunk, trace } : chunk;
}
