import type { Answerers } from './answerers.js';
import type { Source, WatchEvent } from './events.js';
import { FRESH_MS, SEEN_MS, type SeenInstance, type ServiceView } from './service.js';

/** More than any source tells of at a time. */
const MOST_INSTANCES = 2_000;

const LIVING = new Set(['starting', 'ready', 'draining']);

/** Finds what has changed in the service from one look to the next. */
export class Changes {
  readonly #answerers: Pick<Answerers, 'versions'>;
  readonly #emit: (event: WatchEvent) => void;
  #source: Source | undefined;
  #about = '';
  #instances: readonly SeenInstance[] = [];
  /** Of each instance the last state that is known, whoever told it. */
  readonly #states = new Map<string, string>();
  #versions = new Set<string>();
  #away: readonly string[] = [];
  #missing = 0;

  constructor(answerers: Pick<Answerers, 'versions'>, emit: (event: WatchEvent) => void) {
    this.#answerers = answerers;
    this.#emit = emit;
  }

  look(view: ServiceView, nowMs: number): void {
    const sameSource = view.source === this.#source;
    if (view.about !== this.#about && view.about !== '')
      this.#emit({ event: 'source', source: view.source, why: describeSource(view) });
    [this.#source, this.#about] = [view.source, view.about];
    this.#lookAtInstances(view.instances, sameSource);
    this.#lookAtVersions(view, nowMs);
    // What nobody tells at the moment has not changed.
    if (view.source === 'live') this.#lookAtStores(view.away);
    if (view.missing !== null) this.#lookAtMissing(view.missing);
  }

  #lookAtInstances(instances: readonly SeenInstance[], sameSource: boolean): void {
    const names = new Set(instances.map(({ instance }) => instance));
    const vanished = this.#instances.filter(
      ({ instance, state }) => !names.has(instance) && LIVING.has(state),
    );
    // Another source may not know of all that the one before knew of.
    if (sameSource) for (const seen of vanished) this.#moves(seen, 'gone');
    for (const seen of instances) this.#moves(seen, seen.state);
    this.#instances = instances;
  }

  #moves({ process, instance, version }: SeenInstance, state: string): void {
    const before = this.#states.get(instance);
    this.#states.delete(instance);
    this.#states.set(instance, state);
    const [oldest] = this.#states.keys();
    if (oldest !== undefined && this.#states.size > MOST_INSTANCES) this.#states.delete(oldest);
    // Those that were gone before anybody watched are no news.
    if (before === undefined ? LIVING.has(state) : before !== state)
      this.#emit({ event: 'instance', process, instance, version, state });
  }

  /** A version is there while an API of it is known to live; where nobody tells, for a while after it has answered. */
  #lookAtVersions({ source, instances }: ServiceView, nowMs: number): void {
    const seenMs = source === 'live' ? FRESH_MS : SEEN_MS;
    const living = instances.filter(({ process, state }) => process === 'api' && LIVING.has(state));
    const answering = this.#answerers.versions.filter(({ lastMs }) => nowMs - lastMs < seenMs);
    const now = new Set([
      ...(source === 'live' ? living.map(({ version }) => version) : []),
      ...answering.map(({ name }) => name),
    ]);
    for (const version of now)
      if (!this.#versions.has(version)) this.#emit({ event: 'version', version, change: 'appears' });
    for (const version of this.#versions)
      if (!now.has(version)) this.#emit({ event: 'version', version, change: 'disappears' });
    this.#versions = now;
  }

  #lookAtStores(away: readonly string[]): void {
    for (const store of away)
      if (!this.#away.includes(store)) this.#emit({ event: 'store', store, change: 'away' });
    for (const store of this.#away)
      if (!away.includes(store)) this.#emit({ event: 'store', store, change: 'back' });
    this.#away = away;
  }

  #lookAtMissing(missing: number): void {
    if ((missing === 0) !== (this.#missing === 0)) this.#emit({ event: 'missing', missing });
    this.#missing = missing;
  }
}

function describeSource({ source, about }: ServiceView): string {
  return source === 'live' ? 'totals and instances come from /live/events' : about;
}
