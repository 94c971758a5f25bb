import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { ApiWork } from '../shared/heartbeats/heartbeat.js';
import { bucketsOf } from '../shared/heartbeats/heartbeat-counts.js';
import type { ChunkOutcome } from './recorder.js';

const METHOD_NOT_ALLOWED = 405;

/** The API's metrics, named by Prometheus' conventions (base units, `_total`), and the totals for its receipt. */
export class ApiMetrics {
  readonly registry = new Registry();
  readonly totals = { accepted: 0, refused: 0 };
  readonly #registers = [this.registry];
  readonly #operations = new Counter({
    name: 'tally_operations_total',
    help: 'Operations by outcome of their acceptance: accepted or refused.',
    labelNames: ['outcome'],
    registers: this.#registers,
  });
  readonly #acceptanceSeconds = new Histogram({
    name: 'tally_acceptance_seconds',
    help: 'Time from the sending of a chunk to the decision on it.',
    labelNames: ['outcome'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
    registers: this.#registers,
  });
  readonly #chunkOperations = new Histogram({
    name: 'tally_chunk_operations',
    help: 'Operations in a chunk.',
    buckets: [1, 5, 10, 25, 50, 100, 250, 500],
    registers: this.#registers,
  });
  readonly #requestSeconds = new Histogram({
    name: 'tally_http_request_seconds',
    help: 'Time to answer a request, by route and status.',
    labelNames: ['route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers: this.#registers,
  });

  constructor({ waiting, inFlight }: { waiting: () => number; inFlight: () => number }) {
    collectDefaultMetrics({ register: this.registry });
    // Counted from 0, so that the first of each is an increase.
    for (const outcome of ['accepted', 'refused']) this.#operations.inc({ outcome }, 0);
    new Gauge({
      name: 'tally_operations_waiting',
      help: 'Operations that wait for acceptance in this process.',
      registers: this.#registers,
      collect() {
        this.set(waiting());
      },
    });
    new Gauge({
      name: 'tally_http_requests_in_flight',
      help: 'Requests that are being answered.',
      registers: this.#registers,
      collect() {
        this.set(inFlight());
      },
    });
  }

  readonly chunkDecided = ({ outcome, operations, seconds }: ChunkOutcome): void => {
    this.totals[outcome] += operations;
    this.#operations.inc({ outcome }, operations);
    this.#acceptanceSeconds.observe({ outcome }, seconds);
    this.#chunkOperations.observe(operations);
  };

  readonly requestAnswered = (route: string, status: number, seconds: number): void => {
    this.#requestSeconds.observe({ route, status }, seconds);
  };

  /** As its heartbeat tells it. Of what was asked at `/sum` only 405 is no answer to `POST /sum`. */
  readonly work = async (): Promise<ApiWork> => {
    const sums = (least: number, most: number) =>
      bucketsOf(this.#requestSeconds, ({ route, status }) => {
        const fits = Number(status) >= least && Number(status) <= most;
        return route === '/sum' && status !== METHOD_NOT_ALLOWED && fits;
      });
    const number = async (hundred: number) => (await sums(hundred, hundred + 99)).counts.at(-1) ?? 0;
    const counts = {
      ...this.totals,
      answered: await number(200),
      rejected: await number(400),
      failed: await number(500),
      answerSeconds: await sums(0, Infinity),
    };
    return { process: 'api', counts };
  };
}
