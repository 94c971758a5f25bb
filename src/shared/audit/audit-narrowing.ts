import { readChunks, type AuditedChunk } from './audit-ledger.js';
import { addUp, NOTHING, type ChunkDifference, type Tally } from './audit-tally.js';
import { countRange, type InstanceRange } from '../counts.js';
import type { Influx } from '../influx.js';
import type { Postgres } from '../postgres.js';

type Chunks = readonly AuditedChunk[];

/**
 * Traces a difference to its chunks: counts one half, derives the other, and looks into those that differ, so that each
 * chunk is found in a number of counts that grows with the logarithm of the range. What the ledger says is read anew,
 * for it may have changed since the difference was seen.
 */
export async function narrowDown(
  postgres: Postgres,
  influx: Influx,
  range: InstanceRange,
): Promise<Tally & { readonly chunks: readonly ChunkDifference[] }> {
  const audited = closeUp(await readChunks(postgres, range), range.lastAt);
  const chunks: ChunkDifference[] = [];
  for (const stretch of withoutPending(audited))
    chunks.push(...(await differences(influx, stretch, await count(influx, stretch))));
  const tallies = audited.map(({ accepted, quarantined, dropped, expectation }) => {
    const expected = accepted - quarantined - dropped;
    const state = expectation === 'pending' ? { pending: expected } : { logged: expected };
    return { ...NOTHING, accepted, quarantined, dropped, ...state };
  });
  const found = chunks.map(({ missing, extra }) => ({ ...NOTHING, logged: extra - missing, missing, extra }));
  return { ...addUp([...tallies, ...found]), chunks };
}

/** Ends each chunk where the next begins: a point between two is nobody's, and counts as the former's. */
function closeUp(audited: Chunks, lastAt: string): AuditedChunk[] {
  return audited.map((chunk, index) => {
    const next = audited[index + 1];
    return { ...chunk, lastAt: next ? String(BigInt(next.firstAt) - 1n) : lastAt };
  });
}

/** The stretches of chunks between pending ones, of which InfluxDB may hold anything. */
function withoutPending(audited: Chunks): AuditedChunk[][] {
  const stretches: AuditedChunk[][] = [[]];
  for (const chunk of audited) {
    if (chunk.expectation === 'pending') stretches.push([]);
    else stretches.at(-1)?.push(chunk);
  }
  return stretches.filter(({ length }) => length > 0);
}

/** What differs in chunks with nothing between them, of which InfluxDB holds `found` operations. */
async function differences(influx: Influx, chunks: Chunks, found: number): Promise<ChunkDifference[]> {
  if (found === expectedOf(chunks)) return [];
  if (chunks.length === 1 || found === 0) {
    // A derived count is off by what was logged meanwhile; what is said of a chunk was counted.
    const counted = await count(influx, chunks);
    if (chunks.length === 1 || counted === 0) return chunks.flatMap((chunk) => differenceOf(chunk, counted));
  }
  const middle = Math.floor(chunks.length / 2);
  const [left, right] = [chunks.slice(0, middle), chunks.slice(middle)];
  const inLeft = await count(influx, left);
  return [
    ...(await differences(influx, left, inLeft)),
    ...(await differences(influx, right, found - inLeft)),
  ];
}

function differenceOf(chunk: AuditedChunk, counted: number): ChunkDifference[] {
  const lack = expectedOf([chunk]) - counted;
  return lack === 0 ? [] : [{ id: chunk.id, missing: Math.max(0, lack), extra: Math.max(0, -lack) }];
}

function expectedOf(chunks: Chunks): number {
  return chunks.reduce((sum, chunk) => sum + chunk.accepted - chunk.quarantined - chunk.dropped, 0);
}

async function count(influx: Influx, chunks: Chunks): Promise<number> {
  const first = chunks[0];
  const last = chunks.at(-1);
  return first && last ? countRange(influx, { ...first, lastAt: last.lastAt }) : 0;
}
