import type { About } from '../admin.js';
import { MINUTE } from '../duration.js';
import { BEAT_MS, type ApiWork, type Heartbeat, type WorkerWork } from './heartbeat.js';
import type { Heartbeats } from './heartbeats.js';
import type { Lifecycle, State } from '../lifecycle.js';
import type { StoreHealth } from '../process-metrics.js';

/** With every so many, once a minute, what other processes left behind is deleted. */
const FORGET_BEATS = MINUTE / BEAT_MS;

/** When connections are there. */
const FIRST_FORGET_BEAT = 3;

/** What a heartbeat has of a version and a commit. */
const MOST_CHARACTERS = 128;

export interface HeartbeatSenderOptions {
  readonly about: About;
  readonly lifecycle: Lifecycle;
  readonly heartbeats: Pick<Heartbeats, 'write' | 'forget'>;
  /** What it has done since its start. */
  readonly work: () => Promise<ApiWork | WorkerWork>;
  /** The stores that the process works with. */
  readonly stores: () => Promise<readonly StoreHealth[]>;
}

/**
 * Tells twice a second how this process is, and at once when its state changes; at its end, that it has stopped. Nothing
 * but that end waits for it, and for a second at the most.
 */
export class HeartbeatSender implements AsyncDisposable {
  readonly #options: HeartbeatSenderOptions;
  readonly #timer: NodeJS.Timeout;
  #away: readonly string[] = [];
  #askingStores = false;
  #latest: Heartbeat | undefined;
  #sending: Promise<void> = Promise.resolve();
  #beat = 0;
  #ended = false;

  /** Begins at once. */
  constructor(options: HeartbeatSenderOptions) {
    this.#options = options;
    const beat = () => {
      if (!this.#ended) this.#sending = this.#send();
    };
    this.#timer = setInterval(beat, BEAT_MS).unref();
    options.lifecycle.onChange(beat);
    beat();
  }

  /** The last heartbeat; none before the first was made. */
  get latest(): Heartbeat | undefined {
    return this.#latest;
  }

  async #send(state?: State): Promise<void> {
    const { about, lifecycle, heartbeats, work } = this.#options;
    // Before the first is out, connections are not there yet.
    if (this.#beat > 0) void this.#askStores();
    this.#latest = {
      ...(await work()),
      instance: about.instance,
      version: about.version.slice(0, MOST_CHARACTERS),
      commit: about.commit.slice(0, MOST_CHARACTERS),
      startedAt: Date.parse(about.startedAt),
      state: state ?? lifecycle.state,
      beat: ++this.#beat,
      away: [...this.#away],
    };
    await heartbeats.write(this.#latest);
    if (this.#beat % FORGET_BEATS === FIRST_FORGET_BEAT) void heartbeats.forget();
  }

  /** A store that takes its time to say how it is delays no heartbeat: that has what was known before. */
  async #askStores(): Promise<void> {
    if (this.#askingStores) return;
    this.#askingStores = true;
    const stores = await this.#options.stores().catch(() => []);
    this.#away = stores.filter(({ away }) => away).map(({ store }) => store);
    this.#askingStores = false;
  }

  /** Says that the process has stopped. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    clearInterval(this.#timer);
    await this.#sending;
    await this.#send('stopped');
  }
}
