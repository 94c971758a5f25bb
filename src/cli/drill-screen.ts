import { SECOND } from '../shared/duration.js';
import type { Progress } from '../drill/watch.js';

/** Where nobody watches, a line this often. */
const QUIET_MS = 5 * SECOND;

/** Progress on standard error: one line that changes where somebody watches, else a line now and then. */
export class Screen {
  readonly #describe: (now: Progress, before: Progress | undefined) => string;
  readonly #live = process.stderr.isTTY;
  #before: Progress | undefined;
  #quietUntilMs = 0;

  constructor(describe: (now: Progress, before: Progress | undefined) => string) {
    this.#describe = describe;
  }

  readonly say = (line: string): void => {
    this.clear();
    process.stderr.write(`${line}\n`);
  };

  readonly show = (now: Progress): void => {
    if (this.#live) {
      const line = this.#describe(now, this.#before).slice(0, (process.stderr.columns ?? 80) - 1);
      process.stderr.write(`\r\u001B[K${line}`);
    } else if (now.ms < this.#quietUntilMs && now.ms > (this.#before?.ms ?? 0)) return;
    else {
      process.stderr.write(`${this.#describe(now, this.#before)}\n`);
      this.#quietUntilMs = now.ms + QUIET_MS;
    }
    this.#before = now;
  };

  clear(): void {
    if (this.#live) process.stderr.write('\r\u001B[K');
  }
}
