import { cpus, loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { SECOND } from '../shared/duration.js';
import { LOGGED_MS } from './verdict/backlog.js';
import type { Fleet } from './processes/fleet.js';
import type { RequestRecord } from './clients/record.js';
import type { Underway } from './verdict/underway.js';

const SAMPLE_MS = SECOND / 2;

/** How a drill goes at one moment. */
export interface Progress {
  /** Of the drill. */
  readonly ms: number;
  readonly sent: number;
  readonly answered: number;
  readonly failed: number;
  readonly inFlight: number;
  /** Operations in the ledger that are not logged yet; `undefined` while it is away. */
  readonly unlogged: number | undefined;
  readonly apis: number | undefined;
  readonly workers: number | undefined;
  /** The machine's load average for each of its cores. */
  readonly pressure: number;
  /** What happens now. */
  readonly happening: string;
}

interface WatchOptions {
  /** Told every half second how it goes. */
  readonly onProgress: (progress: Progress) => void;
  readonly record: RequestRecord;
  readonly backlog: Pick<Underway, 'unlogged' | 'loggedUntil' | 'accepted'>;
  /** Nobody but the ledger knows how many were answered: the load comes from a tool. */
  readonly byTool?: boolean;
  /** How long all that was accepted may take to be logged, in milliseconds. */
  readonly patienceMs?: number;
  /** The processes, where they are ours. */
  readonly apis?: Pick<Fleet, 'running'>;
  readonly workers?: Pick<Fleet, 'running'>;
}

/** Samples how it goes. */
export class Watch {
  readonly samples: Progress[] = [];
  happening = '';
  readonly #options: WatchOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Resolves when nothing is waiting to be logged any more, or at once. */
  async stop(atOnce: boolean): Promise<void> {
    const { backlog, patienceMs = LOGGED_MS } = this.#options;
    if (!atOnce) await backlog.loggedUntil(Date.now(), patienceMs).catch(() => false);
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { record, backlog, byTool, apis, workers, onProgress } = this.#options;
    while (!signal.aborted) {
      const unlogged = await backlog.unlogged();
      const answered = byTool ? await backlog.accepted?.() : record.acknowledged.size;
      const sample = {
        ms: record.nowMs,
        sent: record.sent,
        answered: answered ?? this.samples.at(-1)?.answered ?? 0,
        failed: record.failed.length,
        inFlight: record.inFlight,
        unlogged,
        apis: apis?.running.length,
        workers: workers?.running.length,
        pressure: (loadavg()[0] ?? 0) / cpus().length,
        happening: this.happening,
      };
      this.samples.push(sample);
      onProgress(sample);
      await delay(SAMPLE_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
