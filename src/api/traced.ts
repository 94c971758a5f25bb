import { SpanKind, context, trace, type Attributes, type Span, type Tracer } from '@opentelemetry/api';
import {
  ATTR_DB_COLLECTION_NAME,
  ATTR_DB_OPERATION_NAME,
  ATTR_DB_SYSTEM_NAME,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_URL_PATH,
  ATTR_URL_SCHEME,
  DB_SYSTEM_NAME_VALUE_POSTGRESQL,
} from '@opentelemetry/semantic-conventions';
import type { Context, Next } from 'hono';
import type { Chunk } from '../shared/chunk.js';
import { operationId } from '../shared/operation.js';
import { QUEUE_NAME } from '../shared/operation-queue.js';
import {
  at,
  carried,
  continued,
  currentSpan,
  fail,
  linkTo,
  outside,
  within,
} from '../shared/tracing/spans.js';
import { readTraceContext } from '../shared/tracing/trace-context.js';
import type { ApiTracing, TracedOperation } from './tracing.js';

const HTTP = { [ATTR_HTTP_REQUEST_METHOD]: 'POST', [ATTR_HTTP_ROUTE]: '/sum', [ATTR_URL_PATH]: '/sum' };

interface Question {
  readonly name: string;
  readonly kind: SpanKind;
  readonly attributes: Attributes;
}

/** How a store is asked, by its name. */
const QUESTIONS: Readonly<Record<string, Question>> = {
  queue: {
    name: `send ${QUEUE_NAME}`,
    kind: SpanKind.PRODUCER,
    attributes: {
      'messaging.system': 'bullmq',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': QUEUE_NAME,
    },
  },
  ledger: {
    name: 'INSERT chunks',
    kind: SpanKind.CLIENT,
    attributes: {
      [ATTR_DB_SYSTEM_NAME]: DB_SYSTEM_NAME_VALUE_POSTGRESQL,
      [ATTR_DB_OPERATION_NAME]: 'INSERT',
      [ATTR_DB_COLLECTION_NAME]: 'chunks',
    },
  },
};

/** The API's spans: a request, the chunk that it is accepted with, and each store that was asked. */
export class TracedApi implements ApiTracing {
  readonly #tracer: Tracer;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  readonly request = async (c: Context, next: Next): Promise<void> => {
    const [traceparent, tracestate] = [c.req.header('traceparent'), c.req.header('tracestate')];
    const caller = continued(readTraceContext({ traceparent, tracestate }));
    const span = this.#tracer.startSpan('POST /sum', { kind: SpanKind.SERVER }, caller);
    if (!span.isRecording()) return next(); // costs as little as can be
    try {
      await context.with(trace.setSpan(caller, span), next);
    } finally {
      describe(span, c);
      span.end();
    }
  };

  current(): Span | undefined {
    return currentSpan();
  }

  /** A child of the first request whose trace is kept; the others and it are linked with each other. */
  async accept(
    { id }: Chunk,
    operations: readonly TracedOperation[],
    accept: () => Promise<boolean>,
  ): Promise<boolean> {
    const [first, ...others] = operations.flatMap(({ request }) => request ?? []);
    if (!first) return outside(accept);
    const span = this.#tracer.startSpan(
      'accept',
      { attributes: { chunk_id: id, operations: operations.length }, links: others.map(linkTo) },
      at(first),
    );
    for (const request of others) request.addLink(linkTo(span));
    for (const { operation, request } of operations)
      request?.setAttributes({ operation_id: operationId(operation), chunk_id: id });
    return within(span, async () => {
      const accepted = await accept();
      span.setAttribute('outcome', accepted ? 'accepted' : 'refused');
      if (!accepted) fail(span, 'refused');
      return accepted;
    });
  }

  ask(store: string, { id }: Chunk, ask: () => Promise<void>): Promise<void> {
    const chunk = currentSpan();
    const question = QUESTIONS[store];
    if (!chunk || !question) return ask();
    const { name, kind, attributes } = question;
    const ids = kind === SpanKind.PRODUCER ? { 'messaging.message.id': id } : { chunk_id: id };
    const span = this.#tracer.startSpan(name, { kind, attributes: { ...attributes, ...ids } }, at(chunk));
    return within(span, ask);
  }

  readonly carried = carried;
}

function describe(span: Span, c: Context): void {
  span.setAttributes({
    ...HTTP,
    [ATTR_URL_SCHEME]: c.req.url.startsWith('https:') ? 'https' : 'http',
    [ATTR_HTTP_RESPONSE_STATUS_CODE]: c.res.status,
    request_id: c.get('requestId') as string,
  });
  if (c.res.status >= 500) fail(span, String(c.res.status));
}
