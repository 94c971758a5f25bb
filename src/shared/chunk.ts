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

/** The chunk with this id and these lines, or `undefined` when this version cannot read it: then nothing may be guessed. */
export function readChunk(id: string, text: string): Chunk | undefined {
  const lines = text.includes('\0') ? undefined : Lines.read(text);
  return lines && lines.length <= MAX_LINES ? { id, lines } : undefined;
}

/** The chunk in a job, or `undefined` when this version cannot read the job's data. */
export function fromJob(id: string, data: unknown): Chunk | undefined {
  if (typeof data !== 'object' || data === null || !('lines' in data)) return undefined;
  return typeof data.lines === 'string' ? readChunk(id, data.lines) : undefined;
}
