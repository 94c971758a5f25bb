import { once } from 'node:events';
import { constants } from 'node:http2';
import { connect as connectPlain } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { Hono } from 'hono';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { makeCertificate } from '../src/drill/processes/self-signed.js';
import { TcpProxy } from '../src/drill/processes/tcp-proxy.js';
import type { Certificate } from '../src/shared/http/certificate.js';
import { HttpServer } from '../src/shared/http/http-server.js';
import type { Http2Connection, Http2Limits } from '../src/shared/http/http2-connection.js';
import { createSecureServer } from '../src/shared/http/secure-server.js';
import { Connection } from './connection.js';
import { Http2Client } from './http2-client.js';
import { latch, turn, until, type Latch } from './latch.js';

const LONG_MS = 60_000;

/** In a GOAWAY: whatever is sent will be answered. */
const EVERY_STREAM = 2 ** 31 - 1;

let certificate: Certificate;
let app: Hono;
let server: HttpServer;
let port: number;
/** Settles what `/slow` waits for. */
let slow: Latch<void>;
let opened: Disposable[];
/** Times that `/` was asked for. */
let asked: number;

beforeAll(async () => {
  certificate = await makeCertificate();
});
beforeEach(async () => {
  slow = latch();
  opened = [];
  app = new Hono();
  asked = 0;
  app.all('/', (c) => {
    asked++;
    return c.text('quick');
  });
  app.all('/slow', async (c) => {
    await slow.promise;
    return c.text('slow');
  });
  app.post('/length', async (c) => c.text(String((await c.req.text()).length)));
  server = new HttpServer(app, { certificate, keepAliveSeconds: 3 });
  port = await server.listen('127.0.0.1', 0);
});
afterEach(async () => {
  for (const one of opened) one[Symbol.dispose]();
  slow.resolve();
  await server[Symbol.asyncDispose]();
});

async function openHttp2(to = port): Promise<Http2Client> {
  const client = await Http2Client.open(to, certificate.cert);
  opened.push(client);
  return client;
}

async function openHttp1(): Promise<Connection> {
  const connection = await Connection.open(port, certificate.cert);
  opened.push(connection);
  return connection;
}

/** A connection for HTTP/2 on which nothing is ever said. */
async function openSilent(): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', ca: certificate.cert, ALPNProtocols: ['h2'] });
  opened.push({ [Symbol.dispose]: () => socket.destroy() });
  socket.on('error', () => undefined).resume();
  await once(socket, 'secureConnect');
  return socket;
}

/** Asks for `/slow`, and resolves when so many are in flight. */
async function askSlowly(client: Http2Client, times = 1) {
  const answers = Array.from({ length: times }, () => client.ask('/slow'));
  await until(() => server.inFlight >= times);
  return answers;
}

describe('a server with a certificate', () => {
  test('speaks HTTP/2 and HTTP/1.1, as the client prefers, with the same app', async () => {
    const modern = await openHttp2();
    expect(await modern.ask('/')).toMatchObject({ status: 200, text: 'quick' });
    expect(modern.session.alpnProtocol).toBe('h2');
    const classic = await openHttp1();
    classic.get('/');
    expect(await classic.receives('quick')).toMatch(/^HTTP\/1\.1 200 [^]*keep-alive: timeout=3\r\n/i);
    classic.get('/nowhere');
    expect(await classic.receives('404 Not Found')).toMatch(/HTTP\/1\.1 404/);
  });

  test('says nothing of connections in HTTP/2, where those headers are forbidden', async () => {
    const { headers } = await (await openHttp2()).ask('/');
    expect([...headers.keys()]).toEqual(expect.not.arrayContaining(['connection', 'keep-alive']));
  });

  test('knows how many requests it is answering, over both', async () => {
    const [modern, classic] = [await openHttp2(), await openHttp1()];
    const answers = await askSlowly(modern, 2);
    classic.get('/slow');
    await until(() => server.inFlight === 3);
    slow.resolve();
    await Promise.all([...answers, classic.receives('slow')]);
    await until(() => server.inFlight === 0);
  });

  test('carries bodies larger than its windows both ways', async () => {
    const body = 'x'.repeat(1024 * 1024);
    app.post('/echo', async (c) => c.text(await c.req.text()));
    const client = await openHttp2();
    expect(await client.ask('/length', { method: 'POST', body })).toMatchObject({
      text: String(body.length),
    });
    const { text } = await client.ask('/echo', { method: 'POST', body });
    expect(text === body).toBe(true);
  });

  test('takes a hundred requests at once from one client, and says so', async () => {
    const client = await openHttp2();
    expect(client.session.remoteSettings).toMatchObject({
      maxConcurrentStreams: 100,
      maxHeaderListSize: 16_384,
    });
  });

  test('shows another certificate to who connects from now on, and goes on with those who are here', async () => {
    const [modern, classic] = [await openHttp2(), await openHttp1()];
    const old = certificate;
    certificate = await makeCertificate();
    server.renew(certificate);
    expect(await modern.ask('/')).toMatchObject({ status: 200 });
    classic.get('/');
    await classic.receives('quick');
    expect(await (await openHttp2()).ask('/')).toMatchObject({ status: 200 });
    await expect(Http2Client.open(port, old.cert)).rejects.toThrow('self-signed certificate');
  });
});

