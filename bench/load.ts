import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { onPath } from '../src/drill/stores/command.js';
import { StoreError } from '../src/drill/stores/store.js';

const SCRIPT = fileURLToPath(new URL('sum.lua', import.meta.url));

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
  readonly threads: number;
  readonly seconds: number;
}

export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly p99Ms: number;
}

/** @throws {StoreError} `MISSING` when wrk, which the load comes from, is not on this machine. */
function findWrk(): string {
  const wrk = onPath('wrk', process.env);
  if (wrk === undefined)
    throw new StoreError('MISSING', 'wrk is missing: apt-get install wrk (Debian), brew install wrk (macOS)');
  return wrk;
}

/**
 * Sums from many keep-alive connections, as fast as they are answered. The load comes from wrk because a load generator
 * in Node would take more of the processor than the server.
 *
 * @throws when a request failed: then the rate says nothing.
 */
export async function load({ port, connections, threads, seconds }: LoadOptions): Promise<LoadResult> {
  const args = [
    ...['--threads', String(threads), '--connections', String(connections), '--duration', `${seconds}s`],
    ...['--timeout', '10s', '--script', SCRIPT, `http://127.0.0.1:${port}/sum`],
  ];
  const env = { ...process.env, CONNECTIONS: String(connections) };
  const { stderr } = await promisify(execFile)(findWrk(), args, { env });
  const totals = JSON.parse(stderr) as { requests: number; duration: number; p99: number; failed: number };
  if (totals.failed > 0) throw new Error(`${totals.failed} of ${totals.requests} requests failed`);
  return { requestsPerSecond: totals.requests / (totals.duration / 1e6), p99Ms: totals.p99 / 1_000 };
}
