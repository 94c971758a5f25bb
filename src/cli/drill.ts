import { writeFile } from 'node:fs/promises';
import { SECOND } from '../shared/duration.js';
import type { DrillResult, Running } from '../drill/drill.js';
import type { Progress } from '../drill/watch.js';
import { UsageError, type Command, type Terminal, type Values } from './command.js';
import { durationOption } from './options.js';

/** By convention the exit code of a program that Ctrl+C ended. */
const INTERRUPTED = 130;

/** Where nobody watches, a line this often. */
const QUIET_MS = 5 * SECOND;

/** Failed requests that nothing explains, in the document. */
const FAILURES_NAMED = 100;

/** Settings of Tally that a drill takes from the environment; it has its own for those that are not there. */
const SETTINGS = [
  'SUM_DELAY',
  'SHUTDOWN_DELAY',
  'SHUTDOWN_TIMEOUT',
  'BATCH_SIZE',
  'BATCH_INTERVAL',
  'RELAY_AFTER',
  'LOG_LEVEL',
];

export const drill: Command = {
  name: 'drill',
  summary: 'deploy Tally again and again under load, break things, and say what was lost',
  help: `Starts Redis, Postgres and InfluxDB of its own (or takes those of REDIS_URL, DATABASE_URL and INFLUX_URL, in a place of
its own), and Tally behind a balancer that behaves as Kubernetes' Services do; loads it; lets a plan of events happen;
and judges by what the stores hold: every acknowledged operation is stored, once, as it was asked for, nothing is there
that nobody asked for, and no request failed but those in flight on a process that was killed.

Options:
  --api N            API processes (default 3)
  --workers N        worker processes (default 2)
  --connections N    clients: busy, idle for long, with a new connection each time, pipelining (default 30)
  --duration D       how long the load lasts; longer when the plan takes longer (default 45s)
  --plan PLAN        events separated by commas, + between those that happen at once, *N behind those to repeat; or a
                     number of random ones (default: two deploys, and every part killed once). --plan list shows all
  --seed N           decides what is random
  --lag D            how long it takes until the balancer hears of a change (default 1s)
  --probe D          how often /readyz is asked (default 500ms)
  --report FILE      also write a page with plots; it needs nothing but itself
  --keep             leave it running afterwards and print the addresses; Ctrl+C ends it

SUM_DELAY, SHUTDOWN_DELAY, SHUTDOWN_TIMEOUT, BATCH_SIZE, BATCH_INTERVAL, RELAY_AFTER and LOG_LEVEL are passed on.
Exit code 0 only when all of it holds.

Example:
  tally drill --plan roll*3,kill-api+kill-worker,flush-redis --report drill.html`,
  options: {
    api: { type: 'string', default: '3' },
    workers: { type: 'string', default: '2' },
    connections: { type: 'string', default: '30' },
    duration: { type: 'string', default: '45s' },
    plan: { type: 'string' },
    seed: { type: 'string' },
    lag: { type: 'string', default: '1s' },
    probe: { type: 'string', default: '500ms' },
    report: { type: 'string' },
    keep: { type: 'boolean' },
  },
  run,
};

async function run(values: Values, terminal: Terminal): Promise<number> {
  // What a drill needs is of no use to the other commands.
  const [
    { drill: perform },
    { EVENTS },
    { DEFAULT_PLAN, eventsFor, PlanError, readPlan },
    { Random },
    { openStores },
    words,
  ] = await Promise.all([
    import('../drill/drill.js'),
    import('../drill/events.js'),
    import('../drill/plan.js'),
    import('../drill/random.js'),
    import('../drill/stores/open-stores.js'),
    import('../drill/words.js'),
  ]);
  if (values['plan'] === 'list') {
    const list = [...EVENTS].map(([name, { summary }]) => ({ name, summary }));
    terminal.print(list.map(({ name, summary }) => `${name.padEnd(18)} ${summary}`).join('\n'), list);
    return 0;
  }
  const seed = values['seed'] === undefined ? Date.now() % 1_000_000 : wholeNumber('seed', values['seed'], 0);
  const screen = new Screen(words.describeProgress);
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, interrupt);
  try {
    const options = {
      apis: wholeNumber('api', values['api'], 1),
      workers: wholeNumber('workers', values['workers'], 1),
      connections: wholeNumber('connections', values['connections'], 1),
      durationMs: durationOption('duration', values['duration']) ?? 0,
      lagMs: durationOption('lag', values['lag']) ?? 0,
      probeMs: durationOption('probe', values['probe']) ?? 0,
      settings: Object.fromEntries(
        SETTINGS.flatMap((name) => (terminal.env[name] ? [[name, terminal.env[name]]] : [])),
      ) as Record<string, string>,
    };
    const text = String(values['plan'] ?? DEFAULT_PLAN);
    readPlan(text, new Random(seed)); // what cannot be understood is said before anything is started
    screen.say(`seed ${seed}`);
    await using stores = await openStores({ environment: terminal.env, report: screen.say });
    const possible = eventsFor(stores);
    const plan = readPlan(text, new Random(seed), possible).filter(
      (step) => values['plan'] !== undefined || step.every((name) => possible.includes(name)),
    );
    const { signal } = stop;
    const hold = async (running: Running, result: DrillResult) => {
      screen.clear();
      terminal.print(`\n${words.describeResult(result)}`, inJson(result, seed));
      screen.say(`\n${words.describeAddresses(running)}`);
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    };
    const result = await perform({
      ...{ ...options, plan, stores, seed, signal, say: screen.say, onProgress: screen.show },
      ...(values['keep'] && { hold }),
    });
    screen.clear();
    await writeReport(values['report'], result);
    if (!values['keep']) terminal.print(`\n${words.describeResult(result)}`, inJson(result, seed));
    else for (const fault of result.judgement.broken) screen.say(fault);
    return result.judgement.verdict === 'pass' ? 0 : 1;
  } catch (error) {
    if (stop.signal.aborted) return INTERRUPTED;
    throw error instanceof PlanError ? new UsageError(error.message) : error;
  } finally {
    screen.clear();
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, interrupt);
  }
}

function wholeNumber(name: string, value: string | boolean | undefined, least: number): number {
  const number = Number(value);
  if (/^\d+$/.test(String(value)) && number >= least && Number.isSafeInteger(number)) return number;
  throw new UsageError(`--${name}: "${value}" is not a whole number of at least ${least}`);
}

async function writeReport(file: Values[string], result: DrillResult): Promise<void> {
  if (file === undefined) return;
  const { renderReport } = await import('../drill/report.js');
  await writeFile(String(file), renderReport(result, `Tally under ${result.events.length} events`));
}

function inJson({ judgement, events, ended }: DrillResult, seed: number) {
  const { verdict, broken, requests, operations, unexplained } = judgement;
  return {
    ...{ verdict, seed, requests, operations, broken },
    unexplained: unexplained.slice(0, FAILURES_NAMED),
    events: events.map(({ at, what, target, fromMs, healedMs, recoveryMs }) => ({
      ...{ at, what, target },
      backMs: Math.round(healedMs - fromMs),
      ...(recoveryMs !== undefined && { loggedMs: recoveryMs === Infinity ? null : Math.round(recoveryMs) }),
    })),
    ended: ended.map(({ kind, instance, why, ending: { code, signal, ms, receipt } }) => ({
      ...{ kind, instance, why, code, signal, ms: Math.round(ms), receipt: receipt ?? null },
    })),
  };
}

/** Progress on standard error: one line that changes where somebody watches, else a line now and then. */
class Screen {
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
    } else if (now.ms < this.#quietUntilMs) return;
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
