import type { Chunk } from '../src/shared/chunk.js';
import { Lines } from '../src/shared/lines.js';
import { monotonicNanoseconds, newInstance, toLine, type Operation } from '../src/shared/operation.js';

/** Operations that share a millisecond, as under load: their nanoseconds are consecutive. */
const PER_MILLISECOND = 10;

/** Chunks on their way to a store at once while it is filled. */
const WINDOW = 500;

/** What the operations differ in, by their number. */
export type Details = (made: number) => Pick<Operation, 'result' | 'requestId'>;

const PLAIN: Details = (made) => ({ result: made % 1_000 });

/** Chunks as one API process makes them, `operations` in all; the last may hold fewer than `size`. */
export function* makeChunks(operations: number, size: number, details = PLAIN): Generator<Chunk> {
  const instance = newInstance('bench');
  const begin = Date.now() - operations / PER_MILLISECOND;
  let made = 0;
  const nextAt = monotonicNanoseconds(() => begin + made / PER_MILLISECOND);
  for (let seq = 0; made < operations; seq++) {
    const lines: string[] = [];
    for (; lines.length < size && made < operations; made++)
      lines.push(toLine({ at: nextAt(), instance, name: 'sum', numbers: 4, ...details(made) }));
    yield { id: `${instance}.${seq}`, lines: Lines.of(lines) };
  }
}

/** Has a store accept the chunks, many at once. */
export async function acceptAll(
  chunks: Iterable<Chunk>,
  accept: (chunk: Chunk) => Promise<void>,
): Promise<void> {
  const window: Promise<void>[] = [];
  for (const chunk of chunks) {
    window.push(accept(chunk));
    if (window.length === WINDOW) await Promise.all(window.splice(0));
  }
  await Promise.all(window);
}
