/** The problems there are, by the last part of their `type`, and what each means. */
export const PROBLEMS = {
  'invalid-request': 'the request is malformed',
  overflow: 'the sum is beyond the largest double',
  'too-large': 'the body is larger than 1 MiB',
  'unsupported-media-type': 'the body is not `application/json` in UTF-8, or has a content encoding',
  overloaded: '10,000 operations wait for acceptance already',
  unavailable: 'no store that could keep it, or could tell, answers now',
  'unknown-operation': 'there is no such operation, or none yet that can be found',
  unauthorized: 'the token is not `CHAOS_TOKEN`',
  'too-many-requests': 'tokens may be tried once a second',
  'too-many-streams': '200 live pages are open already at this process',
  'not-found': 'there is nothing at this address',
  'method-not-allowed': 'there is something at this address, but not for this method',
  internal: 'something went wrong in the API',
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

/** What every `type` begins with. */
export const PROBLEM_TYPE = 'urn:tally:problem:';
