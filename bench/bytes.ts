import { randomUUID } from 'node:crypto';
import { makeChunks, type Details } from './operations.js';
import { atMost, type Figure } from './report.js';
import { onAcceptingStores } from './stores.js';

const MB = 1024 * 1024;

/** Memory that Redis needs for an operation in the queue. */
export async function redisMemory(quick: boolean): Promise<Figure[]> {
  const operations = quick ? 100_000 : 500_000;
  return onAcceptingStores(async ({ queue }) => {
    await queue.accept(makeChunks(50, 50)); // what there is once, however long the queue: its own keys, scripts
    const before = await queue.usedMemory();
    await queue.accept(makeChunks(operations, 50));
    return [
      perOperation('Redis memory per queued operation', (await queue.usedMemory()) - before, operations, 150),
    ];
  });
}

/** As callers may send them: hardly anything to compress. */
const INCOMPRESSIBLE: Details = () => ({ result: Math.random(), requestId: randomUUID() });

/** What an operation takes of the ledger's disk once it is logged: each chunk was added, and marked later. */
export async function ledgerSize(quick: boolean): Promise<Figure[]> {
  const operations = quick ? 100_000 : 1_000_000;
  return onAcceptingStores(async ({ ledger }) => {
    const measure = async (details?: Details): Promise<number> => {
      const chunks = [...makeChunks(operations, 50, details)];
      await ledger.clear();
      await ledger.accept(chunks, 90_000);
      await ledger.mark(chunks);
      await ledger.expect(operations);
      return await ledger.bytes();
    };
    return [
      perOperation('ledger bytes per logged operation', await measure(), operations, 100),
      perOperation(
        'ledger bytes per logged operation with random result and request id',
        await measure(INCOMPRESSIBLE),
        operations,
      ),
    ];
  });
}

function perOperation(figure: string, bytes: number, operations: number, goal?: number): Figure {
  return {
    figure: `${figure}, chunks of 50`,
    value: bytes / operations,
    unit: 'bytes',
    ...(goal !== undefined && { goal: atMost(goal) }),
    detail: `${(bytes / MB).toFixed(1)} MB for ${operations.toLocaleString('en')} operations`,
  };
}
