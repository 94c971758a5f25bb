import type { Span, Tracer } from '@opentelemetry/api';
import type { MiddlewareHandler } from 'hono';
import type { Chunk } from '../shared/chunk.js';
import type { Operation } from '../shared/operation.js';
import type { TraceContext } from '../shared/tracing/trace-context.js';

/** The trace of a request. */
type RequestTrace = Span;

/** An operation that waits to be accepted, and the trace of its request if it is kept. */
export interface TracedOperation {
  readonly operation: Operation;
  readonly request?: RequestTrace | undefined;
}

/** What the API's parts say of their work, for those who follow one request through it. */
export interface ApiTracing {
  /** Goes before all that answers `POST /sum`; absent where nothing is traced. */
  readonly request?: MiddlewareHandler;
  /** The trace of the request that is being answered. */
  current(): RequestTrace | undefined;
  /** Does as `accept`, which has a chunk of these operations accepted. */
  accept(
    chunk: Chunk,
    operations: readonly TracedOperation[],
    accept: () => Promise<boolean>,
  ): Promise<boolean>;
  /** Does as `ask`, which asks a store to accept the chunk. */
  ask(store: string, chunk: Chunk, ask: () => Promise<void>): Promise<void>;
  /** What a chunk's job carries, so that the worker goes on with the trace. */
  readonly carried: () => TraceContext | undefined;
}

/** Nothing is traced. */
export const UNTRACED: ApiTracing = {
  current: () => undefined,
  accept: (_, __, accept) => accept(),
  ask: (_, __, ask) => ask(),
  carried: () => undefined,
};

export async function traceApi(tracer: Tracer | undefined): Promise<ApiTracing> {
  if (!tracer) return UNTRACED;
  const { TracedApi } = await import('./traced.js');
  return new TracedApi(tracer);
}
