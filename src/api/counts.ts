import type { Context } from 'hono';
import { audit, WindowError, type AuditStores } from '../shared/audit/audit.js';
import type { Tally } from '../shared/audit/audit-tally.js';
import { DAY, parseDuration } from '../shared/duration.js';
import type { Logger } from '../shared/log.js';
import { problem } from './problem.js';
import type { CountsAnswer } from './schemas.js';

/** Audits under way at once: each may take a store seconds. */
const MOST_UNDER_WAY = 4;

/** Counts of a window; `'unavailable'` when a store does not answer, or too much is asked at once. */
export type Counted = Tally | 'unavailable' | WindowError;

/** Counts operations as the audit does. Who asks for what is being counted already gets that answer. */
export class Counts {
  readonly #stores: AuditStores;
  readonly #log: Logger;
  readonly #underWay = new Map<number, Promise<Counted>>();

  constructor(stores: AuditStores, log: Logger) {
    this.#stores = stores;
    this.#log = log;
  }

  /** Never rejects. */
  readonly since = (sinceMs: number): Promise<Counted> => {
    const underWay = this.#underWay.get(sinceMs);
    if (underWay) return underWay;
    if (this.#underWay.size >= MOST_UNDER_WAY) return Promise.resolve('unavailable');
    const counting = this.#count(sinceMs).finally(() => this.#underWay.delete(sinceMs));
    this.#underWay.set(sinceMs, counting);
    return counting;
  };

  async #count(sinceMs: number): Promise<Counted> {
    try {
      return await audit(this.#stores, { sinceMs });
    } catch (error) {
      if (error instanceof WindowError) return error;
      this.#log.warn({ err: error }, 'operations could not be counted');
      return 'unavailable';
    }
  }
}

/** Answers `GET /counts?since=D`, D being 24h unless it is given. */
export function answerCounts(count: (sinceMs: number) => Promise<Counted>) {
  return async (c: Context): Promise<Response> => {
    const since = c.req.query('since');
    const sinceMs = since === undefined ? DAY : parseDuration(since);
    if (sinceMs === undefined)
      return badSince(c, `since: "${since}" is not a duration; expected one such as 30s, 1h or 7d`);
    const counted = await count(sinceMs);
    if (counted instanceof WindowError)
      return badSince(c, `since: ${counted.message}; ${counted.longest} would do`);
    if (counted === 'unavailable') {
      return problem(c, {
        status: 503,
        code: 'unavailable',
        title: 'Nobody can tell now',
        detail: 'a store does not answer, or too many counts are under way',
        headers: { 'Retry-After': '1' },
      });
    }
    const { accepted, logged, quarantined, dropped, pending, missing, extra } = counted;
    const body: CountsAnswer = { accepted, logged, quarantined, dropped, pending, missing, extra };
    return c.json(body, 200, { 'Cache-Control': 'no-store' });
  };
}

function badSince(c: Context, detail: string): Response {
  return problem(c, { status: 400, code: 'invalid-request', title: 'The request is malformed', detail });
}
