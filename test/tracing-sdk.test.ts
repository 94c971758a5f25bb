import { context, trace, ROOT_CONTEXT, type Span } from '@opentelemetry/api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TracedApi } from '../src/api/traced.js';
import { Lines } from '../src/shared/lines.js';
import { openSdk } from '../src/shared/tracing/sdk.js';
import type { Tracing } from '../src/shared/tracing/tracing.js';
import { TracedWorker } from '../src/worker/traced.js';
import { latch } from './latch.js';
import { Collector } from './tracing-collector.js';

let collector: Collector;
let sdk: Tracing;
beforeAll(async () => {
  collector = await Collector.open();
  process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = collector.url; // which the SDK reads itself
  process.env['OTEL_BSP_SCHEDULE_DELAY'] = '1';
  sdk = openSdk({ name: 'tally-test', version: '0.0.0', instance: 'test' });
});
afterAll(async () => {
  await sdk.close();
  await collector[Symbol.asyncDispose]();
});

const operation = (n: number) => ({ at: String(n), instance: 'i', name: 'sum', numbers: 1, result: n });
const chunk = (lines: number) => ({
  id: 'i.0',
  lines: Lines.of(Array.from({ length: lines }, () => 'a b=1 1')),
});

async function spans(name: string, count: number) {
  await expect.poll(() => collector.named(name).length).toBe(count);
  return collector.named(name);
}

test('a full chunk is linked with all its requests, of which there may be more than the SDK links by itself', async () => {
  const requests = Array.from({ length: 500 }, () => sdk.tracer.startSpan('request'));
  const operations = requests.map((request, n) => ({ operation: operation(n), request }));
  await new TracedApi(sdk.tracer).accept(chunk(500), operations, async () => true);
  const [accept] = await spans('accept', 1);
  expect(accept?.links).toEqual(requests.slice(1).map((request) => request.spanContext().spanId));
});

test('a chunk that queue and relay both hold has its batch below the one that is still held', async () => {
  const worker = new TracedWorker(sdk.tracer, { INFLUX_URL: 'https://influx/', INFLUX_BUCKET: 'b' });
  const [relayed, again] = [latch(), latch()];
  const hold = (until: Promise<void>) =>
    worker.relay(chunk(1), async () => {
      await until;
      return 'settled';
    });
  const first = hold(relayed.promise);
  const second = hold(again.promise);
  relayed.resolve();
  await first;
  const batch = {
    segments: [{ chunk: { id: 'i.0' }, lines: Lines.of(['a b=1 1']) }],
    reason: 'size' as const,
  };
  await worker.write(batch, async () => undefined);
  again.resolve();
  await second;
  const relays = await spans('relay', 2);
  const [write] = await spans('write', 1);
  expect(write?.parent).toBe(relays[1]?.spanId);
  expect(write?.attributes).toMatchObject({ 'server.address': 'influx', 'server.port': 443 });
  // Nothing is held any more.
  await worker.write(batch, async () => undefined);
  await worker.relay(chunk(1), async () => 'settled');
  await spans('relay', 3);
  expect(collector.named('write')).toHaveLength(1);
});

test('what goes on after its span, and what nothing is kept of, is in no trace, nor are its lines of log', () => {
  const api = new TracedApi(sdk.tracer);
  const span = sdk.tracer.startSpan('span');
  const { traceId, spanId } = span.spanContext();
  const within = (current: Span) =>
    context.with(trace.setSpan(ROOT_CONTEXT, current), () => [
      api.current(),
      api.carried()?.traceparent,
      sdk.logFields(),
    ]);
  const nothing = [undefined, undefined, {}];
  expect(within(span)).toEqual([span, `00-${traceId}-${spanId}-01`, { trace_id: traceId, span_id: spanId }]);
  span.end();
  expect(within(span)).toEqual(nothing);
  expect(within(trace.wrapSpanContext({ traceId, spanId, traceFlags: 0 }))).toEqual(nothing);
});
