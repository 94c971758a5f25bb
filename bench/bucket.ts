import { setTimeout as delay } from 'node:timers/promises';
import { createBucket } from '../src/shared/bucket.js';
import { INFLUX_VARIABLES, readVariables } from '../src/shared/configuration.js';
import { countOperations } from '../src/shared/counts.js';
import { MINUTE } from '../src/shared/duration.js';
import { Influx } from '../src/shared/influx.js';
import type { Lines } from '../src/shared/lines.js';

const LOOK_MS = 100;

/** An empty bucket for one measurement, and what to reach it by; removed at the end with all that is in it. */
export class Bucket implements AsyncDisposable {
  static #made = 0;
  readonly environment: Readonly<Record<string, string>>;
  readonly #influx: Influx;

  private constructor(environment: Readonly<Record<string, string>>, influx: Influx) {
    this.environment = environment;
    this.#influx = influx;
  }

  static async create(store: Readonly<Record<string, string>>): Promise<Bucket> {
    const environment = { ...store, INFLUX_BUCKET: `bench-${Bucket.#made++}` };
    const config = readVariables(INFLUX_VARIABLES, environment);
    const influx = new Influx(config);
    await createBucket(influx, config);
    return new Bucket(environment, influx);
  }

  /** @throws when InfluxDB does not take the lines. */
  async write(lines: Lines): Promise<void> {
    const { status, body } = await this.#influx.write(lines);
    if (status !== 204) throw new Error(`InfluxDB answered ${status}: ${body}`);
  }

  /** How many operations are stored. */
  async stored(): Promise<number> {
    const counts = await countOperations(this.#influx, { by: 'name' });
    return counts.reduce((sum, { count }) => sum + count, 0);
  }

  /** @throws unless exactly these many operations are stored: a rate of anything else says nothing. */
  async expect(operations: number): Promise<void> {
    const stored = await this.stored();
    if (stored !== operations) throw new Error(`${operations} operations were sent and ${stored} are stored`);
  }

  /** Resolves when these many operations are stored. @throws when they are not within two minutes. */
  async untilStored(operations: number): Promise<void> {
    const deadline = Date.now() + 2 * MINUTE;
    while ((await this.stored()) < operations && Date.now() < deadline) await delay(LOOK_MS);
    await this.expect(operations);
  }

  /** The server's version. */
  async version(): Promise<string> {
    return (await this.#influx.server()).version;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const name = this.environment['INFLUX_BUCKET'] ?? '';
    const { generation } = await this.#influx.server();
    if (generation === 1) await this.#influx.query(`DROP DATABASE "${name}"`, 'POST');
    else await this.#removeBucket2(name);
    this.#influx[Symbol.dispose]();
  }

  async #removeBucket2(name: string): Promise<void> {
    const found = await this.#influx.request('GET', `/api/v2/buckets?${new URLSearchParams({ name })}`);
    const { buckets } = JSON.parse(found) as { buckets: readonly { id: string }[] };
    for (const { id } of buckets) await this.#influx.request('DELETE', `/api/v2/buckets/${id}`);
  }
}
