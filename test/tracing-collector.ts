import { StandIn, type Asked, type Reply } from './stand-in.js';

type Value = string | number | boolean | undefined;

/** As OTLP's JSON has it: a value under the name of its type. */
interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, Value>>;
}

interface SpanReference {
  readonly traceId: string;
  readonly spanId: string;
}

interface SentSpan extends SpanReference {
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes: readonly Attribute[];
  readonly links: readonly SpanReference[];
  readonly events: readonly { readonly name: string; readonly attributes: readonly Attribute[] }[];
  readonly status: { readonly code: number };
}

interface Sent {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly SentSpan[] }[];
  }[];
}

type Attributes = Readonly<Record<string, Value>>;

/** A span as the collector got it. */
export interface CollectedSpan extends SpanReference {
  readonly parent: string | undefined;
  readonly name: string;
  readonly kind: (typeof KINDS)[number];
  /** Who made it. */
  readonly resource: Attributes;
  readonly attributes: Attributes;
  /** The spans that it is linked with, by id. */
  readonly links: readonly string[];
  readonly events: readonly { readonly name: string; readonly attributes: Attributes }[];
  readonly failed: boolean;
}

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'] as const;

/** Spans that come below a span, by name. */
export interface Tree {
  readonly [name: string]: Tree;
}

/** Takes spans as a collector of OpenTelemetry does, over OTLP/HTTP in JSON. */
export class Collector implements AsyncDisposable {
  /** What it answers. */
  reply: Reply = { status: 200, headers: { 'Content-Type': 'application/json' }, body: '{}' };
  readonly #standIn: StandIn;

  private constructor(standIn: StandIn) {
    this.#standIn = standIn;
  }

  static async open(): Promise<Collector> {
    const collector: Collector = new Collector(await StandIn.open(() => collector.reply));
    return collector;
  }

  get url(): string {
    return this.#standIn.url;
  }

  /** What was sent to where it listens, as it came. */
  get asked(): readonly Asked[] {
    return this.#standIn.askedFor('/v1/traces');
  }

  get spans(): readonly CollectedSpan[] {
    return this.asked.flatMap(({ body }) => (JSON.parse(body) as Sent).resourceSpans.flatMap(read));
  }

  named(name: string): readonly CollectedSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  /** The names of a trace's spans, each below its parent; spans whose parent is elsewhere are on top. */
  tree(traceId: string): Tree {
    const trace = this.spans.filter((span) => span.traceId === traceId);
    const below = (parent: string | undefined): Tree =>
      Object.fromEntries(
        trace.filter((span) => span.parent === parent).map(({ name, spanId }) => [name, below(spanId)]),
      );
    const known = new Set(trace.map(({ spanId }) => spanId));
    const tops = new Set(
      trace.map(({ parent }) => parent).filter((id) => id === undefined || !known.has(id)),
    );
    return Object.assign({}, ...[...tops].map(below)) as Tree;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#standIn[Symbol.asyncDispose]();
  }
}

function read({ resource, scopeSpans }: Sent['resourceSpans'][number]): readonly CollectedSpan[] {
  return scopeSpans.flatMap(({ spans }) =>
    spans.map(({ traceId, spanId, parentSpanId, name, kind, attributes, links, events, status }) => ({
      ...{ traceId, spanId, parent: parentSpanId || undefined, name, kind: KINDS[kind] ?? 'unspecified' },
      resource: record(resource.attributes),
      attributes: record(attributes),
      links: links.map((link) => link.spanId),
      events: events.map((event) => ({ name: event.name, attributes: record(event.attributes) })),
      failed: status.code === 2,
    })),
  );
}

const record = (attributes: readonly Attribute[]): Attributes =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
