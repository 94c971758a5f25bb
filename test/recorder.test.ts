import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { Recorder, RefusedError, type ChunkOutcome } from '../src/api/recorder.js';
import type { Chunk } from '../src/shared/chunk.js';
import { operationId, type Operation } from '../src/shared/operation.js';
import { latch, turn, type Latch } from './latch.js';
import { parseLine } from './line-protocol.js';

/** Enough for whatever happens without another outer event. */
async function turns(): Promise<void> {
  for (let n = 0; n < 5; n++) await turn();
}

/** Stands where the rule of acceptance does, and decides as the test says. */
class Decisions {
  open = true;
  readonly chunks: Chunk[] = [];
  #undecided: Latch<boolean>[] = [];

  readonly accept = (chunk: Chunk): Promise<boolean> => {
    this.chunks.push(chunk);
    const decision = latch<boolean>();
    this.#undecided.push(decision);
    return decision.promise;
  };

  get undecided(): number {
    return this.#undecided.length;
  }

  decideNow(accepted: boolean): void {
    this.#undecided.shift()?.resolve(accepted);
  }

  async decide(accepted: boolean): Promise<void> {
    this.decideNow(accepted);
    await turns();
  }
}

type Fate = 'waits' | 'OVERLOADED' | 'UNAVAILABLE' | Operation;

let decisions: Decisions;
let outcomes: ChunkOutcome[];
let recorder: Recorder;
/** What became of each operation, in order of arrival, and how many times that was decided. */
let fates: Fate[];
let settlements: number;

beforeEach(() => begin());

function begin(now: () => number = () => 1_000) {
  decisions = new Decisions();
  outcomes = [];
  fates = [];
  settlements = 0;
  const onChunk = (outcome: ChunkOutcome) => void outcomes.push(outcome);
  recorder = new Recorder({ instance: 'i', acceptance: decisions, now, onChunk });
}

function record(count = 1): void {
  for (let n = 0; n < count; n++) {
    const place = fates.push('waits') - 1;
    const settle = (fate: Fate) => {
      fates[place] = fate;
      settlements++;
    };
    recorder.record({ name: 'sum', numbers: place, result: place }).then(settle, (error: RefusedError) => {
      expect(error).toBeInstanceOf(RefusedError);
      settle(error.code);
    });
  }
}

const sizes = () => decisions.chunks.map(({ lines }) => lines.length);
const accepted = () => fates.filter((fate) => typeof fate === 'object');
const count = (fate: Fate) => fates.filter((each) => each === fate).length;

describe('an operation', () => {
  test('leaves at once when no chunk is on its way, together with what came in the same turn', async () => {
    record(3);
    await turns();
    expect(sizes()).toEqual([3]);
  });

  test('waits for the next chunk while one is on its way', async () => {
    record();
    await turns();
    record(7);
    await turns();
    record(5);
    await turns();
    expect([sizes(), recorder.pending]).toEqual([[1], 13]);
    await decisions.decide(true);
    expect([sizes(), recorder.pending]).toEqual([[1, 12], 12]);
  });

  test('joins the next chunk also when it comes because the one before was answered', async () => {
    record();
    await turns();
    record();
    decisions.decideNow(true);
    await turn();
    record(4);
    await turns();
    expect(sizes()).toEqual([1, 5]);
    await decisions.decide(true);
    expect(accepted()).toHaveLength(6);
  });

  test('is answered only after its own chunk is accepted', async () => {
    record();
    await turns();
    record();
    await turns();
    expect(fates).toEqual(['waits', 'waits']);
    await decisions.decide(true);
    expect([accepted().length, fates[1]]).toEqual([1, 'waits']);
    await decisions.decide(true);
    expect(accepted()).toHaveLength(2);
  });

  test('has, when it is answered, the identity that its line in the accepted chunk has', async () => {
    record(2);
    await turns();
    await decisions.decide(true);
    for (const [place, operation] of accepted().entries()) {
      const { tags, fields, timestamp } = parseLine(decisions.chunks[0]?.lines.text.split('\n')[place] ?? '');
      expect(operationId(operation)).toBe(`${timestamp}-${tags['instance']}`);
      expect(fields).toEqual({ numbers: `${place}i`, result: String(place) });
    }
  });

  test('is refused when no store has its chunk, and what comes after it starts afresh', async () => {
    record(2);
    await turns();
    record();
    await decisions.decide(false);
    expect(fates).toEqual(['UNAVAILABLE', 'UNAVAILABLE', 'waits']);
    await decisions.decide(true);
    expect(accepted()).toHaveLength(1);
    expect(recorder.pending).toBe(0);
  });
});

