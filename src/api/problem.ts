import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

/** Faults listed in one answer; a megabyte of wrong numbers must not become ten of complaints. */
const MAX_FAULTS = 100;

/** One fault of a request: where (RFC 6901 pointer into the body, `""` for all of it) and what. */
export interface Fault {
  readonly pointer: string;
  readonly detail: string;
}

interface Problem {
  readonly status: ContentfulStatusCode;
  /** Machine name of the problem, the last part of its `type`. */
  readonly code: string;
  readonly title: string;
  readonly detail?: string;
  readonly faults?: readonly Fault[];
  readonly headers?: Record<string, string>;
}

/** An `application/problem+json` answer (RFC 9457). `errors` holds the first 100 faults, `faults` counts them all. */
export function problem(c: Context, { status, code, title, detail, faults, headers }: Problem): Response {
  const body = {
    type: `urn:tally:problem:${code}`,
    title,
    status,
    ...(detail !== undefined && { detail }),
    ...(faults && { faults: faults.length, errors: faults.slice(0, MAX_FAULTS) }),
  };
  return c.body(JSON.stringify(body), status, { 'Content-Type': 'application/problem+json', ...headers });
}
