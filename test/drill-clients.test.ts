import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { createServer as createNetServer, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { askOnce, Clients } from '../src/drill/clients/clients.js';
import { HttpConnection } from '../src/drill/clients/http-connection.js';
import { Random } from '../src/drill/clients/random.js';
import { RequestRecord } from '../src/drill/clients/record.js';

type Answer = (request: IncomingMessage, response: ServerResponse, numbers: readonly number[]) => void;

const sumUp: Answer = (_request, response, numbers) => {
  const result = numbers.reduce((sum, number) => sum + number, 0);
  response.end(JSON.stringify({ id: `${result}-x`, result }));
};

let server: Server;
let answer: Answer;
let connections: number;
let record: RequestRecord;
beforeEach(async () => {
  answer = sumUp;
  connections = 0;
  record = new RequestRecord();
  server = createServer((request, response) => {
    let body = '';
    request.setEncoding('latin1').on('data', (part: string) => (body += part));
    request.on('end', () => answer(request, response, (JSON.parse(body) as { numbers: number[] }).numbers));
  });
  server.on('connection', () => connections++);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const balancer = () => ({ port: (server.address() as AddressInfo).port, routeOf: () => 'here' });

function start(count: number): Clients {
  return new Clients({
    balancer: balancer(),
    record,
    connections: count,
    idleMs: [10, 20],
    random: new Random(1),
  });
}

describe('clients', () => {
  test('of every kind ask for their own serial, and keep every outcome', async () => {
    const clients = start(10);
    await vi.waitUntil(() => record.acknowledged.size > 500);
    await clients.stop();
    expect(record.failed).toEqual([]);
    expect([...record.acknowledged.values()].sort((a, b) => a - b)).toEqual(
      Array.from({ length: record.sent }, (_, index) => index + 1),
    );
    expect(record.tookMs.every((ms) => ms >= 0)).toBe(true);
    expect([record.inFlight, record.misanswered]).toEqual([0, 0]);
  });

  test('note a refusal, a wrong result and a broken connection as what they are, and send nothing twice', async () => {
    const asked: number[] = [];
    answer = (request, response, numbers) => {
      const serial = numbers.reduce((sum, number) => sum + number, 0);
      asked.push(serial);
      if (serial === 1) response.writeHead(503).end('{}');
      else if (serial === 2) request.socket.destroy();
      else if (serial === 3) response.end(JSON.stringify({ id: '3-x', result: 4 }));
      else sumUp(request, response, numbers);
    };
    const clients = start(1);
    await vi.waitUntil(() => record.acknowledged.size > 3);
    await clients.stop();
    expect(record.failed).toMatchObject([
      { serial: 1, kind: 'refused', reason: '503', client: 'busy', endpoint: 'here' },
      { serial: 2, kind: 'reset', reason: 'closed by the server' },
    ]);
    expect(record.misanswered).toBe(1);
    expect(new Set(asked).size).toBe(asked.length);
  });

  test('leave a connection when they are asked to, and only then', async () => {
    let answered = 0;
    answer = (request, response, numbers) => {
      if (++answered % 5 === 0) response.setHeader('Connection', 'close');
      sumUp(request, response, numbers);
    };
    const clients = start(1);
    await vi.waitUntil(() => answered >= 50);
    await clients.stop();
    expect(record.failed).toEqual([]);
    expect(connections).toBe(Math.ceil(answered / 5));
  });

  test('with a new connection for each request ask on it once', async () => {
    const options = { balancer: balancer(), record };
    expect(await askOnce(options)).toBe(true);
    expect(await askOnce(options)).toBe(true);
    expect(connections).toBe(2);
  });
});

describe('a connection', () => {
  test('gives pipelined requests their answers in order', async () => {
    const connection = new HttpConnection(balancer());
    const bodies = [1, 2, 3, 4].map((number) => JSON.stringify({ numbers: [number] }));
    const replies = await Promise.all(connection.post('/', bodies));
    expect(replies.map((reply) => reply.kind === 'answered' && JSON.parse(reply.body))).toEqual(
      [1, 2, 3, 4].map((number) => ({ id: `${number}-x`, result: number })),
    );
    connection.close();
  });

  test('has no answer for what was pipelined behind an answer with Connection: close', async () => {
    answer = (request, response, numbers) => {
      if (numbers[0] === 2) response.setHeader('Connection', 'close');
      sumUp(request, response, numbers);
    };
    const connection = new HttpConnection(balancer());
    const bodies = [1, 2, 3].map((number) => JSON.stringify({ numbers: [number] }));
    const replies = await Promise.all(connection.post('/', bodies));
    expect(replies.map(({ kind }) => kind)).toEqual(['answered', 'answered', 'broken']);
    expect(connection.open).toBe(false);
  });

  test('says when it broke in the middle of an answer', async () => {
    const cut = createNetServer((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'));
    }).listen(0, '127.0.0.1');
    await once(cut, 'listening');
    const [reply] = new HttpConnection(cut.address() as AddressInfo).post('/', ['{}']);
    expect(await reply).toEqual({
      kind: 'broken',
      reason: 'closed by the server in the middle of an answer',
    });
    cut.close();
  });

  test('takes an answer in chunks, whatever they are cut into', async () => {
    const chunks = createNetServer((socket) => {
      const text = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n3\r\n[1]\r\n0\r\n\r\n';
      socket.setNoDelay().once('data', () => text.split('').forEach((part) => socket.write(part)));
    }).listen(0, '127.0.0.1');
    await once(chunks, 'listening');
    const connection = new HttpConnection(chunks.address() as AddressInfo);
    const [reply] = connection.post('/', ['{}']);
    expect(await reply).toEqual({ kind: 'answered', status: 200, body: '{}[1]' });
    connection.close();
    chunks.close();
  });

  test('is left a second before the server stops waiting on it', async () => {
    server.keepAliveTimeout = 2_000;
    const connection = new HttpConnection(balancer());
    await Promise.all(connection.post('/', ['{"numbers":[1]}']));
    const answered = performance.now();
    const clock = vi.spyOn(performance, 'now');
    clock.mockReturnValue(answered + 900);
    expect(connection.fresh).toBe(true);
    clock.mockReturnValue(answered + 1_100);
    expect([connection.fresh, connection.open]).toEqual([false, true]);
    clock.mockRestore();
    connection.close();
  });

  test('gives up when nothing comes', async () => {
    answer = () => undefined;
    const [reply] = new HttpConnection(balancer()).post('/', ['{"numbers":[]}'], { timeoutMs: 20 });
    expect(await reply).toEqual({ kind: 'timedOut' });
  });
});
