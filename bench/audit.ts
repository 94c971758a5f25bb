import { execFile } from 'node:child_process';
import { Lines } from '../src/shared/lines.js';
import { newInstance, toLine } from '../src/shared/operation.js';
import { Bucket } from './bucket.js';
import { ROOT } from './child.js';
import type { BenchLedger } from './ledger.js';
import { atMost, list, type Figure } from './report.js';
import { onAllStores } from './stores.js';

const CHUNK_SIZE = 50;

/** API processes, each with an equal part of the operations. */
const INSTANCES = 4;

/** Operations of an instance that share a millisecond. */
const PER_MILLISECOND = 10;

/** Lines posted at once, to have millions of them there within a minute. */
const POSTED_AT_ONCE = 5_000;

interface History {
  readonly instances: readonly string[];
  /** Chunks of each instance. */
  readonly chunks: number;
  /** Unix time of the first operation of each instance. */
  readonly beginMs: number;
}

/** A chunk that the ledger has as logged, and InfluxDB has not. */
interface Lost {
  readonly instance: string;
  readonly seq: number;
}

/** How long `tally audit` takes to name the one chunk that InfluxDB lacks. */
export async function audit(quick: boolean): Promise<Figure[]> {
  const operations = quick ? 400_000 : 10_000_000;
  const rounds = 3;
  const chunks = operations / INSTANCES / CHUNK_SIZE;
  const instances = Array.from({ length: INSTANCES }, () => newInstance('bench'));
  const history: History = { instances, chunks, beginMs: Date.now() - 10 * 60_000 };
  const lost: Lost = { instance: instances[2] ?? '', seq: Math.floor(0.617 * chunks) };
  return onAllStores('1.x', async ({ ledger, environment }, influx) => {
    await using bucket = await Bucket.create(influx.environment);
    await record(ledger, history);
    await Promise.all(instances.map((instance) => store(bucket, history, instance, lost)));
    await bucket.expect(operations - CHUNK_SIZE);
    const seconds: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const started = performance.now();
      const found = await tallyAudit({ ...environment, ...bucket.environment });
      seconds.push((performance.now() - started) / 1_000);
      expectFound(found, operations, lost);
    }
    return [
      {
        figure: `tally audit, ${operations.toLocaleString('en')} operations, one chunk missing`,
        value: Math.max(...seconds),
        unit: 's',
        goal: atMost(10),
        detail: `the slowest of ${list(seconds, 1)} s; ${INSTANCES} instances, chunks of ${CHUNK_SIZE}`,
      },
    ];
  });
}

/** All chunks as logged. Their lines are left out, for the audit compares counts. */
async function record(ledger: BenchLedger, { instances, chunks, beginMs }: History): Promise<void> {
  const stepNs = 1_000_000 / PER_MILLISECOND;
  await ledger.sql`
    INSERT INTO chunks (id, instance, seq, operations, first_at, last_at, lines, due_at, logged_at)
    SELECT instance || '.' || seq, instance, seq, ${CHUNK_SIZE}::integer,
           ${`${beginMs}000000`}::bigint + seq * ${CHUNK_SIZE * stepNs}::bigint,
           ${`${beginMs}000000`}::bigint + (seq + 1) * ${CHUNK_SIZE * stepNs}::bigint - ${stepNs}::bigint,
           '', now(), now()
    FROM generate_series(0, ${chunks - 1}::bigint) AS seq, unnest(${instances as string[]}::text[]) AS instance
    ORDER BY seq`;
  await ledger.tidy();
}

/** The points of an instance's chunks, but for those of the lost one. */
async function store(
  bucket: Bucket,
  { chunks, beginMs }: History,
  instance: string,
  lost: Lost,
): Promise<void> {
  let lines: string[] = [];
  for (let made = 0; made < chunks * CHUNK_SIZE; made++) {
    const seq = Math.floor(made / CHUNK_SIZE);
    if (instance === lost.instance && seq === lost.seq) continue;
    // 10 to a millisecond: 0.0 ms, 0.1 ms, … as nanoseconds.
    const at = `${beginMs + Math.floor(made / PER_MILLISECOND)}${made % PER_MILLISECOND}00000`;
    lines.push(toLine({ at, instance, name: 'sum', numbers: 4, result: made % 1_000 }));
    if (lines.length < POSTED_AT_ONCE) continue;
    await bucket.write(Lines.of(lines));
    lines = [];
  }
  if (lines.length > 0) await bucket.write(Lines.of(lines));
}

interface Found {
  readonly accepted: number;
  readonly missing: number;
  readonly balanced: boolean;
  readonly gaps: readonly unknown[];
  readonly chunks: readonly { readonly id: string; readonly missing: number }[];
}

/** @throws with what it said, unless it found something missing. */
function tallyAudit(environment: Readonly<Record<string, string>>): Promise<Found> {
  const args = ['dist/cli/main.js', 'audit', '--since', '1h', '--json'];
  const env = { PATH: process.env['PATH'], ...environment };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd: ROOT, env }, (error, stdout, stderr) => {
      if (error?.code === 1) resolve(JSON.parse(stdout) as Found);
      else reject(new Error(`tally audit ended with code ${error?.code ?? 0}: ${stderr || stdout}`));
    });
  });
}

/** @throws unless it is the lost chunk and nothing else. */
function expectFound(found: Found, operations: number, { instance, seq }: Lost): void {
  const { accepted, missing, gaps, chunks } = found;
  const [chunk] = chunks;
  const right = chunks.length === 1 && chunk?.id === `${instance}.${seq}` && chunk.missing === CHUNK_SIZE;
  if (right && accepted === operations && missing === CHUNK_SIZE && gaps.length === 0) return;
  throw new Error(`${instance}.${seq} is missing and tally audit found ${JSON.stringify(found)}`);
}