describe('a chunk', () => {
  test('holds at most 500 lines, in order of arrival', async () => {
    record(1_201);
    for (let n = 0; n < 3; n++) {
      await turns();
      await decisions.decide(true);
    }
    expect(sizes()).toEqual([500, 500, 201]);
    const order = decisions.chunks
      .flatMap(({ lines: { text } }) => text.split('\n'))
      .map((line) => parseLine(line).fields['numbers']);
    expect(order).toEqual(Array.from({ length: 1_201 }, (_, n) => `${n}i`));
  });

  test('has a number that was never used, also after one was refused', async () => {
    for (const outcome of [true, false, true]) {
      record();
      await turns();
      await decisions.decide(outcome);
    }
    expect(decisions.chunks.map(({ id }) => id)).toEqual(['i.0', 'i.1', 'i.2']);
  });

  test('that nobody would take is refused without a number, so that no gap is left', async () => {
    decisions.open = false;
    record(600);
    await turns();
    await turns();
    expect([count('UNAVAILABLE'), sizes()]).toEqual([600, []]);
    decisions.open = true;
    record();
    await turns();
    expect(decisions.chunks.map(({ id }) => id)).toEqual(['i.0']);
    await decisions.decide(true);
  });

  test('is reported with its outcome and its operations', async () => {
    for (const outcome of [true, false]) {
      record(3);
      await turns();
      await decisions.decide(outcome);
    }
    decisions.open = false;
    record(2);
    await turns();
    const seconds = expect.any(Number) as number;
    expect(outcomes).toEqual([
      { outcome: 'accepted', operations: 3, seconds },
      { outcome: 'refused', operations: 3, seconds },
      { outcome: 'refused', operations: 2, seconds },
    ]);
  });
});

describe('memory', () => {
  test('is bounded: beyond 10,000 operations waiting, new ones are refused at once, and the others are kept', async () => {
    record(10_000);
    await turns();
    record(3);
    await turns();
    expect([count('waits'), count('OVERLOADED'), recorder.pending]).toEqual([10_000, 3, 10_000]);
    await decisions.decide(true);
    record(501);
    await turns();
    expect([count('waits'), count('OVERLOADED'), recorder.pending]).toEqual([10_000, 4, 10_000]);
    while (decisions.undecided > 0) await decisions.decide(true);
    expect([accepted().length, recorder.pending]).toEqual([10_500, 0]);
  });
});

test('over any arrivals, outcomes and clocks each operation settles once, and each line is in one chunk, in order', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('arrive' as const), count: fc.integer({ min: 1, max: 700 }) }),
    fc.record({ kind: fc.constant('decide' as const), accepted: fc.boolean() }),
    fc.record({ kind: fc.constant('open' as const), open: fc.boolean() }),
    fc.constant({ kind: 'turn' as const }),
  );
  const times = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), times, async (steps, clock) => {
      let reading = 0;
      begin(() => clock[reading++ % clock.length] ?? 0);
      const outcomeOf: boolean[] = [];
      const decide = async (outcome: boolean) => {
        if (decisions.undecided === 0) return;
        outcomeOf.push(outcome);
        await decisions.decide(outcome);
      };
      for (const next of steps) {
        if (next.kind === 'arrive') record(next.count);
        else if (next.kind === 'decide') await decide(next.accepted);
        else if (next.kind === 'open') decisions.open = next.open;
        else await turns();
        expect(decisions.undecided).toBeLessThanOrEqual(1);
        expect(recorder.pending).toBe(count('waits'));
      }
      await turns();
      while (decisions.undecided > 0) await decide(true);

      expect([settlements, count('waits'), recorder.pending]).toEqual([fates.length, 0, 0]);
      expect(decisions.chunks.map(({ id }) => id)).toEqual(outcomeOf.map((_, n) => `i.${n}`));
      const lines = decisions.chunks.flatMap((chunk) => chunk.lines.text.split('\n'));
      const ats = lines.map((line) => BigInt(parseLine(line).timestamp));
      expect(ats.every((at, n) => at > (ats[n - 1] ?? 0n))).toBe(true);
      expect(sizes().every((size) => size >= 1 && size <= 500)).toBe(true);
      const acceptedLines = decisions.chunks
        .filter((_, n) => outcomeOf[n])
        .flatMap((chunk) => chunk.lines.text.split('\n'));
      expect(acceptedLines.map((line) => parseLine(line).timestamp)).toEqual(accepted().map(({ at }) => at));
    }),
    { numRuns: 100 },
  );
});
