import type { Clock } from '../src/worker/batcher.js';

interface Alarm {
  readonly at: number;
  readonly callback: () => void;
}

/** Beyond this, time does not move on any more. */
const MAX_RINGS = 1_000;

/** A clock that stands still until it is moved, and rings each alarm at exactly its time. */
export class ManualClock implements Clock {
  #now = 0;
  readonly #alarms = new Set<Alarm>();

  readonly now = () => this.#now;

  readonly schedule = (ms: number, callback: () => void) => {
    const alarm = { at: this.#now + ms, callback };
    this.#alarms.add(alarm);
    return () => void this.#alarms.delete(alarm);
  };

  /** Alarms that are set. */
  get pending(): number {
    return this.#alarms.size;
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (let rings = 0; ; rings++) {
      if (rings > MAX_RINGS) throw new Error(`alarms are set again and again at ${this.#now}`);
      const [next] = [...this.#alarms].sort((a, b) => a.at - b.at);
      if (!next || next.at > end) break;
      this.#now = Math.max(this.#now, next.at);
      this.#ring(next);
    }
    this.#now = end;
  }

  /** Rings the next alarm before its time, as a timer of the system may by a fraction of a millisecond. */
  ringEarly(): void {
    const [next] = this.#alarms;
    if (next) this.#ring(next);
  }

  #ring(alarm: Alarm): void {
    this.#alarms.delete(alarm);
    alarm.callback();
  }
}
