import { describe, expect, test } from 'vitest';
import { until } from '../latch.js';
import { sum, type Servers } from './scene.js';
import { accepted, useTracedScene, type TracedScene } from './traced-scene.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER = 'b7ad6b7169203331';

let traced: TracedScene;
let servers: Servers;
useTracedScene((scene, running) => {
  traced = scene;
  servers = running;
});

const keysOf = (data: unknown) => Object.keys(data as object).length;

describe('a request', () => {
  test.each(['1', '2'])(
    'is one trace through chunk, queue and batch to the write and the mark, with %s shards',
    async (shards) => {
      const api = await traced.api({ QUEUE_SHARDS: shards });
      await traced.worker({ QUEUE_SHARDS: shards });
      const id = await accepted(api, { 'X-Request-Id': 'mine' });
      const request = await traced.span('POST /sum');
      await traced.span('process operations');
      expect(traced.collector.tree(request.traceId)).toEqual({
        'POST /sum': {
          accept: {
            'send operations': { 'process operations': { write: {}, 'UPDATE chunks': {} } },
            'INSERT chunks': {},
          },
        },
      });
      expect(traced.collector.spans.map(({ failed }) => failed)).toEqual(Array(7).fill(false));
      const chunk = request.attributes['chunk_id'];
      const { INFLUX_URL = '', INFLUX_BUCKET } = traced.scene.env;
      const said = Object.fromEntries(
        traced.collector.spans.map(({ name, kind, attributes }) => [name, { kind, ...attributes }]),
      );
      expect(said).toEqual({
        'POST /sum': {
          kind: 'server',
          'http.request.method': 'POST',
          'http.route': '/sum',
          'url.path': '/sum',
          'url.scheme': 'http',
          'http.response.status_code': 200,
          request_id: 'mine',
          operation_id: id,
          chunk_id: `${api.instance}.0`,
        },
        accept: { kind: 'internal', chunk_id: chunk, operations: 1, outcome: 'accepted' },
        'send operations': {
          kind: 'producer',
          'messaging.system': 'bullmq',
          'messaging.operation.name': 'send',
          'messaging.operation.type': 'send',
          'messaging.destination.name': 'operations',
          'messaging.message.id': chunk,
        },
        'INSERT chunks': {
          kind: 'client',
          'db.system.name': 'postgresql',
          'db.operation.name': 'INSERT',
          'db.collection.name': 'chunks',
          chunk_id: chunk,
        },
        'process operations': {
          kind: 'consumer',
          'messaging.system': 'bullmq',
          'messaging.operation.name': 'process',
          'messaging.operation.type': 'process',
          'messaging.destination.name': 'operations',
          'messaging.message.id': chunk,
          chunk_id: chunk,
          operations: 1,
          redelivered: false,
          outcome: 'settled',
        },
        write: {
          kind: 'client',
          'db.system.name': 'influxdb',
          'db.namespace': INFLUX_BUCKET,
          'db.collection.name': 'operation',
          'db.operation.name': 'write',
          'db.operation.batch.size': 1,
          'server.address': new URL(INFLUX_URL).hostname,
          'server.port': Number(new URL(INFLUX_URL).port),
          chunks: 1,
          reason: 'interval',
          stored: 1,
          refused: 0,
        },
        'UPDATE chunks': {
          kind: 'client',
          'db.system.name': 'postgresql',
          'db.operation.name': 'UPDATE',
          'db.collection.name': 'chunks',
          chunk_id: chunk,
        },
      });
      expect((await traced.span('write')).events).toEqual([
        {
          name: 'answered',
          attributes: { verdict: 'stored', lines: 1, 'http.response.status_code': 204 },
        },
      ]);
      const makers = new Map(
        traced.collector.spans.map(({ name, resource }) => [name, resource['service.name']]),
      );
      expect(makers.get('POST /sum')).toBe('tally-api');
      expect(makers.get('write')).toBe('tally-worker');
      expect(request.resource).toMatchObject({
        'service.instance.id': api.instance,
        'service.version': expect.stringMatching(/^\d+\.\d+\.\d+/),
      });
    },
  );

  test('that shares its chunk is linked with it, and the chunk with the request', async () => {
    const api = await traced.api({ SUM_DELAY: '300ms' });
    await Promise.all(Array.from({ length: 40 }, () => accepted(api)));
    const requests = new Map(
      (await traced.spans('POST /sum', 40)).map((request) => [request.spanId, request]),
    );
    const operations = () =>
      traced.collector
        .named('accept')
        .reduce((total, { attributes }) => total + Number(attributes['operations']), 0);
    await until(() => operations() === 40);
    const chunks = traced.collector.named('accept');
    expect(chunks.length).toBeLessThan(40);
    for (const { spanId, parent = '', links, attributes } of chunks) {
      expect(links).toHaveLength(Number(attributes['operations']) - 1);
      expect(requests.get(parent)?.links).toEqual([]);
      for (const link of links) expect(requests.get(link)?.links).toEqual([spanId]);
      for (const request of [parent, ...links])
        expect(requests.get(request)?.attributes['chunk_id']).toBe(attributes['chunk_id']);
    }
    const inChunks = chunks.flatMap(({ parent, links }) => [parent, ...links]);
    expect(inChunks).toHaveLength(requests.size);
    expect(new Set(inChunks)).toEqual(new Set(requests.keys()));
  });

  test('whose chunk shares its batch is linked with the write through its chunk, in both directions', async () => {
    const api = await traced.api();
    for (let n = 0; n < 3; n++) await accepted(api);
    await traced.worker({ BATCH_SIZE: '3', BATCH_INTERVAL: '30s' });
    const chunks = new Map(
      (await traced.spans('process operations', 3)).map((chunk) => [chunk.spanId, chunk]),
    );
    const write = await traced.span('write');
    expect(write.attributes).toMatchObject({
      chunks: 3,
      'db.operation.batch.size': 3,
      reason: 'size',
      stored: 3,
    });
    expect(write.links).toHaveLength(2);
    expect(new Set([write.parent, ...write.links])).toEqual(new Set(chunks.keys()));
    expect(chunks.get(write.parent ?? '')?.links).toEqual([]);
    for (const link of write.links) expect(chunks.get(link)?.links).toEqual([write.spanId]);
  });

  test('goes on with the trace of its caller', async () => {
    const api = await traced.api();
    await accepted(api, { traceparent: `00-${TRACE}-${CALLER}-01`, tracestate: 'theirs=1' });
    expect(await traced.span('POST /sum')).toMatchObject({ traceId: TRACE, parent: CALLER });
    const [job] = await traced.jobs();
    expect(job).toMatchObject({
      trace: { traceparent: expect.stringMatching(`^00-${TRACE}-[0-9a-f]{16}-01$`), tracestate: 'theirs=1' },
    });
  });

  test('is in a trace of its own when what its caller says is none', async () => {
    const api = await traced.api();
    const malformed = [
      'garbage',
      `00-${TRACE}-${CALLER}`,
      `00-${'0'.repeat(32)}-${CALLER}-01`,
      `00-${TRACE.toUpperCase()}-${CALLER}-01`,
      `ff-${TRACE}-${CALLER}-01`,
      `00-${TRACE}-${CALLER}-01${'-x'.repeat(500)}`,
    ];
    for (const traceparent of malformed) await accepted(api, { traceparent });
    for (const request of await traced.spans('POST /sum', malformed.length)) {
      expect(request.parent).toBeUndefined();
      expect(request.traceId).not.toBe(TRACE);
    }
  });

  test('of which nothing is to be kept leaves nothing, not even in its job', async () => {
    const api = await traced.api();
    await accepted(api);
    await accepted(api, { traceparent: `00-${TRACE}-${CALLER}-00` });
    const [of, ...others] = (await traced.jobs()).toSorted((one, other) => keysOf(one) - keysOf(other));
    expect(of).toEqual({ lines: expect.any(String) });
    expect(others).toEqual([{ lines: expect.any(String), trace: expect.anything() }]);
    await traced.worker();
    await traced.logged(2);
    await traced.span('process operations');
    expect(traced.collector.spans.map(({ traceId }) => traceId)).not.toContain(TRACE);
    expect(traced.collector.named('process operations')).toHaveLength(1);
  });

  test('that fails says so, and why', async () => {
    const api = await traced.api();
    await Promise.all([servers.redis.kill(), servers.postgres.kill()]);
    const { status } = await sum(api, [1]);
    expect(status).toBe(503);
    expect(await traced.span('POST /sum')).toMatchObject({
      failed: true,
      attributes: { 'http.response.status_code': 503, 'error.type': '503' },
    });
    expect(await traced.span('accept')).toMatchObject({ failed: true, attributes: { outcome: 'refused' } });
    for (const name of ['send operations', 'INSERT chunks'])
      expect(await traced.span(name)).toMatchObject({
        failed: true,
        attributes: { 'error.type': expect.any(String) },
      });
  });
});
