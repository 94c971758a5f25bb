import { Acceptance } from '../src/api/acceptance.js';
import { createApp } from '../src/api/app.js';
import { Recorder } from '../src/api/recorder.js';
import { makeCertificate } from '../src/drill/processes/self-signed.js';
import { HttpServer } from '../src/shared/http/http-server.js';
import { Lifecycle } from '../src/shared/lifecycle.js';
import { AcceptingStore, quiet } from './accepting-store.js';
import { requireAsDescribed } from './described.js';
import { Http2Client } from './http2-client.js';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly type: string | null;
  readonly text: string;
  readonly json: Readonly<Record<string, unknown>>;
}

/** How requests come to the API: handed over, or through a server. */
export const WAYS = ['itself', 'over HTTP/2'] as const;

interface Options {
  readonly way?: (typeof WAYS)[number];
  readonly sumDelayMs?: number;
  readonly record?: Recorder['record'];
}

/** All of the API that answers requests, in this process, over a store whose answers the test gives. */
export class ApiProcess implements AsyncDisposable {
  readonly store = new AcceptingStore('queue');
  readonly lifecycle = new Lifecycle();
  readonly about = { version: '1.2.3', commit: 'abc', instance: 'i', startedAt: '2026-01-01T00:00:00.000Z' };
  readonly answered: [route: string, status: number, seconds: number][] = [];
  readonly recorder: Recorder;
  readonly app: ReturnType<typeof createApp>;
  readonly #way: Options['way'];
  #server: HttpServer | undefined;
  #client: Promise<Http2Client> | undefined;

  constructor({ way, sumDelayMs = 0, record }: Options = {}) {
    this.#way = way;
    this.store.always = 'has';
    const acceptance = new Acceptance({ stores: [this.store], log: quiet, deadlineMs: 10_000 });
    this.recorder = new Recorder({ instance: 'i', acceptance });
    this.app = createApp({
      recorder: record ? { record } : this.recorder,
      about: this.about,
      lifecycle: this.lifecycle,
      log: quiet,
      sumDelayMs,
      onAnswer: (...answer) => void this.answered.push(answer),
    });
  }

  /** Every line that reached the store. */
  get lines(): readonly string[] {
    return this.store.asked.flatMap(({ lines }) => lines.text.split('\n'));
  }

  /** @throws {Error} when the answer is other than the API's description says. */
  async request(path: string, init?: RequestInit): Promise<Answer> {
    const response = await (this.#way === 'over HTTP/2'
      ? this.#overHttp2(path, init)
      : this.app.request(path, init));
    const text = await response.text();
    const type = response.headers.get('Content-Type');
    const json = (type?.includes('json') ? JSON.parse(text) : {}) as Record<string, unknown>;
    const answer = { status: response.status, headers: response.headers, type, text, json };
    requireAsDescribed(init?.method ?? 'GET', path, answer);
    return answer;
  }

  /** `POST /sum` with this body. */
  sum(body: string | ReadableStream, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.request('/sum', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body,
      // Node wants to be told that a stream goes one way.
      ...(body instanceof ReadableStream && { duplex: 'half' }),
    });
  }

  async #overHttp2(path: string, { method = 'GET', headers, body }: RequestInit = {}): Promise<Response> {
    this.#client ??= this.#open();
    const { text, ...rest } = await (
      await this.#client
    ).ask(path, {
      method,
      headers: headers as Record<string, string>,
      ...(body && { body: body as string | ReadableStream }),
    });
    return new Response(text, rest);
  }

  async #open(): Promise<Http2Client> {
    const certificate = await makeCertificate();
    this.#server = new HttpServer(this.app, { certificate });
    return Http2Client.open(await this.#server.listen('127.0.0.1', 0), certificate.cert);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    (await this.#client)?.[Symbol.dispose]();
    await this.#server?.[Symbol.asyncDispose]();
  }
}
