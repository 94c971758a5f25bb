import { setTimeout as delay } from 'node:timers/promises';
import { Hono } from 'hono';
import type { BucketName } from '../../shared/bucket.js';
import { SECOND } from '../../shared/duration.js';
import { BEAT_MS } from '../../shared/heartbeats/heartbeat.js';
import type { HeartbeatSender } from '../../shared/heartbeats/heartbeat-sender.js';
import type { Heartbeats } from '../../shared/heartbeats/heartbeats.js';
import type { Influx } from '../../shared/influx.js';
import type { Lifecycle } from '../../shared/lifecycle.js';
import type { LiveState } from '../../shared/live.js';
import type { Logger } from '../../shared/log.js';
import { Postgres, type PostgresOptions } from '../../shared/postgres.js';
import { Audits } from './audits.js';
import { History } from './history.js';
import { livePage } from './page.js';
import { QuarantineView } from './quarantine-view.js';
import { Roster } from './roster.js';
import { Streams } from './streams.js';
import { Totals } from './totals.js';

/** How long a look waits for the ledger, and a new stream for its first look. */
const PATIENCE_MS = SECOND / 5;

/** A timer may ring a bit before its time. */
const TOO_EARLY_MS = 50;

export interface LiveOptions {
  readonly instance: string;
  readonly lifecycle: Lifecycle;
  readonly heartbeats: Pick<Heartbeats, 'read'>;
  /** This process's own. */
  readonly sender: Pick<HeartbeatSender, 'latest'>;
  readonly database: PostgresOptions;
  readonly influx: Influx;
  readonly log: Logger;
}

interface LiveConfig extends BucketName {
  readonly LIVE_PAGE: boolean;
  readonly CHAOS_TOKEN: string;
}

/** What is shown live, where it is to be shown. */
export const openLive = (config: LiveConfig, options: LiveOptions): Live | undefined =>
  config.LIVE_PAGE ? new Live(config, options) : undefined;

/** To the next whole or half second: so the points of all processes that show them are of the same seconds. */
function untilNextLook(): number {
  const rest = BEAT_MS - (Date.now() % BEAT_MS);
  return rest < TOO_EARLY_MS ? rest + BEAT_MS : rest;
}

/** What is shown live: twice a second it looks at heartbeats and ledger, and tells all streams what it saw. */
class Live implements AsyncDisposable {
  readonly routes = new Hono().route('/', livePage());
  readonly #options: LiveOptions;
  readonly #quick: Postgres;
  readonly #slow: Postgres;
  readonly #roster: Roster;
  readonly #history = new History();
  readonly #totals: Totals;
  readonly #audits: Audits;
  readonly #quarantine: QuarantineView;
  readonly #streams: Streams;
  readonly #stop = new AbortController();
  readonly #looking: Promise<void>;
  #secondBegan = performance.now();

  /** Begins at once. */
  constructor(config: LiveConfig, options: LiveOptions) {
    const { instance, lifecycle, database, influx, log } = options;
    this.#options = options;
    this.#quick = new Postgres({ ...database, connections: 1 });
    this.#slow = new Postgres({ ...database, connections: 2 });
    this.#roster = new Roster(instance);
    this.#totals = new Totals({ quick: this.#quick, slow: this.#slow, log });
    this.#audits = new Audits({ postgres: this.#slow, influx, bucket: config }, log);
    this.#quarantine = new QuarantineView({
      ...{ postgres: this.#quick, log },
      onChange: (quarantine) => this.#streams.tell('quarantine', quarantine),
    });
    this.#streams = new Streams(() => ({
      crash: config.CHAOS_TOKEN !== '',
      points: this.#history.points,
      state: this.#state,
      quarantine: this.#quarantine.latest,
    }));
    lifecycle.signal.addEventListener('abort', () => this.#streams.move());
    this.routes.get('/live/events', async (c) => {
      // Unless somebody watches, nobody has looked into the quarantine.
      if (this.#streams.size === 0)
        await this.#patiently(this.#quarantine.refresh(), this.#totals.refresh(true));
      return this.#streams.answer(c);
    });
    this.#looking = this.#look();
  }

  async #look(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#seeAll();
      this.#tellAll();
      await delay(untilNextLook(), undefined, { signal }).catch(() => undefined);
    }
  }

  async #seeAll(): Promise<void> {
    const watched = this.#streams.size > 0;
    const { heartbeats, sender } = this.#options;
    const [heard] = await Promise.all([heartbeats.read(), this.#patiently(this.#totals.refresh(watched))]);
    this.#roster.look(heard, sender.latest, Date.now());
    this.#audits.see(this.#totals.latest);
    if (!watched) return;
    void this.#audits.refresh();
    void this.#quarantine.refresh();
  }

  #tellAll(): void {
    this.#streams.tell('state', this.#state);
    const at = Math.round(Date.now() / BEAT_MS) * BEAT_MS;
    if (at % SECOND === 0 && at !== this.#history.points.at(-1)?.at) this.#endSecond(at);
  }

  #endSecond(at: number): void {
    const seconds = (performance.now() - this.#secondBegan) / SECOND;
    this.#secondBegan = performance.now();
    const backlog = this.#totals.latest?.pending ?? null;
    this.#streams.tell('point', this.#history.add(this.#roster.heard, { at, seconds, backlog }));
  }

  get #state(): LiveState {
    return {
      at: Date.now(),
      servedBy: this.#options.instance,
      totals: this.#totals.latest,
      audit: this.#audits.latest,
      completeAt: this.#audits.completeAt,
      instances: this.#roster.instances,
      away: this.#roster.away,
    };
  }

  /** Waits for the ledger, but not for long. */
  async #patiently(...work: readonly Promise<void>[]): Promise<void> {
    await Promise.race([Promise.all(work), delay(PATIENCE_MS)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#streams[Symbol.dispose]();
    await Promise.all([this.#quick[Symbol.asyncDispose](), this.#slow[Symbol.asyncDispose]()]);
    await this.#looking;
  }
}
