import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Hono, type Context, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { routePath } from 'hono/route';
import { operationId } from '../shared/operation.js';
import type { About } from '../shared/admin.js';
import type { Lifecycle } from '../shared/lifecycle.js';
import type { Logger } from '../shared/log.js';
import { answerCounts, type Counted } from './counts.js';
import { answerLookup, type Lookup } from './operations.js';
import { problem } from './problem.js';
import { describeApi } from './openapi.js';
import { RefusedError, type Recorder } from './recorder.js';
import { REQUEST_ID, type SumAnswer, type VersionAnswer } from './schemas.js';
import { parseSum, sum } from './sum.js';

const MAX_BODY_BYTES = 1024 * 1024;

const JSON_TYPE = /^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

/** The route of what no other route takes. */
const ANYWHERE = '/*';

export interface AppOptions {
  readonly recorder: Pick<Recorder, 'record'>;
  readonly about: About;
  readonly lifecycle: Lifecycle;
  readonly log: Logger;
  /** How long a calculation takes, in milliseconds; the classic demo uses 100. */
  readonly sumDelayMs: number;
  /** Finds an operation by its id. */
  readonly findOperation?: (id: string) => Promise<Lookup>;
  /** Counts the operations of the last `sinceMs` milliseconds. */
  readonly countSince?: (sinceMs: number) => Promise<Counted>;
  /** Ends the process, for who knows the token of chaos. */
  readonly answerCrash?: (c: Context) => Response;
  /** What is shown live, and the page that shows it. */
  readonly live?: Hono;
  /** Told each answer: its route as written here, its status, and how long it took in seconds. */
  readonly onAnswer?: (route: string, status: number, seconds: number) => void;
  /** Goes around everything that answers `POST /sum`. */
  readonly traceSum?: MiddlewareHandler;
}

type Variables = { requestId: string; callersRequestId: string | undefined };

/** The HTTP API. An answer of 200 is sent only after the operation is accepted. */
export function createApp({
  recorder,
  about,
  lifecycle,
  log,
  sumDelayMs,
  findOperation,
  countSince,
  answerCrash,
  live,
  onAnswer,
  traceSum,
}: AppOptions): Hono<{ Variables: Variables }> {
  const app = new Hono<{ Variables: Variables }>();
  const tooLarge = (c: Context) =>
    problem(c, { status: 413, code: 'too-large', title: 'The body is larger than 1 MiB' });
  const limitUndeclared = bodyLimit({ maxSize: MAX_BODY_BYTES, onError: tooLarge });

  if (traceSum) app.post('/sum', traceSum);
  app.use(ANYWHERE, async (c, next) => {
    const started = performance.now();
    const given = c.req.header('X-Request-Id');
    const requestId = given !== undefined && REQUEST_ID.test(given) ? given : randomUUID();
    c.set('requestId', requestId);
    c.set('callersRequestId', given === undefined ? undefined : requestId);
    c.header('X-Request-Id', requestId);
    await next();
    const path = routePath(c, -1);
    const route = path === ANYWHERE ? 'unknown' : path;
    onAnswer?.(route, c.res.status, (performance.now() - started) / 1_000);
    log.debug({ requestId, method: c.req.method, path: c.req.path, status: c.res.status }, 'answered');
  });

  app.post(
    '/sum',
    async (c, next) => {
      const type = c.req.header('Content-Type');
      if (type !== undefined && JSON_TYPE.test(type) && c.req.header('Content-Encoding') === undefined)
        return next();
      return problem(c, {
        status: 415,
        code: 'unsupported-media-type',
        title: 'The body must be application/json in UTF-8, without a content encoding',
        headers: { Accept: 'application/json' },
      });
    },
    async (c, next) => {
      // A declared length is checked without touching the body as a stream, which would cost a third of the answer.
      const length = c.req.header('Content-Length');
      if (length === undefined || c.req.header('Transfer-Encoding') !== undefined)
        return limitUndeclared(c, next);
      return Number(length) > MAX_BODY_BYTES ? tooLarge(c) : next();
    },
    async (c) => {
      const parsed = parseSum(await c.req.text());
      if (!parsed.ok) {
        return problem(c, {
          status: 400,
          code: 'invalid-request',
          title: 'The request is malformed',
          faults: parsed.faults,
        });
      }
      const { numbers } = parsed;
      const result = sum(numbers);
      if (!Number.isFinite(result)) {
        const faults = [{ pointer: '/numbers', detail: 'their sum is beyond the largest double' }];
        return problem(c, { status: 400, code: 'overflow', title: 'The sum overflows', faults });
      }
      if (sumDelayMs > 0) await delay(sumDelayMs);
      const requestId = c.get('callersRequestId');
      const operation = await recorder.record({ name: 'sum', numbers: numbers.length, result, requestId });
      const id = operationId(operation);
      return c.json({ result, id } satisfies SumAnswer, 200, { 'X-Operation-Id': id });
    },
  );
  app.all('/sum', onlyAllow('POST'));

  if (findOperation) {
    app.get('/operations/:id', async (c) => answerLookup(c, await findOperation(c.req.param('id'))));
    app.all('/operations/:id', onlyAllow('GET'));
  }

  if (countSince) {
    app.get('/counts', answerCounts(countSince));
    app.all('/counts', onlyAllow('GET'));
  }

  if (answerCrash) {
    app.post('/crash', answerCrash);
    app.all('/crash', onlyAllow('POST'));
  }

  if (live) {
    app.route('/', live);
    for (const path of new Set(live.routes.map((route) => route.path))) app.all(path, onlyAllow('GET'));
  }

  app.get('/version', (c) => c.json({ ...about, state: lifecycle.state } satisfies VersionAnswer));
  app.all('/version', onlyAllow('GET'));

  const description = JSON.stringify(
    describeApi({ version: about.version, crash: answerCrash !== undefined, live: live !== undefined }),
  );
  app.get('/openapi.json', (c) => c.body(description, 200, { 'Content-Type': 'application/json' }));
  app.all('/openapi.json', onlyAllow('GET'));

  app.notFound((c) =>
    problem(c, { status: 404, code: 'not-found', title: 'There is nothing at this address' }),
  );

  app.onError((error, c) => {
    if (error instanceof RefusedError) {
      const code = error.code.toLowerCase() as Lowercase<typeof error.code>;
      return problem(c, {
        status: 503,
        code,
        title: 'Not accepted',
        detail: error.message,
        headers: { 'Retry-After': '1' },
      });
    }
    log.error({ err: error, requestId: c.get('requestId') }, 'a request failed');
    return problem(c, { status: 500, code: 'internal', title: 'Something went wrong here' });
  });
  return app;
}

function onlyAllow(method: string) {
  return (c: Context) =>
    problem(c, {
      status: 405,
      code: 'method-not-allowed',
      title: `Only ${method} is allowed here`,
      headers: { Allow: method },
    });
}
