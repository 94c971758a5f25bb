import type { Chunk } from '../src/shared/chunk.js';
import { Lines } from '../src/shared/lines.js';
import { monotonicNanoseconds, newInstance, toLine } from '../src/shared/operation.js';

/** Operations that share a millisecond, as under load: their nanoseconds are consecutive. */
const PER_MILLISECOND = 10;

/** Chunks as one API process makes them, `operations` in all; the last may hold fewer than `size`. */
export function* makeChunks(operations: number, size: number): Generator<Chunk> {
  const instance = newInstance('bench');
  const begin = Date.now() - operations / PER_MILLISECOND;
  let made = 0;
  const nextAt = monotonicNanoseconds(() => begin + made / PER_MILLISECOND);
  for (let seq = 0; made < operations; seq++) {
    const lines: string[] = [];
    for (; lines.length < size && made < operations; made++)
      lines.push(toLine({ at: nextAt(), instance, name: 'sum', numbers: 4, result: made % 1_000 }));
    yield { id: `${instance}.${seq}`, lines: Lines.of(lines) };
  }
}
