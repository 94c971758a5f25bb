import { z } from 'zod';
import { DURATION } from '../shared/duration.js';
import { OPERATION_ID } from '../shared/operation.js';
import { PROBLEM_TYPE, PROBLEMS, type ProblemCode } from './problems.js';

/*
 * What is asked and answered over HTTP: the types of those who answer, and the schemas of the API's description.
 */

/** A caller's request id as it is kept; anything else is replaced. */
export const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;

/** Faults listed in one answer; a megabyte of wrong numbers must not become ten of complaints. */
export const MAX_FAULTS = 100;

const count = (description: string) => z.int().nonnegative().meta({ description });

export const SumRequest = z
  .strictObject({
    numbers: z
      .array(z.number().meta({ format: 'double' }))
      .meta({ description: 'Finite doubles, any number of them; none sums to 0.' }),
  })
  .meta({ id: 'SumRequest', examples: [{ numbers: [1, 2, 3, 4] }] });
export type SumRequest = z.infer<typeof SumRequest>;

export const OperationId = z.string().regex(OPERATION_ID).meta({
  description:
    'Identity of the operation: Unix time in nanoseconds, a hyphen, and the name of the API process that answered.',
});

const Result = z.number().meta({ format: 'double', description: 'The compensated sum: ten times 0.1 is 1.' });

export const SumAnswer = z.object({ result: Result, id: OperationId }).meta({ id: 'SumAnswer' });
export type SumAnswer = z.infer<typeof SumAnswer>;

export const FoundOperation = z
  .object({
    id: OperationId,
    name: z.string().meta({ description: 'Name of the calculation, so far always `sum`.' }),
    numbers: count('How many numbers went in.'),
    result: Result,
    at: z
      .string()
      .regex(/^\d{1,19}$/)
      .meta({ description: 'Unix time in nanoseconds.' }),
    state: z.enum(['accepted', 'logged', 'quarantined']).meta({
      description:
        '`accepted`: on disk, on its way to InfluxDB; `logged`: in InfluxDB; `quarantined`: refused by InfluxDB for good, and kept.',
    }),
  })
  .meta({ id: 'Operation' });
export type FoundOperation = z.infer<typeof FoundOperation>;

export const CountsAnswer = z
  .object({
    accepted: count('Answered with 200, in the window.'),
    logged: count('Of these, what InfluxDB itself counts.'),
    quarantined: count('Refused by InfluxDB for good, and kept with the reason.'),
    dropped: count('Dropped out of the quarantine by hand.'),
    pending: count('Not due yet.'),
    missing: count('Due, and not in InfluxDB. Must be 0.'),
    extra: count('In InfluxDB beyond what was accepted. Must be 0.'),
  })
  .meta({
    id: 'Counts',
    description: 'accepted + extra = logged + quarantined + dropped + pending + missing',
  });
export type CountsAnswer = z.infer<typeof CountsAnswer>;

export const VersionAnswer = z
  .object({
    version: z.string().meta({ description: 'Of the package.' }),
    commit: z.string().meta({ description: 'What the image was built from, or `unknown`.' }),
    instance: z.string().meta({ description: 'Name of this API process, new at every start.' }),
    startedAt: z.iso.datetime().meta({ description: 'When it started, in UTC.' }),
    state: z
      .enum(['starting', 'ready', 'draining', 'stopped'])
      .meta({ description: 'A draining process answers all that comes, and is about to end.' }),
  })
  .meta({ id: 'Version' });
export type VersionAnswer = z.infer<typeof VersionAnswer>;

const Fault = z
  .object({
    pointer: z
      .string()
      .meta({ description: 'Where: an RFC 6901 pointer into the body, `""` for all of it.' }),
    detail: z.string().meta({ description: 'What is wrong there.' }),
  })
  .meta({ id: 'Fault' });
export type Fault = Readonly<z.infer<typeof Fault>>;

export const ProblemBody = z
  .object({
    type: z
      .templateLiteral([PROBLEM_TYPE, z.enum(Object.keys(PROBLEMS) as ProblemCode[])])
      .meta({ description: `\`${PROBLEM_TYPE}\` and the name of the problem.` }),
    title: z.string().meta({ description: 'The problem, for people.' }),
    status: z.int().min(400).max(599).meta({ description: 'The same as the answer has.' }),
    detail: z.string().optional().meta({ description: 'This very case of it, for people.' }),
    faults: count('How many faults the request has.').optional(),
    errors: z.array(Fault).max(MAX_FAULTS).optional().meta({ description: 'The first 100 faults.' }),
  })
  .meta({ id: 'Problem', description: 'What is wrong, as RFC 9457 has it.' });
export type ProblemBody = z.infer<typeof ProblemBody>;

export const OperationParameters = z.object({ id: OperationId });

export const CountsQuery = z.object({
  since: z.string().regex(DURATION).optional().meta({
    description:
      'How long ago the window begins: `500ms`, `30s`, `5m`, `1h`, `7d`; no longer than the stores keep.',
    default: '24h',
  }),
});

export const RequestHeaders = z.object({
  'X-Request-Id': z
    .string()
    .optional()
    .meta({
      description:
        '1 to 128 of `A-Z a-z 0-9 . _ -` are echoed and kept as the field `request_id`; anything else is replaced.',
      param: { id: 'RequestId' },
    }),
});

export const CrashHeaders = RequestHeaders.extend({
  Prefer: z.string().optional().meta({
    description:
      'With `respond-async` (RFC 7240) the answer comes first: browsers send again what broke without one.',
  }),
});

export const CrashAnswer = z
  .object({
    instance: z.string().meta({ description: 'The process that is about to end, as it says in `/version`.' }),
  })
  .meta({ id: 'Crash' });
export type CrashAnswer = z.infer<typeof CrashAnswer>;

export const DescriptionAnswer = z.object({
  openapi: z.string().regex(/^3\.1\.\d+$/),
  info: z.record(z.string(), z.unknown()),
  servers: z.array(z.record(z.string(), z.unknown())),
  paths: z.record(z.string(), z.unknown()),
  components: z.record(z.string(), z.unknown()),
});
