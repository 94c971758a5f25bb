import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Redis } from 'ioredis';
import { SECOND } from '../../shared/duration.js';
import { QUEUE_NAME } from '../../shared/operation-queue.js';
import type { Changes } from './changes.js';
import { ofStrangers } from './peer-evidence.js';
import { PlanError } from '../plan.js';
import { StillCount, type QueueAddress } from './still-count.js';
import type { Stores } from '../stores/open-stores.js';

/** What a drill can see go wrong: requests fail, operations are lost, are counted twice, or come back late. */
export type Weakness = 'failed' | 'lost' | 'twice' | 'slow';

/** A way to build it, and what it is expected to show. */
export interface Rung {
  readonly name: string;
  readonly title: string;
  /** What must be seen of it, or the drill proves nothing; Tally as it is has none. */
  readonly weakness?: Weakness;
  readonly plan: string;
  readonly durationMs: number;
  /** As the ladder's unless it says otherwise. */
  readonly lagMs?: number;
  readonly workers?: number;
  readonly settings?: Readonly<Record<string, string>>;
  readonly changes?: Changes;
  /** What is done to the stores before. */
  readonly prepare?: (stores: Stores) => Promise<void>;
}

/** The same for all that people usually build, and for Tally. */
const PLAN = { plan: 'roll,kill-api,kill-worker,lost-answer', durationMs: 20 * SECOND };

/** The same for Tally as it is, and in parts for Tally with a protection taken away. */
const HARDER = { plan: 'roll,kill-worker+flush-redis,redis-alone', durationMs: 20 * SECOND };

const DEPLOY = { plan: 'roll', durationMs: 8 * SECOND };

/** Twice the longest batch of a drill, and time to write it. */
const STILL_MS = 2_500;

const FOLDER = new URL('../../../bench/ladder/', import.meta.url);

/**
 * The ladder, from the bottom to Tally, and Tally with one protection at a time taken away from outside.
 *
 * @throws {PlanError} outside of a checkout with its development dependencies.
 */
export function readLadder(): readonly Rung[] {
  const program = programs();
  const alone = (api: string) => ({ workers: 0, changes: peer({ api: program(api) }) });
  const queue = { name: 'sums', prefix: 'bull' };
  return [
    {
      ...{ name: 'no-shutdown', ...PLAN, ...alone('no-shutdown'), weakness: 'failed' },
      title: 'each sum written before its answer; no graceful shutdown at all',
    },
    {
      ...{ name: 'graceful-close', ...PLAN, ...alone('graceful-close'), weakness: 'failed' },
      title: 'the same; SIGTERM closes the server, without waiting for the balancer',
    },
    {
      ...{ name: 'batch', ...PLAN, ...alone('batch'), weakness: 'lost' },
      title: 'answered at once, a batch in memory; SIGTERM waits and closes, without a flush',
    },
    {
      ...{ name: 'batch-flush', ...PLAN, ...alone('batch-flush'), weakness: 'lost' },
      title: 'the same, with a flush on SIGTERM',
    },
    {
      ...{ name: 'queue', ...PLAN, weakness: 'lost' },
      title: 'BullMQ, one job per sum, done before its batch is written',
      changes: peer({ api: program('queue-api'), worker: program('queue-worker') }, queue),
    },
    {
      ...{ name: 'queue-late', ...PLAN, weakness: 'twice' },
      title: 'the same, done after; a point has the time at which it is written',
      changes: peer({ api: program('queue-api'), worker: program('late-worker') }, queue),
    },
    { name: 'tally', ...PLAN, title: 'Tally' },
    { name: 'tally-harder', ...HARDER, title: 'Tally, under what the rungs below are tried with' },
    {
      ...{ name: 'no-wait', ...DEPLOY, weakness: 'failed' },
      title: 'Tally without a wait before closing',
      settings: { SHUTDOWN_DELAY: '0ms' },
    },
    {
      ...{ name: 'no-readiness', ...DEPLOY, weakness: 'failed', lagMs: SECOND / 5 },
      title: 'Tally whose readiness nobody asks for',
      changes: { unprobed: true },
    },
    {
      ...{ name: 'sigkill', ...DEPLOY, weakness: 'failed' },
      title: 'Tally, ended with SIGKILL instead of SIGTERM',
      changes: { stopSignal: 'SIGKILL' },
    },
    {
      ...{ name: 'no-ledger', plan: 'kill-worker+flush-redis', durationMs: 8 * SECOND, weakness: 'lost' },
      title: 'Tally without a ledger: DATABASE_URL leads nowhere',
      changes: {
        env: { DATABASE_URL: 'postgres://127.0.0.1:1/nowhere' },
        underway: (env) =>
          new StillCount({ env, stillMs: STILL_MS, queue: { name: QUEUE_NAME, prefix: 'tally' } }),
      },
    },
    {
      ...{ name: 'no-appendonly', plan: 'redis-alone', durationMs: 8 * SECOND, weakness: 'lost' },
      title: 'Tally with a Redis that keeps nothing on disk',
      prepare: ({ redis }) => forgetOnDisk(redis.url),
    },
    {
      ...{ name: 'long-locks', plan: 'kill-worker', durationMs: 8 * SECOND, weakness: 'slow' },
      title: 'Tally whose workers lock what they have for 45 s instead of 10',
      changes: { programs: { worker: program('long-locks') } },
    },
  ];
}

/** What a program of `bench/ladder` is started with: TypeScript as it stands there, run by tsx. */
function programs(): (name: string) => readonly string[] {
  try {
    const tsx = createRequire(import.meta.url).resolve('tsx');
    if (existsSync(FOLDER))
      return (name) => ['--import', pathToFileURL(tsx).href, fileURLToPath(new URL(`${name}.ts`, FOLDER))];
  } catch {
    // tsx is a development dependency: said below
  }
  throw new PlanError(
    '--ladder runs the programs of bench/ladder, which are not installed: it needs a checkout of Tally, after npm ci',
  );
}

function peer(own: NonNullable<Changes['programs']>, queue?: QueueAddress): Changes {
  return {
    programs: own,
    underway: (env) => new StillCount({ env, stillMs: STILL_MS, queue }),
    readEvidence: ofStrangers,
  };
}

/** As if it ran without `appendonly`, until it starts again. */
async function forgetOnDisk(url: string): Promise<void> {
  const redis = new Redis(url);
  await redis.config('SET', 'appendonly', 'no');
  redis.disconnect();
}
