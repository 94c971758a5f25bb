import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-node';
import type { Logger } from '../log.js';

type Result = Parameters<Parameters<SpanExporter['export']>[1]>[0];

/** Sent, as OpenTelemetry numbers it. */
const SUCCESS: Result['code'] = 0;

/** Says once that spans cannot be sent, and once that they can again, rather than with every batch of them. */
export class WatchedExporter implements SpanExporter {
  log: Logger | undefined;
  readonly #exporter: SpanExporter;
  #away = false;

  constructor(exporter: SpanExporter) {
    this.#exporter = exporter;
  }

  export(spans: ReadableSpan[], done: (result: Result) => void): void {
    this.#exporter.export(spans, ({ code, error }) => {
      this.#see(code === SUCCESS, error);
      done({ code: SUCCESS }); // else the SDK says it once more
    });
  }

  /** What the collector answered is its own affair; only why it did not take the spans is said. */
  #see(sent: boolean, error: Error | undefined): void {
    if (!sent && !this.#away)
      this.log?.warn({ reason: error?.message }, 'spans cannot be sent; they are dropped');
    if (sent && this.#away) this.log?.info('spans are sent again');
    this.#away = !sent;
  }

  forceFlush(): Promise<void> {
    return this.#exporter.forceFlush?.() ?? Promise.resolve();
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }
}
