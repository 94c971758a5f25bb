import { once } from 'node:events';
import { constants, createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { askOnce, Clients, type Entrance } from '../src/drill/clients/clients.js';
import { Http2Client } from '../src/drill/clients/http2-client.js';
import { Random } from '../src/drill/clients/random.js';
import { RequestRecord } from '../src/drill/clients/record.js';
import { makeCertificate } from '../src/drill/processes/self-signed.js';
import type { Certificate } from '../src/shared/http/certificate.js';
import { until } from './latch.js';

type Answer = (stream: ServerHttp2Stream, sum: number) => void;

const sumUp: Answer = (stream, result) => {
  stream.respond({ ':status': 200 });
  stream.end(JSON.stringify({ id: `${result}-x`, result }));
};

let certificate: Certificate;
let server: Http2SecureServer;
let answer: Answer;
let sessions: number;
/** Sums by the order in which they were asked for. */
let asked: number[];
let client: Http2Client;

beforeAll(async () => {
  certificate = await makeCertificate();
});
beforeEach(async () => {
  answer = sumUp;
  sessions = 0;
  asked = [];
  server = createSecureServer({ ...certificate, allowHTTP1: true }, (request, response) => {
    if (request.httpVersionMajor === 2) return;
    read(request).then(
      (sum) => response.end(JSON.stringify({ id: `${sum}-x`, result: sum })),
      () => expect.fail(),
    );
  });
  server.on('session', () => sessions++);
  server.on('stream', (stream) => {
    stream.on('error', () => undefined);
    read(stream).then(
      (sum) => {
        asked.push(sum);
        answer(stream, sum);
      },
      () => undefined,
    );
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  client = new Http2Client(entrance());
});
afterEach(() => {
  client.close();
  server.close();
});

async function read(stream: AsyncIterable<unknown>): Promise<number> {
  let text = '';
  for await (const part of stream) text += String(part);
  const { numbers } = JSON.parse(text) as { numbers: number[] };
  return numbers.reduce((sum, number) => sum + number, 0);
}

const entrance = (): Entrance => ({
  port: (server.address() as AddressInfo).port,
  tls: { ca: certificate.cert },
  http2: true,
  routeOf: (port) => (port === undefined ? undefined : 'here'),
});

const bodies = (...sums: number[]) => sums.map((sum) => JSON.stringify({ numbers: [sum] }));

const ask = (...sums: number[]) => Promise.all(client.post('/sum', bodies(...sums)));

/** The results of answers; what else came is shown as it is. */
const resultsOf = (replies: Awaited<ReturnType<typeof ask>>) =>
  replies.map((reply) =>
    reply.kind === 'answered' ? (JSON.parse(reply.body) as { result: number }).result : reply,
  );

describe('a client of HTTP/2', () => {
  test('has many requests at a time on one connection', async () => {
    let together = 0;
    answer = (stream, sum) => {
      together = Math.max(together, ++open);
      setImmediate(() => {
        open--;
        sumUp(stream, sum);
      });
    };
    let open = 0;
    expect(resultsOf(await ask(1, 2, 3, 4, 5))).toEqual([1, 2, 3, 4, 5]);
    expect([sessions, together > 1]).toEqual([1, true]);
  });

  test('lets what is on its way finish after a GOAWAY, and asks on another connection from then on', async () => {
    const held: (() => void)[] = [];
    answer = (stream, sum) => {
      held.push(() => sumUp(stream, sum));
      if (sum === 2) stream.session?.goaway();
    };
    const early = ask(1, 2);
    await until(() => held.length === 2);
    answer = sumUp;
    await until(async () => (await ask(3)) && sessions === 2);
    for (const finish of held) finish();
    expect(resultsOf(await early)).toEqual([1, 2]);
    expect(asked.filter((sum) => sum < 3).toSorted((one, other) => one - other)).toEqual([1, 2]);
  });

  test('sends again what the server refuses to look at', async () => {
    answer = (stream, sum) => {
      if (asked.length === 1) stream.close(constants.NGHTTP2_REFUSED_STREAM);
      else sumUp(stream, sum);
    };
    expect(resultsOf(await ask(1))).toEqual([1]);
    expect([asked, client.retried]).toEqual([[1, 1], 1]);
  });

  test('sends again, elsewhere, what is above the last stream that a GOAWAY names', async () => {
    const streams: ServerHttp2Stream[] = [];
    answer = (stream, sum) => {
      if (sessions > 1) return sumUp(stream, sum);
      streams.push(stream);
      if (streams.length < 3) return;
      const [first] = streams;
      first?.session?.goaway(constants.NGHTTP2_NO_ERROR, first.id);
      if (first) sumUp(first, 1);
    };
    expect(resultsOf(await ask(1, 2, 3))).toEqual([1, 2, 3]);
    expect([sessions, client.retried]).toEqual([2, 2]);
  });

  test('sends nothing again that the server may have looked at', async () => {
    answer = (stream, sum) => {
      if (sum === 1) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      else if (sum === 2) {
        stream.respond({ ':status': 200, 'content-length': 20 });
        stream.write('{"id":', () => stream.close(constants.NGHTTP2_REFUSED_STREAM));
      } else if (sum === 3) stream.session?.destroy();
      else sumUp(stream, sum);
    };
    for (const sum of [1, 2, 3]) expect(await ask(sum)).toMatchObject([{ kind: 'broken' }]);
    expect(asked).toEqual([1, 2, 3]);
    expect(resultsOf(await ask(4))).toEqual([4]);
  });

  test('gives up when it is refused on one connection after the other', async () => {
    answer = (stream) => {
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      stream.session?.close();
    };
    expect(await ask(1)).toMatchObject([{ kind: 'broken', reason: 'not processed on 5 connections' }]);
  });

  test('gives up when nothing comes, and says where that was', async () => {
    answer = () => undefined;
    const [reply] = client.post('/sum', bodies(1), { timeoutMs: 20 });
    expect(await reply).toMatchObject({ kind: 'timedOut', localPort: expect.any(Number) as number });
  });

  test('does not trust another certificate', async () => {
    client = new Http2Client({ ...entrance(), tls: { ca: (await makeCertificate()).cert } });
    expect(await ask(1)).toMatchObject([{ kind: 'broken', reason: 'DEPTH_ZERO_SELF_SIGNED_CERT' }]);
  });
});

test('clients of a drill over TLS speak HTTP/2 and HTTP/1.1, and keep every outcome', async () => {
  const record = new RequestRecord();
  const clients = new Clients({
    ...{ balancer: entrance(), record, connections: 10, idleMs: [10, 20], random: new Random(1) },
  });
  const versions = new Set<number>();
  server.on('request', ({ httpVersionMajor }: { httpVersionMajor: number }) =>
    versions.add(httpVersionMajor),
  );
  await until(() => record.acknowledged.size > 500 && versions.size === 2);
  await clients.stop();
  expect(record.failed).toEqual([]);
  expect(record.acknowledged.size).toBe(record.sent);
  expect(await askOnce({ balancer: entrance(), record })).toBe(true);
});
