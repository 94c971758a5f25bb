import { setTimeout as delay } from 'node:timers/promises';
import type { HttpServer } from '../shared/http/http-server.js';
import type { StopCause } from '../shared/lifecycle.js';

export interface DrainOptions {
  readonly server: HttpServer;
  readonly cause: StopCause;
  /** How long load balancers may take to forget this process, in milliseconds. */
  readonly delayMs: number;
  /** How long requests in flight may take after that, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * The API's drain, from the moment `/readyz` answers 503: serve on while load balancers forget this process, each
 * answer with `Connection: close`; then stop listening and finish what is in flight, each request waiting for its
 * acceptance. Resolves with the number of requests that had to be cut.
 */
export async function drain({ server, cause, delayMs, timeoutMs }: DrainOptions): Promise<number> {
  server.turnAway();
  if (cause === 'SIGTERM') await delay(delayMs);
  return server.finish(timeoutMs);
}
