import { setTimeout as delay } from 'node:timers/promises';
import { MINUTE, SECOND } from '../../shared/duration.js';
import type { Influx } from '../../shared/influx.js';
import type { Random } from './random.js';
import type { RequestRecord } from './record.js';
import {
  countByInstance,
  judgeOperations,
  readOperations,
  type StoredOperation,
} from '../verdict/verdict.js';

/** A drill asks for so many results at the most: above them begin another drill's. */
const MOST_REQUESTS = 2 ** 24;

/** By how much an API's clock may differ from ours. */
const CLOCK_MS = 60 * MINUTE;

/** InfluxDB is not asked more often than this. */
const LOOK_MS = 2 * SECOND;

/**
 * Where the results of a drill begin: so high that nobody else's sum is there by chance, at one of 2^28 places, so that
 * two drills do not meet; and below 2^53, up to where doubles are exact.
 */
export function resultsFrom(random: Random): number {
  return 2 ** 52 + random.between(0, 2 ** 28 - 1) * MOST_REQUESTS;
}

/** A drill's own operations in an InfluxDB that holds others as well: it knows them by their results. */
export class OwnOperations {
  readonly #influx: Influx;
  readonly #record: RequestRecord;
  #looked = -Infinity;
  #unlogged: number | undefined;

  constructor(influx: Influx, record: RequestRecord) {
    this.#influx = influx;
    this.#record = record;
  }

  /** Acknowledged and not in InfluxDB; `undefined` while it does not answer. */
  async unlogged(): Promise<number | undefined> {
    if (performance.now() - this.#looked < LOOK_MS) return this.#unlogged;
    this.#looked = performance.now();
    const acknowledged = this.#record.acknowledged.size;
    const counts = await countByInstance(this.#influx, this.#condition).catch(() => undefined);
    const stored = counts && [...counts.values()].reduce((sum, count) => sum + count, 0);
    this.#unlogged = stored === undefined ? undefined : Math.max(0, acknowledged - stored);
    return this.#unlogged;
  }

  /** Resolves when all that was acknowledged is stored; `false` when that takes too long. */
  async loggedUntil(_unixMs: number, patienceMs: number, signal?: AbortSignal): Promise<boolean> {
    for (const deadline = Date.now() + patienceMs; Date.now() < deadline;) {
      this.#looked = -Infinity;
      // What was stored and never answered may be as many as are still missing: only the ids can tell.
      if ((await this.unlogged()) === 0 && (await this.#lost()) === 0) return true;
      await delay(SECOND, undefined, signal ? { signal } : {});
    }
    return false;
  }

  async #lost(): Promise<number> {
    return judgeOperations(this.#record.acknowledged, await this.read()).lost;
  }

  /**
   * What is stored, with the serial that each result stands for.
   *
   * @throws {InfluxError} with what InfluxDB said.
   */
  async read(): Promise<StoredOperation[]> {
    const stored = await readOperations(this.#influx, this.#condition);
    return stored.map(({ id, result }) => ({ id, result: result - this.#record.base }));
  }

  get #condition(): string {
    const { base, beganAt } = this.#record;
    return `time >= ${beganAt - CLOCK_MS}ms AND "result" > ${base} AND "result" <= ${base + MOST_REQUESTS}`;
  }
}
