import { randomBytes } from 'node:crypto';
import { Lines } from '../src/shared/lines.js';
import { clearOperations, createBucket } from '../src/shared/bucket.js';
import { INFLUX_VARIABLES, readVariables } from '../src/shared/configuration.js';
import { countOperations, type CountOptions } from '../src/shared/counts.js';
import { Influx, type InfluxConfig } from '../src/shared/influx.js';
import { toLine, type Operation } from '../src/shared/operation.js';
import { openInfluxDB1, openInfluxDB2 } from '../src/drill/stores/open-stores.js';
import type { Store as Server } from '../src/drill/stores/store.js';
import { Store, type Refusal, type Verdict } from '../src/worker/store.js';

/** A real InfluxDB of that line; where there is none, its tests fail with what is missing, and none is skipped. */
export function openServer(generation: 1 | 2): Promise<Server> {
  return generation === 1 ? openInfluxDB1() : openInfluxDB2();
}

/** A bucket (on 1.x a database) of a test's own on a real server. It is not made before {@link create}. */
export class InfluxBucket implements Disposable {
  readonly config: InfluxConfig;
  readonly influx: Influx;
  readonly verdicts: Verdict[] = [];

  constructor(server: Server, settings: Partial<InfluxConfig> = {}) {
    const name = `test-${randomBytes(4).toString('hex')}`;
    this.config = {
      ...readVariables(INFLUX_VARIABLES, { ...server.environment, INFLUX_BUCKET: name }),
      ...settings,
    };
    this.influx = new Influx(this.config);
  }

  create(): Promise<boolean> {
    return createBucket(this.influx, this.config);
  }

  clear(): Promise<void> {
    return clearOperations(this.influx, this.config);
  }

  /** Writes lines in one request, and expects them to be stored. */
  async write(lines: readonly string[]): Promise<void> {
    const { status, body } = await this.influx.write(Lines.of(lines));
    if (status !== 204) throw new Error(`${status} ${body}`);
  }

  /** What the worker does with lines, but for its pauses. */
  store(lines: readonly string[]): Promise<readonly Refusal[]> {
    const store = new Store({
      post: (posted) => this.influx.write(posted),
      onAnswer: (verdict) => this.verdicts.push(verdict),
    });
    return store.store(Lines.of(lines), new AbortController().signal);
  }

  counts(options: CountOptions) {
    return countOperations(this.influx, options);
  }

  async count(): Promise<number> {
    return (await this.counts({ by: 'name' })).reduce((sum, { count }) => sum + count, 0);
  }

  /** All operations as InfluxDB has them, by time. */
  async points(): Promise<Readonly<Record<string, string | number | null>>[]> {
    const [series] = await this.influx.query('SELECT * FROM "operation"');
    const { columns = [], values = [] } = series ?? {};
    return values.map((row) => Object.fromEntries(columns.map((column, n) => [column, row[n] ?? null])));
  }

  [Symbol.dispose](): void {
    this.influx[Symbol.dispose]();
  }
}

/** Now, and then each one a nanosecond later. */
const firstAt = BigInt(Date.now()) * 1_000_000n;

export const lineAt = (n: number, given: Partial<Operation> = {}) =>
  toLine({ at: String(firstAt + BigInt(n)), instance: 'i', name: 'sum', numbers: 1, result: n, ...given });

export const linesAt = (count: number) => Array.from({ length: count }, (_, n) => lineAt(n));
