import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { PROBLEM_TYPE, type ProblemCode } from './problems.js';
import { MAX_FAULTS, type Fault, type ProblemBody } from './schemas.js';

interface Problem {
  readonly status: ContentfulStatusCode;
  readonly code: ProblemCode;
  readonly title: string;
  readonly detail?: string;
  readonly faults?: readonly Fault[];
  readonly headers?: Record<string, string>;
}

/** An `application/problem+json` answer (RFC 9457). `errors` holds the first 100 faults, `faults` counts them all. */
export function problem(c: Context, { status, code, title, detail, faults, headers }: Problem): Response {
  const body: ProblemBody = {
    type: `${PROBLEM_TYPE}${code}`,
    title,
    status,
    ...(detail !== undefined && { detail }),
    ...(faults && { faults: faults.length, errors: faults.slice(0, MAX_FAULTS) }),
  };
  return c.body(JSON.stringify(body), status, { 'Content-Type': 'application/problem+json', ...headers });
}
