import type { Heartbeat } from '../../shared/heartbeats/heartbeat.js';
import type { LiveInstance } from '../../shared/live.js';
import { MINUTE } from '../../shared/duration.js';

/** Looks, half a second apart, in which nothing new was heard of an instance that is then gone. */
const SILENT_LOOKS = 6;

/** How long one that has left is shown, and how many of them. */
const SHOWN_MS = 5 * MINUTE;
const MOST_LEFT = 50;

/** Living instances at the most: each takes about 2 kB. */
const MOST_LIVING = 500;

/** Who is first heard with a beat beyond this was at work before, or comes back after we forgot it. */
const EARLY_BEATS = 20;

/** Beats beside those twice a second: one at the start, one for each change of state. */
const MORE_BEATS = 3;

/** An instance as it was last heard. */
export interface Heard {
  readonly heartbeat: Heartbeat;
  /** It has begun since the first look, so that all it has done was done since. */
  readonly fromStart: boolean;
}

interface Entry extends Heard {
  readonly lastSeenAt: number;
  readonly silentLooks: number;
  /** When it was found to have stopped or to be gone. */
  readonly leftAt?: number;
}

/**
 * Who is there, from the heartbeats that are read twice a second. No clock but our own is believed: an instance is there
 * when its heartbeat's number grows under our eyes, and gone when it does not for three seconds.
 */
export class Roster {
  readonly #own: string;
  readonly #entries = new Map<string, Entry>();
  /** Of whom there is a heartbeat that has not grown yet. */
  #candidates = new Map<string, number>();
  #looks = 0;

  /** `own` is the instance that looks: it needs no store to hear of itself. */
  constructor(own: string) {
    this.#own = own;
  }

  /** One look at `now`; `heard` is `undefined` when no store answered, and then nobody is silent. */
  look(heard: readonly Heartbeat[] | undefined, own: Heartbeat | undefined, now: number): void {
    if (heard) this.#looks++;
    const others = (heard ?? []).filter(({ instance }) => instance !== this.#own);
    const grown = new Set<string>();
    const candidates = new Map<string, number>();
    for (const heartbeat of own ? [own, ...others] : others) {
      const { instance, beat } = heartbeat;
      const before = this.#entries.get(instance)?.heartbeat.beat ?? this.#candidates.get(instance);
      if (instance === this.#own || (before !== undefined && beat > before)) {
        grown.add(instance);
        this.#see(heartbeat, now);
      } else if (!this.#entries.has(instance)) candidates.set(instance, beat);
    }
    this.#candidates = candidates;
    if (heard) this.#notice(grown, now);
    this.#forget(now);
  }

  #see(heartbeat: Heartbeat, now: number): void {
    const { instance, beat, state } = heartbeat;
    const known = this.#entries.get(instance);
    if (!known && this.#living.length >= MOST_LIVING) return;
    const fromStart = known?.fromStart ?? beat <= Math.min(this.#looks, EARLY_BEATS) + MORE_BEATS;
    const left = state === 'stopped' && { leftAt: known?.leftAt ?? now };
    this.#entries.set(instance, { heartbeat, fromStart, lastSeenAt: now, silentLooks: 0, ...left });
  }

  /** Of those that did not grow: who has been silent for too long is gone. */
  #notice(grown: ReadonlySet<string>, now: number): void {
    for (const [instance, entry] of this.#entries) {
      if (grown.has(instance) || entry.leftAt !== undefined) continue;
      const silentLooks = entry.silentLooks + 1;
      const left = silentLooks >= SILENT_LOOKS && { leftAt: now };
      this.#entries.set(instance, { ...entry, silentLooks, ...left });
    }
  }

  #forget(now: number): void {
    for (const [index, { heartbeat, leftAt = now }] of this.#left.entries())
      if (index >= MOST_LEFT || now - leftAt > SHOWN_MS) this.#entries.delete(heartbeat.instance);
  }

  /** Every instance, as it was last heard: also those that have left and are still shown. */
  get heard(): readonly Heard[] {
    return [...this.#entries.values()];
  }

  /** Stores that one that lives finds away. */
  get away(): readonly string[] {
    return [...new Set(this.#living.flatMap(({ heartbeat }) => heartbeat.away))].sort();
  }

  /** As they are shown: those that live by process and age, and then those that have left, the latest first. */
  get instances(): readonly LiveInstance[] {
    const living = this.#living.sort(
      ({ heartbeat: one }, { heartbeat: other }) =>
        one.process.localeCompare(other.process) ||
        one.startedAt - other.startedAt ||
        one.instance.localeCompare(other.instance),
    );
    return [...living, ...this.#left].map(shown);
  }

  get #living(): Entry[] {
    return [...this.#entries.values()].filter(({ leftAt }) => leftAt === undefined);
  }

  get #left(): Entry[] {
    const left = [...this.#entries.values()].filter(({ leftAt }) => leftAt !== undefined);
    return left.sort((one, other) => (other.leftAt ?? 0) - (one.leftAt ?? 0));
  }
}

function shown({ heartbeat, lastSeenAt, leftAt }: Entry): LiveInstance {
  const { process, instance, version, commit, startedAt, state, counts } = heartbeat;
  const done =
    process === 'api'
      ? { accepted: counts.accepted, refused: counts.refused }
      : { logged: counts.logged, quarantined: counts.quarantined };
  const gone = leftAt !== undefined && state !== 'stopped';
  return {
    ...{ process, instance, version, commit, startedAt, lastSeenAt },
    state: gone ? 'gone' : state,
    ...done,
  };
}
