import { createHash, timingSafeEqual } from 'node:crypto';
import type { Context } from 'hono';
import { SECOND } from '../shared/duration.js';
import type { Logger } from '../shared/log.js';
import { problem } from './problem.js';

/** Tries of the token are answered this often at the most; the others get 429. */
const TRY_MS = SECOND;

export interface CrashOptions {
  /** What the caller must know; without it there is no such route. */
  readonly token: string;
  readonly log: Logger;
}

/** `POST /crash` with `Authorization: Bearer <CHAOS_TOKEN>`: ends the process without an answer, as `kill -9` does. */
export function answerCrash({ token, log }: CrashOptions) {
  let nextTryAt = -Infinity;
  return (c: Context): Response => {
    const tried = performance.now();
    if (tried < nextTryAt)
      return problem(c, {
        status: 429,
        code: 'too-many-requests',
        title: 'The token may be tried once a second',
        headers: { 'Retry-After': String(Math.ceil((nextTryAt - tried) / SECOND)) },
      });
    nextTryAt = tried + TRY_MS;
    const [, given = ''] = /^Bearer +(\S+)$/i.exec(c.req.header('Authorization') ?? '') ?? [];
    if (!same(given, token))
      return problem(c, {
        status: 401,
        code: 'unauthorized',
        title: 'Only who knows CHAOS_TOKEN may do this',
        headers: { 'WWW-Authenticate': 'Bearer' },
      });
    log.warn('crashing, as asked for with CHAOS_TOKEN');
    process.kill(process.pid, 'SIGKILL');
    return c.body(null, 202); // never gets out
  };
}

/** Takes as long for any two texts: digests are of one length. */
function same(given: string, token: string): boolean {
  const [a, b] = [given, token].map((text) => createHash('sha256').update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}
