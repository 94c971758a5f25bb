/** Where in which trace something is, as the headers of W3C Trace Context say it. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
}

/** Longer than any `traceparent` of today; `tracestate` is as long as the recommendation asks for. */
const MOST_CHARACTERS = { traceparent: 128, tracestate: 512 } as const;

/** What somebody claims to be a trace context, or `undefined` when it has another shape: then there is none. */
export function readTraceContext(value: unknown): TraceContext | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const traceparent = field(value, 'traceparent');
  const tracestate = field(value, 'tracestate');
  if (traceparent === undefined) return undefined;
  return { traceparent, ...(tracestate !== undefined && { tracestate }) };
}

function field(value: object, name: keyof TraceContext): string | undefined {
  const text: unknown = Object.hasOwn(value, name) ? value[name as keyof typeof value] : undefined;
  return typeof text === 'string' && text !== '' && text.length <= MOST_CHARACTERS[name] ? text : undefined;
}
