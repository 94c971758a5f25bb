import type { ZodOpenApiResponseObject } from 'zod-openapi';
import { z } from 'zod';
import { PROBLEM_TYPE, PROBLEMS, type ProblemCode } from './problems.js';
import { REQUEST_ID } from './schemas.js';

type Headers = Readonly<Record<string, z.ZodType>>;

const EVERY_ANSWER = {
  'X-Request-Id': z
    .string()
    .regex(REQUEST_ID)
    .meta({
      description: "the caller's own, or a new one",
      header: { id: 'X-Request-Id', required: true },
    }),
};

export const RETRY_AFTER = {
  'Retry-After': z
    .string()
    .regex(/^[1-9]\d*$/)
    .meta({ description: 'Seconds after which to ask again.' }),
};

/** What may change is not kept by caches. */
export const NO_STORE = { 'Cache-Control': z.literal('no-store') };

/** An answer of 200 with this body. */
export function answer(
  description: string,
  body: z.ZodType,
  headers: Headers = {},
): ZodOpenApiResponseObject {
  return {
    description,
    headers: z.object({ ...EVERY_ANSWER, ...headers }),
    content: { 'application/json': { schema: body } },
  };
}

/** An answer of 200 with a text of this type. */
export function textAnswer(
  description: string,
  type: string,
  headers: Headers = {},
): ZodOpenApiResponseObject {
  return {
    description,
    headers: z.object({ ...EVERY_ANSWER, ...headers }),
    content: { [type]: { schema: z.string() } },
  };
}

/** An answer that says no, with one of these problems. */
export function refusal(codes: readonly ProblemCode[], headers: Headers = {}): ZodOpenApiResponseObject {
  return {
    description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code]}`).join('; '),
    headers: z.object({ ...EVERY_ANSWER, ...headers }),
    content: {
      'application/problem+json': {
        schema: {
          $ref: '#/components/schemas/Problem',
          properties: { type: { enum: codes.map((code) => `${PROBLEM_TYPE}${code}`) } },
        },
      },
    },
  };
}
