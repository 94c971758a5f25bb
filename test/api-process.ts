import { Acceptance } from '../src/api/acceptance.js';
import { createApp } from '../src/api/app.js';
import { Recorder } from '../src/api/recorder.js';
import { Lifecycle } from '../src/shared/lifecycle.js';
import { AcceptingStore, quiet } from './accepting-store.js';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly type: string | null;
  readonly text: string;
  readonly json: Readonly<Record<string, unknown>>;
}

/** All of the API that answers requests, in this process, over a store whose answers the test gives. */
export class ApiProcess {
  readonly store = new AcceptingStore('queue');
  readonly lifecycle = new Lifecycle();
  readonly about = { version: '1.2.3', commit: 'abc', instance: 'i', startedAt: '2026-01-01T00:00:00.000Z' };
  readonly answered: [route: string, status: number, seconds: number][] = [];
  readonly recorder: Recorder;
  readonly app: ReturnType<typeof createApp>;

  constructor({ sumDelayMs = 0, record }: { sumDelayMs?: number; record?: Recorder['record'] } = {}) {
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

  async request(path: string, init?: RequestInit): Promise<Answer> {
    const response = await this.app.request(path, init);
    const text = await response.text();
    const type = response.headers.get('Content-Type');
    const json = (type?.includes('json') ? JSON.parse(text) : {}) as Record<string, unknown>;
    return { status: response.status, headers: response.headers, type, text, json };
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
}
