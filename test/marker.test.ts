import { describe, expect, test } from 'vitest';
import { Lines } from '../src/shared/lines.js';
import type { LedgerLink } from '../src/worker/ledger-link.js';
import { Marker } from '../src/worker/marker.js';
import { turn, until } from './latch.js';

const chunk = (id: string) => ({ id, lines: Lines.of(['sum,instance=i numbers=1i,result=1 1']) });

/** A ledger that knows every chunk and answers when it is told to, and the ids of each statement. */
function scriptedLedger() {
  const statements: (readonly string[])[] = [];
  let answer = () => {};
  const markLogged = (ids: readonly string[]) => {
    statements.push(ids);
    return new Promise<ReadonlySet<string>>((resolve) => (answer = () => resolve(new Set(ids))));
  };
  const link: Pick<LedgerLink, 'tell'> = {
    tell: async (statement) => {
      await statement({ markLogged } as never);
      return true;
    },
  };
  return { link, statements, answer: () => answer() };
}

describe('the marker', () => {
  test('marks chunks that come within a moment in one statement', async () => {
    const { link, statements, answer } = scriptedLedger();
    const marker = new Marker(link);
    const first = marker.mark(chunk('i.0'));
    await turn();
    const second = marker.mark(chunk('i.1'));
    await until(() => statements.length > 0);
    answer();
    expect(await Promise.all([first, second])).toEqual([true, true]);
    expect(statements).toEqual([['i.0', 'i.1']]);
  });

  test('marks chunks that come while a statement is on its way with the next', async () => {
    const { link, statements, answer } = scriptedLedger();
    const marker = new Marker(link);
    const first = marker.mark(chunk('i.0'));
    await until(() => statements.length === 1);
    const others = ['i.1', 'i.2'].map((id) => marker.mark(chunk(id)));
    answer();
    expect(await first).toBe(true);
    await until(() => statements.length === 2);
    answer();
    expect(await Promise.all(others)).toEqual([true, true]);
    expect(statements).toEqual([['i.0'], ['i.1', 'i.2']]);
  });
});
