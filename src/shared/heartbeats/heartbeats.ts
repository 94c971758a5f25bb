import { DeadlineError, withDeadline } from '../deadline.js';
import { SECOND } from '../duration.js';
import { readHeartbeat, type Heartbeat } from './heartbeat.js';
import { PostgresHeartbeats } from './heartbeat-postgres.js';
import { RedisHeartbeats } from './heartbeat-redis.js';
import type { HeartbeatStore, KeptHeartbeat } from './heartbeat-store.js';
import type { Logger } from '../log.js';
import type { PostgresOptions } from '../postgres.js';
import type { QueueAddress } from '../queue-shards.js';

/** A store may take this long; nobody waits longer for a heartbeat. */
const DEADLINE_MS = SECOND / 2;

/** How long a store is left alone that did not answer; and one that answered with an error, for want of the table say. */
const SILENT_MS = SECOND;
const REFUSED_MS = 5 * SECOND;

/** Instances of which heartbeats are read at once: 500 × 4 kB = 2 MB at the most. */
const MOST_INSTANCES = 500;

/** Heartbeats of processes that ended long ago are deleted by any other. */
const KEPT_SECONDS = 60;

/** Where heartbeats go: both stores of an operation's way, each by a connection of its own. */
export interface HeartbeatPlaces {
  readonly queue: QueueAddress;
  readonly database: PostgresOptions;
  readonly log: Logger;
}

export function openHeartbeats({ queue, database, log }: HeartbeatPlaces): Heartbeats {
  return new Heartbeats([new RedisHeartbeats(queue, log), new PostgresHeartbeats(database)]);
}

/** Heartbeats in two stores, either of which will do. Nothing here rejects, waits for long, or is tried in vain for ever. */
export class Heartbeats implements AsyncDisposable {
  readonly #places: readonly Place[];

  constructor(stores: readonly HeartbeatStore[]) {
    this.#places = stores.map((store) => new Place(store));
  }

  async write(heartbeat: Heartbeat): Promise<void> {
    const text = JSON.stringify(heartbeat);
    await Promise.all(
      this.#places.map((place) => place.ask('write', (store) => store.write(heartbeat.instance, text))),
    );
  }

  /** The latest of each instance, as far as a store answers; `undefined` when none does. */
  async read(): Promise<readonly Heartbeat[] | undefined> {
    const answers = await Promise.all(
      this.#places.map((place) => place.ask('read', (store) => store.read(MOST_INSTANCES))),
    );
    const heard = answers.filter((answer) => answer !== undefined);
    return heard.length > 0 ? latestOf(heard.flat()) : undefined;
  }

  /** Deletes what processes left that ended without a word. */
  async forget(): Promise<void> {
    await Promise.all(
      this.#places.map((place) => place.ask('forget', (store) => store.forget(KEPT_SECONDS))),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#places.map((place) => place[Symbol.asyncDispose]()));
  }
}

function latestOf(kept: readonly KeptHeartbeat[]): Heartbeat[] {
  const latest = new Map<string, Heartbeat>();
  // Both stores have the same text most of the time, and reading it costs more than all else here.
  const texts = new Map(
    kept.map(({ instance, heartbeat }) => [`${instance} ${heartbeat}`, { instance, heartbeat }]),
  );
  for (const { instance, heartbeat: text } of texts.values()) {
    const heartbeat = readHeartbeat(text);
    if (heartbeat?.instance !== instance) continue;
    if (heartbeat.beat > (latest.get(instance)?.beat ?? -1)) latest.set(instance, heartbeat);
  }
  return [...latest.values()];
}

/** A store as it is asked: each question once at a time, in time, and not for a while after it has failed. */
class Place implements AsyncDisposable {
  readonly #store: HeartbeatStore;
  readonly #underWay = new Set<string>();
  #restsUntil = 0;

  constructor(store: HeartbeatStore) {
    this.#store = store;
  }

  /** What the store answers, or `undefined`. */
  async ask<T>(name: string, question: (store: HeartbeatStore) => Promise<T>): Promise<T | undefined> {
    if (this.#store.away || performance.now() < this.#restsUntil || this.#underWay.has(name))
      return undefined;
    this.#underWay.add(name);
    try {
      return await withDeadline(question(this.#store), DEADLINE_MS, 'a heartbeat');
    } catch (error) {
      if (error instanceof DeadlineError) this.#store.reset();
      this.#restsUntil = performance.now() + (this.#store.isRefusal(error) ? REFUSED_MS : SILENT_MS);
      return undefined;
    } finally {
      this.#underWay.delete(name);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}
