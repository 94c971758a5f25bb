import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { SettledBatch } from './settle.js';
import type { Verdict } from './store.js';

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
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
    registers: this.#registers,
  });
  readonly #batchLines = new Histogram({
    name: 'tally_batch_lines',
    help: 'Lines in a batch.',
    buckets: [1, 10, 50, 100, 250, 500],
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

  readonly influxAnswered = (verdict: Verdict): void => this.#answers.inc({ verdict });
}