describe('a server with a certificate that turns away', () => {
  test('tells HTTP/2 clients at once, and answers what they have sent before they hear it', async () => {
    const client = await openHttp2();
    await client.ask('/');
    server.turnAway();
    const late = [client.ask('/'), client.ask('/'), client.ask('/')];
    expect(await Promise.all(late)).toMatchObject(late.map(() => ({ status: 200, text: 'quick' })));
    expect(client.goneAfter[0]).toBe(EVERY_STREAM);
  });

  test('answers those who come all the same, and tells them with their first request', async () => {
    server.turnAway();
    const client = await openHttp2();
    await new Promise<void>((resolve) => client.session.ping(() => resolve()));
    expect(client.goneAfter).toEqual([]);
    expect(await client.ask('/')).toMatchObject({ status: 200 });
    await until(() => client.goneAfter.length > 0);
    expect(client.goneAfter[0]).toBe(EVERY_STREAM);
  });

  test('says Connection: close with each answer of HTTP/1.1', async () => {
    const classic = await openHttp1();
    server.turnAway();
    classic.get('/');
    await classic.ends();
    expect(classic.received).toMatch(/^HTTP\/1\.1 200 [^]*connection: close\r\n/i);
  });
});

describe('a server with a certificate that finishes', () => {
  test('waits for what is in flight over both, and cuts nothing', async () => {
    const [modern, classic] = [await openHttp2(), await openHttp1()];
    const answers = await askSlowly(modern, 3);
    classic.get('/slow');
    await until(() => server.inFlight === 4);
    let finished = false;
    const finishing = server.finish(LONG_MS).finally(() => (finished = true));
    await until(() => modern.goneAfter.length === 2);
    expect(finished).toBe(false);
    slow.resolve();
    expect(await Promise.all(answers)).toMatchObject(answers.map(() => ({ status: 200, text: 'slow' })));
    await classic.ends();
    expect(classic.received).toMatch(/^HTTP\/1\.1 200 [^]*connection: close\r\n[^]*slow/i);
    expect(await finishing).toBe(0);
  });

  test('loses nothing that was sent before the client heard of it, and names the last that is answered', async () => {
    const client = await openHttp2();
    await client.ask('/');
    const finishing = server.finish(LONG_MS);
    const late = [client.ask('/'), client.ask('/')];
    expect(await Promise.all(late)).toMatchObject([{ status: 200 }, { status: 200 }]);
    expect(await finishing).toBe(0);
    await client.closed;
    expect(client.goneAfter).toEqual([EVERY_STREAM, 5]);
  });

  test('ends connections that ask nothing, without waiting for anybody', async () => {
    const idle = [await openHttp2(), await openHttp2()];
    await idle[0]?.ask('/');
    const silent = await openSilent();
    const ended = once(silent, 'close');
    const classic = await openHttp1();
    const half = connectPlain(port, '127.0.0.1').on('error', () => undefined);
    await once(half, 'connect');
    classic.get('/');
    await classic.receives('quick');
    expect(await server.finish(LONG_MS)).toBe(0);
    await Promise.all([...idle.map(({ closed }) => closed), classic.ends(), ended]);
    half.destroy();
  });

  test('is held up no longer than a moment by a client that neither hears nor leaves', async () => {
    const deaf = await openSilent();
    deaf.pause();
    expect(await server.finish(LONG_MS)).toBe(0);
  });

  test('cuts what still hangs after the limit, and says how many that were', async () => {
    const client = await openHttp2();
    const answers = await askSlowly(client, 3);
    const cut = Promise.allSettled(answers);
    expect(await server.finish(20)).toBe(3);
    expect((await cut).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  });
});

describe('an HTTP/2 connection', () => {
  const connections = new Set<Http2Connection>();

  /** A server with limits of its own. */
  async function limited(limits: Http2Limits): Promise<number> {
    const secure = createSecureServer(app.fetch, certificate, {
      ...limits,
      onHttp1: () => undefined,
      onHttp2: (connection, socket) => {
        connections.add(connection);
        socket.once('close', () => connections.delete(connection));
      },
    });
    opened.push({ [Symbol.dispose]: () => void secure.close() });
    await once(secure.listen(0, '127.0.0.1'), 'listening');
    return (secure.address() as { port: number }).port;
  }

  test('that is idle for long is ended as gently', async () => {
    const client = await openHttp2(await limited({ idleMs: 20 }));
    await client.closed;
    expect(client.goneAfter[0]).toBe(EVERY_STREAM);
    await until(() => connections.size === 0);
  });

  test('that is to end waits until its client has heard that, and answers what comes until then', async () => {
    await using proxy = await TcpProxy.open(await limited({ idleMs: LONG_MS, roundTripMs: LONG_MS }));
    const client = await openHttp2(proxy.port);
    const [connection] = connections;
    proxy.stall('answers');
    const finishing = connection?.finish();
    for (let n = 0; n < 20; n++) await turn();
    const answer = client.ask('/');
    await until(() => asked === 1);
    proxy.resume();
    expect(await answer).toMatchObject({ status: 200 });
    await finishing;
    await client.closed;
    expect(client.goneAfter[0]).toBe(EVERY_STREAM);
  });

  test('is not idle while an answer is being made', async () => {
    const limitedPort = await limited({ idleMs: 20 });
    const client = await openHttp2(limitedPort);
    const answer = client.ask('/slow');
    const idle = await openHttp2(limitedPort);
    await idle.closed;
    expect(client.goneAfter).toEqual([]);
    slow.resolve();
    expect(await answer).toMatchObject({ text: 'slow' });
    await client.closed;
  });

  test('has a limit for who sends or takes too slowly, and none for answers that take their time', async () => {
    const client = await openHttp2(await limited({ idleMs: LONG_MS, requestMs: 50 }));
    const waiting = client.ask('/slow');
    const never = client.ask('/length', { method: 'POST', body: new ReadableStream() });
    await expect(never).rejects.toThrow(`closed with ${constants.NGHTTP2_CANCEL}`);
    slow.resolve();
    expect(await waiting).toMatchObject({ text: 'slow' });
  });
});
