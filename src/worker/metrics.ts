import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Chunk } from '../shared/chunk.js';
import type { WorkerWork } from '../shared/heartbeats/heartbeat.js';
import { bucketsOf, valueOf } from '../shared/heartbeats/heartbeat-counts.js';
import type { BatchReason } from './batcher.js';
import type { SettledBatch } from './settle.js';
import type { Verdict } from './store.js';

/** Counted from 0, so that the first of each is an increase. */
const REASONS: readonly BatchReason[] = ['size', 'interval', 'drain'];
const VERDICTS: readonly Verdict[] = ['stored', 'line-refused', 'too-large', 'misconfigured', 'unavailable'];

/** The worker's metrics, named by Prometheus' conventions, and the totals for its receipt. */
export class WorkerMetrics {
  readonly registry = new Registry();
  readonly totals = { logged: 0, quarantined: 0 };
  readonly #registers = [this.registry];
  readonly #operations = new Counter({
    name: 'tally_settled_operations_total',
    help: 'Operations by what became of them: logged or quarantined.',
    labelNames: ['outcome'],
    registers: this.#registers,
  });
  readonly #batches = new Counter({
    name: 'tally_batches_total',
    help: 'Batches by the reason they left for: size, interval or drain.',
    labelNames: ['reason'],
    registers: this.#registers,
  });
  readonly #batchSeconds = new Histogram({
    name: 'tally_batch_seconds',
    help: 'Time from a batch leaving to all its lines being stored or in quarantine.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300],
    registers: this.#registers,
  });
  readonly #batchLines = new Histogram({
    name: 'tally_batch_lines',
    help: 'Lines in a batch.',
    buckets: [1, 10, 50, 100, 250, 500],
    registers: this.#registers,
  });
  readonly #loggedSeconds = new Histogram({
    name: 'tally_accepted_to_logged_seconds',
    help: "Time from the acceptance of a chunk's first operation to all of the chunk being in InfluxDB or in quarantine.",
    // Around BATCH_INTERVAL, 30 s; beyond it the relay and outages of InfluxDB.
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 35, 45, 60, 120, 300, 900, 3_600],
    registers: this.#registers,
  });
  readonly #answers = new Counter({
    name: 'tally_influx_answers_total',
    help: 'Answers of InfluxDB to writes, by what they mean.',
    labelNames: ['verdict'],
    registers: this.#registers,
  });

  constructor(pendingLines: () => number) {
    collectDefaultMetrics({ register: this.registry });
    for (const outcome of ['logged', 'quarantined']) this.#operations.inc({ outcome }, 0);
    for (const reason of REASONS) this.#batches.inc({ reason }, 0);
    for (const verdict of VERDICTS) this.#answers.inc({ verdict }, 0);
    new Gauge({
      name: 'tally_pending_lines',
      help: 'Lines this worker holds that are neither stored nor in quarantine.',
      registers: this.#registers,
      collect() {
        this.set(pendingLines());
      },
    });
  }

  readonly batchSettled = ({ reason, stored, refused, seconds }: SettledBatch): void => {
    this.totals.logged += stored;
    this.totals.quarantined += refused;
    this.#operations.inc({ outcome: 'logged' }, stored);
    this.#operations.inc({ outcome: 'quarantined' }, refused);
    this.#batches.inc({ reason });
    this.#batchLines.observe(stored + refused);
    this.#batchSeconds.observe(seconds);
  };

  /** The clock that gave the chunk its times is the API's, and may be ahead of ours. */
  readonly chunkSettled = ({ lines }: Chunk): void => {
    const { range } = lines;
    if (range) this.#loggedSeconds.observe(Math.max(0, Date.now() / 1_000 - Number(range.firstAt) / 1e9));
  };

  /** As its heartbeat tells it. */
  readonly work = async (): Promise<WorkerWork> => {
    const [size, interval, drain] = await Promise.all(
      REASONS.map((reason) => valueOf(this.#batches, { reason })),
    );
    const batches = { size: size ?? 0, interval: interval ?? 0, drain: drain ?? 0 };
    const loggedSeconds = await bucketsOf(this.#loggedSeconds);
    return { process: 'worker', counts: { ...this.totals, batches, loggedSeconds } };
  };

  readonly influxAnswered = (verdict: Verdict): void => this.#answers.inc({ verdict });
}
