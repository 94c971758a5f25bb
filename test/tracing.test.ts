import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromJob, toJob } from '../src/shared/chunk.js';
import { Lines } from '../src/shared/lines.js';
import { readTraceContext } from '../src/shared/tracing/trace-context.js';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const chunk = { id: 'i.0', lines: Lines.of(['operation r=1 1']) };

describe('a job', () => {
  test('carries the trace of its chunk, and the chunk has it again', () => {
    const trace = { traceparent: TRACEPARENT, tracestate: 'theirs=1' };
    const data: unknown = JSON.parse(JSON.stringify(toJob(chunk, trace)));
    expect(data).toEqual({ lines: 'operation r=1 1', trace });
    expect(fromJob('i.0', data)).toEqual({ ...chunk, trace });
  });

  test('of a chunk without a trace is as it was before there were traces', () => {
    expect(toJob(chunk)).toEqual({ lines: 'operation r=1 1' });
  });

  test('is the same chunk whatever stands where its trace should, which is then of strings or none', () => {
    const anything = fc.oneof(
      fc.anything(),
      fc.record({ traceparent: fc.anything(), tracestate: fc.anything() }),
      fc.record({ traceparent: fc.string(), tracestate: fc.string() }),
    );
    fc.assert(
      fc.property(anything, (trace) => {
        const { trace: read, ...rest } = fromJob('i.0', { lines: 'operation r=1 1', trace }) ?? {};
        expect(rest).toEqual(chunk);
        if (read === undefined) return;
        const { traceparent, tracestate = '' } = read;
        expect([typeof traceparent, typeof tracestate]).toEqual(['string', 'string']);
      }),
    );
  });
});

test('a trace context is no longer than any that means something', () => {
  const [traceparent, tracestate] = ['x'.repeat(128), 'x'.repeat(512)];
  expect(readTraceContext({ traceparent, tracestate })).toEqual({ traceparent, tracestate });
  expect(readTraceContext({ traceparent, tracestate: `${tracestate}x` })).toEqual({ traceparent });
  expect(readTraceContext({ traceparent: `${traceparent}x`, tracestate })).toBeUndefined();
});

test('a trace context is read from its own fields alone', () => {
  expect(readTraceContext(Object.create({ traceparent: TRACEPARENT }))).toBeUndefined();
  expect(readTraceContext({ traceparent: TRACEPARENT, more: 1 })).toEqual({ traceparent: TRACEPARENT });
});
