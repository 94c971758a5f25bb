import type { Influx, InfluxAnswer } from '../shared/influx.js';
import type { Logger } from '../shared/log.js';
import type { Verdict } from './store.js';

/** An outage is said once when it begins, and again as often as this. */
const REPEAT_MS = 60_000;

type Condition = 'well' | 'misconfigured' | 'unavailable';

/** Turns a stream of answers into a few lines of log: what is wrong with InfluxDB, and when it is over. */
export class InfluxWatch {
  readonly #influx: Pick<Influx, 'forget'>;
  readonly #log: Logger;
  #condition: Condition = 'well';
  #saidAt = 0;

  constructor(influx: Pick<Influx, 'forget'>, log: Logger) {
    this.#influx = influx;
    this.#log = log;
  }

  /** True from a write that got no answer, or one that asks to come again, until another. */
  get away(): boolean {
    return this.#condition === 'unavailable';
  }

  see(verdict: Verdict, { status, body }: InfluxAnswer): void {
    const condition = verdict === 'misconfigured' || verdict === 'unavailable' ? verdict : 'well';
    const changed = condition !== this.#condition;
    this.#condition = condition;
    if (condition === 'well') {
      if (changed) this.#log.info('influxdb takes lines again');
      return;
    }
    this.#influx.forget(); // it may come back as another version
    if (!changed && Date.now() - this.#saidAt < REPEAT_MS) return;
    this.#saidAt = Date.now();
    if (condition === 'unavailable')
      this.#log.warn({ status, body }, 'influxdb is away; everything is kept and tried again');
    else
      this.#log.error(
        { status, body },
        'influxdb refuses our configuration; everything is kept and tried again',
      );
  }
}
