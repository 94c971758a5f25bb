import { z } from 'zod';
import { createDocument, type ZodOpenApiOperationObject } from 'zod-openapi';
import { answer, NO_STORE, refusal, RETRY_AFTER, textAnswer } from './openapi-answers.js';
import {
  CountsAnswer,
  CrashAnswer,
  CrashHeaders,
  CountsQuery,
  DescriptionAnswer,
  FoundOperation,
  OperationId,
  OperationParameters,
  ProblemBody,
  RequestHeaders,
  SumAnswer,
  SumRequest,
  VersionAnswer,
} from './schemas.js';

const DESCRIPTION = `Answers calculations and logs every one of them to InfluxDB: none lost and none counted twice. \
A \`200\` to \`POST /sum\` means that the operation is on disk in at least one of two independent stores. \
What cannot be kept is refused with \`503\` and \`Retry-After\`.

Every refusal is \`application/problem+json\` (RFC 9457). Addresses and methods that are not described here are answered \
as the responses \`NotFound\` and \`MethodNotAllowed\` say; \`HEAD\` is answered where \`GET\` is.`;

type Responses = Record<`${number}`, ReturnType<typeof answer>>;

/** An operation of the API. Each takes an `X-Request-Id`. */
const operation = (
  described: Omit<ZodOpenApiOperationObject, 'responses'>,
  responses: Responses,
): ZodOpenApiOperationObject => ({
  ...described,
  requestParams: { header: RequestHeaders, ...described.requestParams },
  responses,
});

const INTERNAL = refusal(['internal']);

const SUM = operation(
  {
    operationId: 'sum',
    summary: 'Sums numbers, and logs that it did',
    requestBody: { required: true, content: { 'application/json': { schema: SumRequest } } },
  },
  {
    200: {
      ...answer('The sum. The operation is accepted.', SumAnswer, {
        'X-Operation-Id': OperationId.meta({ header: { required: true } }),
      }),
      links: { operation: { operationId: 'findOperation', parameters: { id: '$response.body#/id' } } },
    },
    400: refusal(['invalid-request', 'overflow']),
    413: refusal(['too-large']),
    415: refusal(['unsupported-media-type'], { Accept: z.literal('application/json') }),
    500: INTERNAL,
    503: refusal(['overloaded', 'unavailable'], RETRY_AFTER),
  },
);

const FIND_OPERATION = operation(
  {
    operationId: 'findOperation',
    summary: 'Tells what became of an operation',
    requestParams: { path: OperationParameters },
  },
  {
    200: answer('The operation. Once it is logged it stays as it is.', FoundOperation, {
      'Cache-Control': NO_STORE['Cache-Control'].optional(),
    }),
    404: refusal(['unknown-operation'], NO_STORE),
    500: INTERNAL,
    503: refusal(['unavailable'], { ...NO_STORE, ...RETRY_AFTER }),
  },
);

const COUNT = operation(
  {
    operationId: 'count',
    summary: 'Counts the operations of a window by what became of them',
    requestParams: { query: CountsQuery },
  },
  {
    200: answer('The counts, as `tally audit` has them.', CountsAnswer, NO_STORE),
    400: refusal(['invalid-request']),
    500: INTERNAL,
    503: refusal(['unavailable'], RETRY_AFTER),
  },
);

const VERSION = operation(
  { operationId: 'version', summary: 'Tells who answers' },
  { 200: answer('The API process that answers.', VersionAnswer) },
);

const DESCRIBE = operation(
  { operationId: 'describe', summary: 'Describes the API' },
  { 200: answer('This document.', DescriptionAnswer) },
);

const CRASH = operation(
  {
    operationId: 'crash',
    summary: 'Ends the API process as `kill -9` does',
    description:
      'With the right token there is no answer: the connection breaks. With `Prefer: respond-async` there is one, and the process ends a tenth of a second later.',
    security: [{ chaosToken: [] }],
    requestParams: { header: CrashHeaders },
  },
  {
    202: answer('The process crashes now.', CrashAnswer, {
      'Preference-Applied': z.literal('respond-async'),
    }),
    401: refusal(['unauthorized'], { 'WWW-Authenticate': z.literal('Bearer') }),
    429: refusal(['too-many-requests'], RETRY_AFTER),
  },
);

const WITH_LIVE_PAGE = 'Only with `LIVE_PAGE=true`.';

const LIVE = operation(
  { operationId: 'live', summary: 'Shows it live, in a browser', description: WITH_LIVE_PAGE },
  { 200: textAnswer('The page.', 'text/html; charset=utf-8', { 'Cache-Control': z.literal('no-cache') }) },
);

const LIVE_EVENTS = operation(
  {
    operationId: 'liveEvents',
    summary: 'Tells what the page shows, as it happens',
    description: `${WITH_LIVE_PAGE} The answer has no end: server-sent events with JSON, first a \`snapshot\`, then a \
\`state\` twice a second, a \`point\` each second, and \`quarantine\` when it has changed. A process that drains says \
\`moving\` and ends it; who asks again is told by another one. What is in them may change.`,
  },
  {
    200: textAnswer('The events.', 'text/event-stream', NO_STORE),
    503: refusal(['too-many-streams'], RETRY_AFTER),
  },
);

export interface ApiDescriptionOptions {
  readonly version: string;
  /** Whether there is a `POST /crash`. */
  readonly crash: boolean;
  /** Whether there is a `/live`. */
  readonly live: boolean;
}

/** The API's description of itself: an OpenAPI 3.1 document, made of the schemas that its answers are typed by. */
export function describeApi({ version, crash, live }: ApiDescriptionOptions) {
  return createDocument(
    {
      openapi: '3.1.1',
      info: { title: 'Tally', version, description: DESCRIPTION },
      servers: [{ url: '/' }],
      paths: {
        '/sum': { post: SUM },
        '/operations/{id}': { get: FIND_OPERATION },
        '/counts': { get: COUNT },
        '/version': { get: VERSION },
        '/openapi.json': { get: DESCRIBE },
        ...(live && { '/live': { get: LIVE }, '/live/events': { get: LIVE_EVENTS } }),
        ...(crash && { '/crash': { post: CRASH } }),
      },
      components: {
        schemas: { Problem: ProblemBody },
        responses: {
          NotFound: refusal(['not-found']),
          MethodNotAllowed: refusal(['method-not-allowed'], { Allow: z.string() }),
        },
        ...(crash && { securitySchemes: { chaosToken: { type: 'http', scheme: 'bearer' } } }),
      },
    },
    // An answer may have more fields one day; the request may not.
    { override: ({ jsonSchema, io }) => void (io === 'output' && delete jsonSchema.additionalProperties) },
  );
}
