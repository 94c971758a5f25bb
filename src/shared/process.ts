import type { Tracer } from '@opentelemetry/api';
import type { About } from './admin.js';
import { ConfigurationError } from './configuration.js';
import { SECOND } from './duration.js';
import { Lifecycle, superviseProcess } from './lifecycle.js';
import { openLog, type LOG_LEVELS, type Logger } from './log.js';
import { newInstance } from './operation.js';
import { openTracing, type Tracing, type TracingConfig } from './tracing/tracing.js';
import { readVersion } from './version.js';

/** Beyond the drain itself: every close has its own deadline, and a worker's add up to 9 s when every store keeps silent. */
export const CLOSE_MARGIN_MS = 10 * SECOND;

/** One running process, as its main function knows it. */
interface Running {
  readonly about: About;
  readonly lifecycle: Lifecycle;
  readonly log: Logger;
  /** Makes spans; absent while nobody asked for them. */
  readonly tracer: Tracer | undefined;
}

interface Config extends TracingConfig {
  readonly INSTANCE: string;
  readonly LOG_LEVEL: (typeof LOG_LEVELS)[number];
}

interface Start {
  readonly env: NodeJS.ProcessEnv;
  /** Gives the process its name, its log, its tracing and its supervision; `drainMs` is the longest that its drain may take. */
  readonly start: (kind: 'api' | 'worker', config: Config, drainMs: number) => Promise<Running>;
}

/** What a process says of itself at its end. Anything but 0 in `unaccounted` makes its exit code 1. */
export type Receipt = Readonly<Record<string, number>> & { readonly unaccounted: number };

/**
 * Runs a process's main function from the environment to the receipt, its last line of log. The function resolves after
 * its drain; what it opened is closed by then. Faults of the configuration and of the start end in exit code 1 and a
 * message on standard error.
 */
export async function runProcess(main: (start: Start) => Promise<Receipt>): Promise<void> {
  let running: Running | undefined;
  let tracing: Tracing | undefined;
  try {
    const receipt = await main({
      env: process.env,
      start: async (kind, config, drainMs) => {
        const instance = newInstance(config.INSTANCE);
        const about = { ...readVersion(process.env), instance, startedAt: new Date().toISOString() };
        const service = { name: `tally-${kind}`, version: about.version, instance };
        tracing = await openTracing(config, service);
        const log = openLog(config.LOG_LEVEL, instance, tracing?.logFields);
        tracing?.sayIn(log);
        const lifecycle = new Lifecycle();
        superviseProcess(lifecycle, log, drainMs + CLOSE_MARGIN_MS);
        running = { about, lifecycle, log, tracer: tracing?.tracer };
        return running;
      },
    });
    await tracing?.close();
    running?.lifecycle.stopped();
    running?.log.info({ ...receipt, ms: running.lifecycle.drainMs }, 'receipt');
    if (receipt.unaccounted > 0) process.exitCode = 1;
    // All is closed and said; what a library still waits for, BullMQ for a Redis that is away, must not keep us.
    setTimeout(() => process.exit(), SECOND).unref();
  } catch (error) {
    process.exitCode = 1;
    const text = error instanceof ConfigurationError ? error.message : (error as Error).stack;
    process.stderr.write(`${text}\n`);
  }
}
