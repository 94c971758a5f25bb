import { once } from 'node:events';
import { connect } from 'node:net';
import { Hono } from 'hono';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { EventStream } from '../src/api/live/stream.js';
import { Streams } from '../src/api/live/streams.js';
import { makeCertificate } from '../src/drill/processes/self-signed.js';
import { HttpServer } from '../src/shared/http/http-server.js';
import type { LiveSnapshot, LiveState } from '../src/shared/live.js';
import { Connection } from './connection.js';
import { Http2Client } from './http2-client.js';
import { until } from './latch.js';

const SNAPSHOT = { crash: false, points: [] } as unknown as LiveSnapshot;

const stateWith = (servedBy: string) => ({ servedBy }) as LiveState;

afterEach(() => void vi.useRealTimers());

/** The streams of a process, and its server. */
class Process implements AsyncDisposable {
  made = 0;
  readonly streams = new Streams(() => {
    this.made++;
    return SNAPSHOT;
  });
  readonly app = new Hono().get('/live/events', (c) => this.streams.answer(c));
  #server: HttpServer | undefined;

  async listen(options: ConstructorParameters<typeof HttpServer>[1] = {}): Promise<number> {
    this.#server = new HttpServer(this.app, options);
    return this.#server.listen('127.0.0.1', 0);
  }

  finish(limitMs: number): Promise<number> {
    return this.#server?.finish(limitMs) ?? Promise.resolve(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.streams[Symbol.dispose]();
    await this.finish(0);
  }
}

describe('a stream', () => {
  test('begins with a snapshot and a hint when to come back, and goes on with what is told', async () => {
    await using process = new Process();
    using client = await Connection.open(await process.listen());
    client.get('/live/events');
    const head = await client.receives('"points":[]}\n\n');
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(head.toLowerCase()).toContain('\r\ncontent-type: text/event-stream\r\n');
    expect(head.toLowerCase()).toContain('\r\ncache-control: no-store\r\n');
    expect(head).toContain('retry: 1000\nevent: snapshot\ndata: {"crash":false,"points":[]}\n\n');
    process.streams.tell('state', stateWith('a'));
    await client.receives('event: state\ndata: {"servedBy":"a"}\n\n');
  });

  test('is written at once with what is told at the same time, and in order', async () => {
    await using process = new Process();
    const { body } = await process.app.request('/live/events');
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    const next = async () => Buffer.from((await reader.read()).value ?? []).toString();
    expect(await next()).toContain('event: snapshot');
    for (const name of ['a', 'b', 'c']) process.streams.tell('state', stateWith(name));
    process.streams.tell('state', stateWith('x'.repeat(100_000)));
    process.streams.tell('state', stateWith('d'));
    expect((await next()).match(/"servedBy":"."/g)).toEqual([
      '"servedBy":"a"',
      '"servedBy":"b"',
      '"servedBy":"c"',
    ]);
    expect(await next()).toHaveLength(100_000 + 'event: state\ndata: {"servedBy":""}\n\n'.length);
    expect(await next()).toContain('"servedBy":"d"');
  });

  test('is of one snapshot with those that begin before something else is told', async () => {
    await using process = new Process();
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => process.app.request('/live/events')),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(process.made).toBe(1);
    process.streams.tell('state', stateWith('a'));
    await process.app.request('/live/events');
    expect(process.made).toBe(2);
  });

  test('is forgotten when its client has gone, and when only its head was asked for', async () => {
    await using process = new Process();
    const port = await process.listen();
    {
      using client = await Connection.open(port);
      client.get('/live/events');
      await client.receives('event: snapshot');
      expect(process.streams.size).toBe(1);
    }
    await until(() => process.streams.size === 0);
    const head = await fetch(`http://127.0.0.1:${port}/live/events`, { method: 'HEAD' });
    expect([head.status, head.headers.get('Content-Type')]).toEqual([200, 'text/event-stream']);
    expect(process.streams.size).toBe(0);
  });

  test('is one of two hundred at the most', async () => {
    await using process = new Process();
    for (let n = 0; n < 200; n++) await process.app.request('/live/events');
    const answer = await process.app.request('/live/events');
    expect([answer.status, answer.headers.get('Retry-After')]).toEqual([503, '5']);
    expect(await answer.json()).toMatchObject({ type: 'urn:tally:problem:too-many-streams' });
  });
});

