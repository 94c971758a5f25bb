import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { API, Child } from './child.js';
import { load } from './load.js';
import { list, median, medianRatio, perSecond, ratio, type Figure } from './report.js';
import { onAcceptingStores } from './stores.js';

const SHAPE = { connections: 200, threads: 1 };

/** The part of the requests that is traced. */
const PARTS = ['0.01', '1'] as const;

/** Requests per second of each server, round by round. */
type Rates = ReadonlyMap<Child, number[]>;

/**
 * Requests per second of `POST /sum` with tracing over the same without, where no module of OpenTelemetry is loaded.
 * The servers run at the same time, and are loaded one after the other, in turns; a collector takes what comes.
 */
export async function tracing(quick: boolean): Promise<Figure[]> {
  await using collector = await Sink.open();
  return await onAcceptingStores(async (stores) => {
    const { environment } = stores;
    const traced = (part: string) => ({
      ...environment,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: part,
    });
    await using off = await Child.start(API, environment);
    await using hundredth = await Child.start(API, traced(PARTS[0]));
    await using all = await Child.start(API, traced(PARTS[1]));
    const rates = await measure([off, hundredth, all], quick);
    await stores.clear();
    if (collector.requests === 0) throw new Error('no spans were sent');
    return [hundredth, all].map((on, n) => figure(PARTS[n] ?? '', rates.get(on) ?? [], rates.get(off) ?? []));
  });
}

async function measure(children: readonly Child[], quick: boolean): Promise<Rates> {
  const seconds = quick ? 2 : 3;
  const rates = new Map<Child, number[]>(children.map((child) => [child, []]));
  for (const { port } of children) await load({ port, ...SHAPE, seconds });
  for (let round = 0; round < (quick ? 2 : 6); round++) {
    // Who goes first changes, so that what slows the machine down over time hits all.
    const first = round % children.length;
    for (const child of [...children.slice(first), ...children.slice(0, first)]) {
      const { requestsPerSecond } = await load({ port: child.port, ...SHAPE, seconds });
      rates.get(child)?.push(requestsPerSecond);
    }
  }
  return rates;
}

function figure(part: string, on: readonly number[], off: readonly number[]): Figure {
  const each = on.map((rate, round) => rate / (off[round] ?? NaN));
  return ratio(
    `requests/s ÷ without tracing, OTEL_TRACES_SAMPLER_ARG=${part}`,
    medianRatio(on, off),
    `${perSecond(median(on))} ÷ ${perSecond(median(off))}; rounds ${list(each)}`,
  );
}

/** Takes whatever is sent, and forgets it. */
class Sink implements AsyncDisposable {
  requests = 0;
  readonly #server = createServer((request, response) => {
    this.requests++;
    request.resume().once('end', () => response.writeHead(200).end());
  });

  static async open(): Promise<Sink> {
    const sink = new Sink();
    sink.#server.listen(0, '127.0.0.1');
    await once(sink.#server, 'listening');
    return sink;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
