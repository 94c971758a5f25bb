import { context, propagation, SpanStatusCode, trace, ROOT_CONTEXT } from '@opentelemetry/api';
import type { Context, Link, Span } from '@opentelemetry/api';
import { readTraceContext, type TraceContext } from './trace-context.js';

/** Runs `work` within the span, which ends with it; what it rejects with makes the span one that failed. */
export async function within<T>(span: Span, work: () => Promise<T>): Promise<T> {
  try {
    return await context.with(at(span), work);
  } catch (error) {
    fail(span, typeOf(error));
    throw error;
  } finally {
    span.end();
  }
}

/** Runs `work` in no trace, whichever was the caller's. */
export const outside = <T>(work: () => T): T =>
  context.active() === ROOT_CONTEXT ? work() : context.with(ROOT_CONTEXT, work);

export const at = (span: Span): Context => trace.setSpan(ROOT_CONTEXT, span);

/** The span that we are in, if it is kept and not over. */
export function currentSpan(): Span | undefined {
  const span = trace.getActiveSpan();
  return span?.isRecording() ? span : undefined;
}

export const linkTo = (span: Span): Link => ({ context: span.spanContext() });

/** Lets a span fail for a reason of few different values: messages may hold anything. */
export function fail(span: Span, type: string): void {
  span.setAttribute('error.type', type).setStatus({ code: SpanStatusCode.ERROR });
}

function typeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}

/** Where a trace goes on that came from elsewhere; nowhere when it cannot be read. */
export function continued(from: TraceContext | undefined): Context {
  return from ? propagation.extract(ROOT_CONTEXT, from) : ROOT_CONTEXT;
}

/** Where we are, for others to go on; `undefined` when nothing is kept of it. */
export function carried(): TraceContext | undefined {
  if (!currentSpan()) return undefined;
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  return readTraceContext(carrier);
}
