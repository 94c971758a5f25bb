import { trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import {
  ATTR_SERVICE_INSTANCE_ID,
  ATTR_SERVICE_NAME,
  ATTR_SERVICE_VERSION,
} from '@opentelemetry/semantic-conventions';
import { withDeadline } from '../deadline.js';
import { SECOND } from '../duration.js';
import { MAX_LINES } from '../operation.js';
import type { Service, Tracing } from './tracing.js';
import { WatchedExporter } from './watched-exporter.js';

/** Less than what is left of the margin for closing when all stores keep silent, which is a second. */
const FLUSH_MS = 0.75 * SECOND;

/**
 * OpenTelemetry's SDK for Node, which sends spans over OTLP/HTTP in the background. It holds 2,048 of them at the most
 * (OTEL_BSP_MAX_QUEUE_SIZE) and drops what comes beyond: a collector that is away or slow delays nothing.
 */
export function openSdk({ name, version, instance }: Service): Tracing {
  const exporter = new WatchedExporter(new OTLPTraceExporter());
  const ours = resourceFromAttributes({
    [ATTR_SERVICE_NAME]: name,
    [ATTR_SERVICE_VERSION]: version,
    [ATTR_SERVICE_INSTANCE_ID]: instance,
  });
  const provider = new NodeTracerProvider({
    resource: defaultResource()
      .merge(ours)
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(exporter)],
    // A chunk has a link for each of its requests, which are as many as its lines at the most.
    spanLimits: { linkCountLimit: MAX_LINES },
  });
  provider.register();
  return {
    tracer: provider.getTracer('tally', version),
    logFields,
    sayIn: (log) => {
      exporter.log = log;
    },
    close: () =>
      withDeadline(provider.shutdown(), FLUSH_MS, 'sending the last spans').catch((error: unknown) => {
        exporter.log?.warn({ reason: (error as Error).message }, 'the last spans may not have been sent');
      }),
  };
}

/** A span that has ended is still the current one of whatever it began that goes on without it. */
function logFields(): object {
  const span = trace.getActiveSpan();
  if (!span?.isRecording()) return {};
  const { traceId, spanId } = span.spanContext();
  return { trace_id: traceId, span_id: spanId };
}
