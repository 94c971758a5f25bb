import { createHash, timingSafeEqual } from 'node:crypto';
import type { Context } from 'hono';
import { SECOND } from '../shared/duration.js';
import type { Logger } from '../shared/log.js';
import { problem } from './problem.js';
import type { CrashAnswer } from './schemas.js';

/** Tries of the token are answered this often at the most; the others get 429. */
const TRY_MS = SECOND;

/** RFC 7240: who sends this wants an answer before it is done. */
const ANSWER_FIRST = /(^|,)\s*respond-async\s*(,|;|$)/i;

/** How long that answer has to get out. */
const LAST_WORDS_MS = SECOND / 10;

export interface CrashOptions {
  /** What the caller must know; without it there is no such route. */
  readonly token: string;
  readonly instance: string;
  readonly log: Logger;
  /** Ends the process at once, as `kill -9` does. */
  readonly crash?: () => void;
}

/**
 * `POST /crash` with `Authorization: Bearer <CHAOS_TOKEN>`: ends the process without an answer, as `kill -9` does. Browsers
 * send again what broke without an answer on a connection that they had used before, and would crash a second process:
 * with `Prefer: respond-async` it is answered first.
 */
export function answerCrash({ token, instance, log, crash = killOurselves }: CrashOptions) {
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
    const applied = { 'Preference-Applied': 'respond-async' };
    if (ANSWER_FIRST.test(c.req.header('Prefer') ?? '')) setTimeout(crash, LAST_WORDS_MS);
    else crash(); // and what follows never gets out
    return c.json({ instance } satisfies CrashAnswer, 202, applied);
  };
}

const killOurselves = () => void process.kill(process.pid, 'SIGKILL');

/** Takes as long for any two texts: digests are of one length. */
function same(given: string, token: string): boolean {
  const [a, b] = [given, token].map((text) => createHash('sha256').update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}
