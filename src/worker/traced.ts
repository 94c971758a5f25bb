import {
  SpanKind,
  isSpanContextValid,
  trace,
  type Attributes,
  type Span,
  type Tracer,
} from '@opentelemetry/api';
import {
  ATTR_DB_COLLECTION_NAME,
  ATTR_DB_NAMESPACE,
  ATTR_DB_OPERATION_BATCH_SIZE,
  ATTR_DB_OPERATION_NAME,
  ATTR_DB_SYSTEM_NAME,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  DB_SYSTEM_NAME_VALUE_POSTGRESQL,
} from '@opentelemetry/semantic-conventions';
import type { Chunk } from '../shared/chunk.js';
import type { InfluxAnswer } from '../shared/influx.js';
import { MEASUREMENT } from '../shared/operation.js';
import { QUEUE_NAME } from '../shared/operation-queue.js';
import { at, continued, currentSpan, fail, linkTo, outside, within } from '../shared/tracing/spans.js';
import type { Batch } from './batcher.js';
import type { Outcome } from './consumer.js';
import type { SettledBatch } from './settle.js';
import type { Verdict } from './store.js';
import type { Target, WorkerTracing } from './tracing.js';

const PROCESS = {
  'messaging.system': 'bullmq',
  'messaging.operation.name': 'process',
  'messaging.operation.type': 'process',
  'messaging.destination.name': QUEUE_NAME,
};

const MARK = {
  [ATTR_DB_SYSTEM_NAME]: DB_SYSTEM_NAME_VALUE_POSTGRESQL,
  [ATTR_DB_OPERATION_NAME]: 'UPDATE',
  [ATTR_DB_COLLECTION_NAME]: 'chunks',
};

/** The worker's spans: a chunk, the batches that its lines leave with, and its mark in the ledger. */
export class TracedWorker implements WorkerTracing {
  readonly #tracer: Tracer;
  readonly #write: Attributes;
  /** The spans of the chunks that are gathered or on their way, by the chunk's id. */
  readonly #inHand = new Map<string, Span>();

  constructor(tracer: Tracer, { INFLUX_URL, INFLUX_BUCKET }: Target) {
    this.#tracer = tracer;
    const { hostname, port, protocol } = new URL(INFLUX_URL);
    this.#write = {
      [ATTR_DB_SYSTEM_NAME]: 'influxdb',
      [ATTR_DB_NAMESPACE]: INFLUX_BUCKET,
      [ATTR_DB_COLLECTION_NAME]: MEASUREMENT,
      [ATTR_DB_OPERATION_NAME]: 'write',
      [ATTR_SERVER_ADDRESS]: hostname,
      [ATTR_SERVER_PORT]: Number(port || (protocol === 'https:' ? 443 : 80)),
    };
  }

  /** A job without a trace is one of which nothing is kept: so it was decided when its request came. */
  process(chunk: Chunk, redelivered: boolean, settle: () => Promise<Outcome>): Promise<Outcome> {
    const from = continued(chunk.trace);
    const sender = trace.getSpanContext(from);
    if (!sender || !isSpanContextValid(sender)) return outside(settle);
    const attributes = {
      ...PROCESS,
      ...chunkAttributes(chunk),
      'messaging.message.id': chunk.id,
      redelivered,
    };
    const span = this.#tracer.startSpan(
      `process ${QUEUE_NAME}`,
      { kind: SpanKind.CONSUMER, attributes },
      from,
    );
    return this.#hold(chunk, span, settle);
  }

  relay(chunk: Chunk, settle: () => Promise<Outcome>): Promise<Outcome> {
    const span = this.#tracer.startSpan('relay', { root: true, attributes: chunkAttributes(chunk) });
    return this.#hold(chunk, span, settle);
  }

  /** A child of the first chunk whose trace is kept; the others and it are linked with each other. */
  async write({ segments, reason }: Batch, write: () => Promise<void>): Promise<void> {
    const chunks = new Set(segments.flatMap(({ chunk }) => this.#inHand.get(chunk.id) ?? []));
    const [first, ...others] = chunks;
    if (!first) return outside(write);
    const attributes = {
      ...this.#write,
      [ATTR_DB_OPERATION_BATCH_SIZE]: segments.reduce((sum, { lines }) => sum + lines.length, 0),
      chunks: new Set(segments.map(({ chunk }) => chunk.id)).size,
      reason,
    };
    const span = this.#tracer.startSpan(
      'write',
      { kind: SpanKind.CLIENT, attributes, links: others.map(linkTo) },
      at(first),
    );
    for (const chunk of others) chunk.addLink(linkTo(span));
    return within(span, write);
  }

  answered(verdict: Verdict, { status }: InfluxAnswer, lines: number): void {
    const code = status === undefined ? {} : { [ATTR_HTTP_RESPONSE_STATUS_CODE]: status };
    currentSpan()?.addEvent('answered', { verdict, lines, ...code });
  }

  settled({ stored, refused }: SettledBatch): void {
    currentSpan()?.setAttributes({ stored, refused });
  }

  mark({ id }: Chunk, mark: () => Promise<boolean>): Promise<boolean> {
    const chunk = currentSpan();
    if (!chunk) return mark();
    const attributes = { ...MARK, chunk_id: id };
    const span = this.#tracer.startSpan('UPDATE chunks', { kind: SpanKind.CLIENT, attributes }, at(chunk));
    return within(span, async () => {
      const marked = await mark();
      if (!marked) fail(span, 'unrecorded');
      return marked;
    });
  }

  async #hold({ id }: Chunk, span: Span, settle: () => Promise<Outcome>): Promise<Outcome> {
    if (span.isRecording()) this.#inHand.set(id, span);
    try {
      return await within(span, async () => {
        const outcome = await settle();
        span.setAttribute('outcome', outcome);
        return outcome;
      });
    } finally {
      // The queue and the relay may hold the same chunk.
      if (this.#inHand.get(id) === span) this.#inHand.delete(id);
    }
  }
}

const chunkAttributes = ({ id, lines }: Chunk): Attributes => ({ chunk_id: id, operations: lines.length });
