import { get as getPlainly, type IncomingMessage } from 'node:http';
import { get as getSecurely } from 'node:https';
import { createParser } from 'eventsource-parser';
import { SECOND } from '../../shared/duration.js';
import { pathOf } from '../../drill/clients/address.js';
import { Feed } from './feed.js';
import { readLiveEvent, type SeenPoint, type SeenState } from './live-reading.js';

/** `off`: the service has no live page; `strange`: it tells what this version does not understand. */
export type FeedStatus = 'connecting' | 'on' | 'off' | 'away' | 'strange';

/** `at`: Unix time in milliseconds. */
export interface SeenAudit {
  readonly at: number;
  readonly missing: number;
  readonly extra: number;
}

export interface LiveFeedOptions {
  readonly url: URL;
  readonly insecure: boolean;
}

/** States come twice a second: a stream that is silent for so long is dead. */
const SILENCE_MS = 5 * SECOND;

/** A service that has no live page may have one after its next deploy. */
const LOOK_AGAIN_MS = 10 * SECOND;

/** Until it says otherwise, in which it is heard within these bounds. */
const RETRY_MS = SECOND;
const LEAST_RETRY_MS = 100;
const MOST_RETRY_MS = 10 * SECOND;

/** The snapshot is the largest, of some 100 kB. */
const MOST_CHARACTERS = 4 * 1024 * 1024;

/** Listens to `GET /live/events`; where an instance moves its listeners over, on a new connection to another one. */
export class LiveFeed extends Feed {
  status: FeedStatus = 'connecting';
  state: SeenState | undefined;
  point: SeenPoint | undefined;
  /** Of the last audit that anybody told of; who has just begun to tell may not have one yet. */
  audit: SeenAudit | undefined;
  /** When everything accepted was last found logged, as Unix time in milliseconds of our clock. */
  completeAt: number | null = null;
  /** When the last state came, as `performance.now()` has it. */
  heardAt = -Infinity;
  readonly #options: LiveFeedOptions;
  #retryMs: number = RETRY_MS;

  constructor(options: LiveFeedOptions) {
    super();
    this.#options = options;
  }

  protected async turn(signal: AbortSignal): Promise<number> {
    this.status = await this.#listen(signal).catch(() => 'away' as const);
    return this.status === 'off' ? LOOK_AGAIN_MS : this.#retryMs;
  }

  /** Resolves with what to make of it when the stream is over. */
  async #listen(signal: AbortSignal): Promise<FeedStatus> {
    const response = await this.#open(signal);
    const type = response.headers['content-type'] ?? '';
    if (response.statusCode !== 200 || !type.startsWith('text/event-stream')) {
      response.destroy();
      return response.statusCode === 404 ? 'off' : 'away';
    }
    let ended: FeedStatus | undefined;
    const parser = createParser({
      maxBufferSize: MOST_CHARACTERS,
      onRetry: (ms) => (this.#retryMs = Math.min(Math.max(ms, LEAST_RETRY_MS), MOST_RETRY_MS)),
      onError: ({ type: fault }) => (ended = fault === 'max-buffer-size-exceeded' ? 'strange' : ended),
      onEvent: ({ event, data }) => (ended ??= this.#hear(event, data)),
    });
    for await (const part of response.setEncoding('utf8') as AsyncIterable<string>) {
      parser.feed(part);
      if (ended) return ended;
    }
    return 'away';
  }

  /** Resolves with what the stream has come to, if that was its last word. */
  #hear(name: string | undefined, data: string): FeedStatus | undefined {
    const heard = readLiveEvent(name, data);
    if (heard?.event === 'moving') return 'connecting';
    if (heard?.event === 'not understood') return 'strange';
    if (heard?.event === 'state') {
      this.#keep(heard.state);
      this.status = 'on';
    }
    if (heard && 'point' in heard && heard.point) this.point = heard.point;
    return undefined;
  }

  #keep(state: SeenState): void {
    this.state = state;
    this.heardAt = performance.now();
    // Their clock may differ from ours.
    const ours = (at: number) => Date.now() - (state.at - at);
    if (state.audit) this.audit = { ...state.audit, at: ours(state.audit.at) };
    if (state.completeAt !== null) this.completeAt = ours(state.completeAt);
  }

  #open(signal: AbortSignal): Promise<IncomingMessage> {
    const { url, insecure } = this.#options;
    const get = url.protocol === 'https:' ? getSecurely : getPlainly;
    const address = new URL(pathOf(url, '/live/events'), url);
    return new Promise((resolve, reject) => {
      const asking = get(
        address,
        {
          agent: false, // a connection of its own: another one may lead to another instance
          headers: { Accept: 'text/event-stream' },
          rejectUnauthorized: !insecure,
          signal,
          timeout: SILENCE_MS,
        },
        resolve,
      );
      asking.on('timeout', () => asking.destroy(new Error('silence')));
      asking.on('error', reject);
    });
  }
}
