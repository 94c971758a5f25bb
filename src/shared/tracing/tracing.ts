import type { Tracer } from '@opentelemetry/api';
import type { Logger } from '../log.js';

/** The variables that decide whether there is tracing; the SDK reads the rest of its own. */
export interface TracingConfig {
  readonly OTEL_EXPORTER_OTLP_ENDPOINT: string;
  readonly OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: string;
  readonly OTEL_SDK_DISABLED: boolean;
}

/** Who makes the spans, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES say it otherwise. */
export interface Service {
  readonly name: string;
  readonly version: string;
  readonly instance: string;
}

/** Tracing that is on. */
export interface Tracing {
  readonly tracer: Tracer;
  /** What a line of log says of the trace that it belongs to. */
  readonly logFields: () => object;
  /** From now on what keeps spans from being sent is said here, once until they are sent again. */
  sayIn(log: Logger): void;
  /** Sends the last spans. Does not wait for long, and never rejects. */
  close(): Promise<void>;
}

/** Tracing, or `undefined` while nobody asked for it: then no module of OpenTelemetry is loaded. */
export async function openTracing(config: TracingConfig, service: Service): Promise<Tracing | undefined> {
  const asked = config.OTEL_EXPORTER_OTLP_ENDPOINT !== '' || config.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT !== '';
  if (!asked || config.OTEL_SDK_DISABLED) return undefined;
  const { openSdk } = await import('./sdk.js');
  return openSdk(service);
}
