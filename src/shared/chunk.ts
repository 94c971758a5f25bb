import { Lines } from './lines.js';
import { MAX_LINES } from './operation.js';

/** 1 to 500 lines accepted together by one API process: one queue job and one ledger row, under one id. */
export interface Chunk {
  /** `<instance>.<n>`, n counting from 0. */
  readonly id: string;
  readonly lines: Lines;
}

/** What a chunk's queue job carries: its lines, joined by line feeds (no line holds one). */
export interface ChunkJob {
  readonly lines: string;
}

export function toJob(chunk: Chunk): ChunkJob {
  return { lines: chunk.lines.text };
}

/** The chunk in a job, or `undefined` when this version cannot read the job's data: then nothing may be guessed. */
export function fromJob(id: string, data: unknown): Chunk | undefined {
  if (typeof data !== 'object' || data === null || !('lines' in data)) return undefined;
  if (typeof data.lines !== 'string') return undefined;
  const lines = Lines.read(data.lines);
  return lines && lines.length <= MAX_LINES ? { id, lines } : undefined;
}
