import { createParser } from 'eventsource-parser';
import type { TallyProcess } from '../../src/drill/processes/tally-process.js';
import type { LiveEvents, LiveInstance, LiveState } from '../../src/shared/live.js';
import { until } from '../latch.js';

type Name = keyof LiveEvents;
type Told = { readonly [N in Name]: { readonly name: N; readonly data: LiveEvents[N] } }[Name];

/** A stream of `GET /live/events`, and all that was told over it. */
export class LiveReader implements Disposable {
  readonly told: Told[] = [];
  readonly headers: Headers;
  ended = false;
  readonly #abort: AbortController;

  private constructor(answer: Response, abort: AbortController) {
    this.headers = answer.headers;
    this.#abort = abort;
    void this.#read(answer).catch(() => undefined);
  }

  static async open({ port }: TallyProcess): Promise<LiveReader> {
    const abort = new AbortController();
    const answer = await fetch(`http://127.0.0.1:${port}/live/events`, { signal: abort.signal });
    if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
    return new LiveReader(answer, abort);
  }

  async #read({ body }: Response): Promise<void> {
    const parser = createParser({
      onEvent: ({ event, data }) => void this.told.push({ name: event, data: JSON.parse(data) } as Told),
    });
    const decoder = new TextDecoder();
    try {
      for await (const part of body as unknown as AsyncIterable<Uint8Array>)
        parser.feed(decoder.decode(part, { stream: true }));
    } finally {
      this.ended = true;
    }
  }

  all<N extends Name>(name: N): readonly LiveEvents[N][] {
    return this.told.flatMap((told) => (told.name === name ? [told.data as LiveEvents[N]] : []));
  }

  /** How things are now, as far as it was told. */
  get state(): LiveState | undefined {
    return this.all('state').at(-1) ?? this.all('snapshot').at(-1)?.state;
  }

  instance({ instance }: TallyProcess): LiveInstance | undefined {
    return this.state?.instances.find((one) => one.instance === instance);
  }

  /** Resolves when it is told so. */
  async shows(holds: (state: LiveState) => boolean): Promise<void> {
    await until(() => this.state !== undefined && holds(this.state));
  }

  async showsAs(process: TallyProcess, state: LiveInstance['state']): Promise<void> {
    await until(() => this.instance(process)?.state === state);
  }

  [Symbol.dispose](): void {
    this.#abort.abort();
  }
}