/** Tells so much, piece by piece, that no buffer on the way holds it. */
async function tellMuch({ streams }: Process, goesOn: () => boolean): Promise<void> {
  for (let piece = 0; piece < 500 && goesOn(); piece++) {
    streams.tell('state', stateWith('x'.repeat(100_000)));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('a client that never reads', () => {
  test('is cut when a megabyte waits for it, over HTTP/1.1', async () => {
    await using process = new Process();
    const socket = connect(await process.listen(), '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.pause();
    socket.write('GET /live/events HTTP/1.1\r\nHost: tally\r\n\r\n');
    await until(() => process.streams.size === 1);
    await tellMuch(process, () => process.streams.size > 0);
    expect(process.streams.size).toBe(0);
    expect(await process.finish(60_000)).toBe(0);
    socket.destroy();
  });

  test('and over HTTP/2', async () => {
    await using process = new Process();
    const certificate = await makeCertificate();
    using client = await Http2Client.open(await process.listen({ certificate }), certificate.cert);
    const stream = client.session.request({ ':path': '/live/events' });
    stream.on('error', () => undefined);
    await until(() => process.streams.size === 1);
    await tellMuch(process, () => process.streams.size > 0);
    expect(process.streams.size).toBe(0);
  });

  test('has a second for its last words, which one that reads does not need', async () => {
    vi.useFakeTimers();
    const ended: string[] = [];
    const streamOf = (name: string) =>
      new EventStream({ cut: () => ended.push(`${name} cut`), onEnd: () => ended.push(`${name} ended`) });
    const [reads, sleeps] = [streamOf('reads'), streamOf('sleeps')];
    const text = new Response(reads.body).text();
    for (const stream of [reads, sleeps]) {
      stream.send(Buffer.from('first '));
      stream.finish(Buffer.from('last'));
      stream.send(Buffer.from('too late'));
    }
    expect(await text).toBe('first last');
    expect(ended).toEqual(['reads ended']);
    await vi.advanceTimersByTimeAsync(999);
    expect(ended).toEqual(['reads ended']);
    await vi.advanceTimersByTimeAsync(1);
    expect(ended).toEqual(['reads ended', 'sleeps ended', 'sleeps cut']);
  });
});

describe('a process that drains', () => {
  test.each(['HTTP/1.1', 'HTTP/2'])(
    'sends its clients to another one, and ends at once, over %s',
    async (way) => {
      await using process = new Process();
      const certificate = way === 'HTTP/2' ? await makeCertificate() : undefined;
      const port = await process.listen({ certificate });
      const texts = await (certificate ? overHttp2(port, certificate.cert) : overHttp1(port));
      await until(() => process.streams.size === 10);
      process.streams.move();
      expect(await process.finish(60_000)).toBe(0);
      for (const text of await Promise.all(texts))
        expect(text).toMatch(/event: snapshot\n[^]*retry: 100\nevent: moving\ndata: \{\}\n\n$/);
    },
  );

  test('answers who asks then with all it knows, and the same, as a stream that has ended', async () => {
    await using process = new Process();
    process.streams.move();
    const answer = await process.app.request('/live/events');
    expect([answer.status, answer.headers.get('Content-Type')]).toEqual([200, 'text/event-stream']);
    expect(await answer.text()).toMatch(
      /^retry: 1000\nevent: snapshot\n.*\n\nretry: 100\nevent: moving\ndata: \{\}\n\n$/,
    );
    expect(process.streams.size).toBe(0);
  });
});

/** Ten streams; each resolves with all its text at its end. */
async function overHttp1(port: number): Promise<Promise<string>[]> {
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => fetch(`http://127.0.0.1:${port}/live/events`)),
  );
  return answers.map((answer) => answer.text());
}

async function overHttp2(port: number, ca: string): Promise<Promise<string>[]> {
  const client = await Http2Client.open(port, ca);
  return Array.from({ length: 10 }, async () => (await client.ask('/live/events')).text);
}
