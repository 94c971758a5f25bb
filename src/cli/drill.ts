import { writeFile } from 'node:fs/promises';
import type { DrillResult, Running } from '../drill/drill.js';
import { UsageError, type Command, type Terminal, type Values } from './command.js';
import { drillDocument } from './drill-document.js';
import { Screen } from './drill-screen.js';
import { addressOption, durationOption } from './options.js';

/** By convention the exit code of a program that Ctrl+C ended. */
const INTERRUPTED = 130;

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

const OPTIONS = {
  api: { type: 'string', default: '3' },
  workers: { type: 'string', default: '2' },
  connections: { type: 'string', default: '30' },
  duration: { type: 'string', default: '45s' },
  plan: { type: 'string' },
  seed: { type: 'string' },
  lag: { type: 'string', default: '1s' },
  probe: { type: 'string', default: '500ms' },
  report: { type: 'string' },
  load: { type: 'string' },
  tls: { type: 'boolean' },
  ladder: { type: 'boolean' },
  rungs: { type: 'string' },
  keep: { type: 'boolean' },
  url: { type: 'string' },
  during: { type: 'string', multiple: true },
  repeat: { type: 'string', default: '1' },
  patience: { type: 'string', default: '5m' },
  insecure: { type: 'boolean' },
} as const;

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
  --load COMMAND     load with ab, siege or k6 instead of clients of its own, and compare its count with InfluxDB's: {url} in
                     it is where Tally answers, {sum} a file with the body of a request. The plan happens again and
                     again until it ends
  --report FILE      also write a page with plots; it needs nothing but itself
  --tls              HTTPS: clients speak HTTP/2 (many streams on a connection) and HTTP/1.1, with a certificate made for it
  --ladder           the same against what people usually build (bench/ladder), and against Tally with one protection at
                     a time taken away: each has a plan of its own, and must show what it lacks. About ten minutes
  --rungs NAMES      only these rungs of the ladder, separated by commas
  --keep             leave it running afterwards and print the addresses; Ctrl+C ends it

SUM_DELAY, SHUTDOWN_DELAY, SHUTDOWN_TIMEOUT, BATCH_SIZE, BATCH_INTERVAL, RELAY_AFTER and LOG_LEVEL are passed on.

With --url it loads a deployment that exists, and judges by its InfluxDB, which INFLUX_URL, INFLUX_BUCKET, INFLUX_ORG and
INFLUX_TOKEN name; where DATABASE_URL names its ledger, the audit counts as well. Others may use it at the same time: the
drill knows its own operations by their results, which nobody else asks for.

  --url URL          where it answers; --connections, --duration, --seed and --report are as above
  --during COMMAND   run this in the shell under load; several happen one after the other. It must end with exit code 0,
                     when all that it does is done
  --repeat N         all of them so many times (default 1)
  --patience D       how long until everything must be logged when the load is over (default 5m)
  --insecure         take whatever certificate it has; better, NODE_EXTRA_CA_CERTS names the one to trust

Exit code 0 only when all of it holds.

Examples:
  tally drill --plan roll*3,kill-api+kill-worker,flush-redis --report drill.html
  tally drill --api 10 --plan roll --load 'ab -n 100000 -c 20 -k -l -T application/json -p {sum} {url}/sum'
  tally drill --url https://tally.staging.example --repeat 3 --during \\
    'kubectl rollout restart deploy/tally-api deploy/tally-worker && kubectl rollout status deploy/tally-api'`,
  options: OPTIONS,
  run,
};

interface Context {
  readonly terminal: Terminal;
  readonly seed: number;
  readonly screen: Screen;
  readonly signal: AbortSignal;
  /** Prints the verdict. */
  readonly show: (result: DrillResult) => void;
}

/** One way to drill. Resolves with the exit code. */
type Way = (values: Values, context: Context) => Promise<number>;

async function run(values: Values, terminal: Terminal): Promise<number> {
  // What a drill needs is of no use to the other commands.
  const [{ describePlan, PlanError }, { describeProgress, describeResult }] = await Promise.all([
    import('../drill/plan.js'),
    import('../drill/report/words.js'),
  ]);
  if (values['plan'] === 'list') {
    terminal.print(...describePlan());
    return 0;
  }
  const seed = values['seed'] === undefined ? Date.now() % 1_000_000 : wholeNumber('seed', values['seed'], 0);
  const screen = new Screen(describeProgress);
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, interrupt);
  const show = (result: DrillResult) => {
    screen.clear();
    terminal.print(`\n${describeResult(result)}`, drillDocument(result, seed));
  };
  try {
    const way = values['ladder'] ? ladder : values['url'] === undefined ? onThisMachine : elsewhere;
    return await way(values, { terminal, seed, screen, signal: stop.signal, show });
  } catch (error) {
    if (stop.signal.aborted) return INTERRUPTED;
    throw error instanceof PlanError ? new UsageError(error.message) : error;
  } finally {
    screen.clear();
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, interrupt);
  }
}

const ladder: Way = async (values, { terminal, seed, signal }) => {
  refuse(values, ['plan', 'report', 'keep', 'tls', 'url', 'during', 'insecure'], 'does not go with --ladder');
  const { runLadder } = await import('./ladder.js');
  const names = values['rungs'] === undefined ? undefined : String(values['rungs']);
  return runLadder({ ...fleetOptions(values), names, seed, signal }, terminal);
};

const onThisMachine: Way = async (values, { terminal: { env }, seed, screen, signal, show }) => {
  refuse(values, ['during', 'insecure'], 'needs --url');
  refuse(values, ['rungs'], 'needs --ladder');
  const [{ drill: perform }, { DEFAULT_PLAN, eventsFor, readPlan }, { Random }, { openStores }, words] =
    await Promise.all([
      import('../drill/drill.js'),
      import('../drill/plan.js'),
      import('../drill/clients/random.js'),
      import('../drill/stores/open-stores.js'),
      import('../drill/report/words.js'),
    ]);
  const options = {
    ...loadOptions(values),
    ...(values['load'] !== undefined && { load: String(values['load']) }),
    ...fleetOptions(values),
    tls: values['tls'] === true,
    settings: Object.fromEntries(SETTINGS.flatMap((name) => (env[name] ? [[name, env[name]]] : []))),
  };
  const text = String(values['plan'] ?? DEFAULT_PLAN);
  readPlan(text, new Random(seed)); // what cannot be understood is said before anything is started
  screen.say(`seed ${seed}`);
  await using stores = await openStores({ environment: env, report: screen.say });
  const possible = eventsFor(stores);
  const plan = readPlan(text, new Random(seed), possible).filter(
    (step) => values['plan'] !== undefined || step.every((name) => possible.includes(name)),
  );
  const hold = async (running: Running, result: DrillResult) => {
    show(result);
    screen.say(`\n${words.describeAddresses(running)}`);
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  };
  const result = await perform({
    ...{ ...options, plan, stores, seed, signal, say: screen.say, onProgress: screen.show },
    ...(values['keep'] && { hold }),
  });
  await writeReport(values['report'], result);
  if (values['keep']) for (const fault of result.judgement.broken) screen.say(fault);
  else show(result);
  return exitCode(result);
};

const elsewhere: Way = async (values, { terminal: { env }, seed, screen, signal, show }) => {
  refuse(
    values,
    ['plan', 'keep', 'tls', 'load'],
    'is for a drill on this machine, and --url names a deployment',
  );
  const { drillDeployment } = await import('../drill/outside.js');
  const during = (values['during'] ?? []) as readonly string[];
  const repeat = wholeNumber('repeat', values['repeat'], 1);
  const result = await drillDeployment({
    ...{ ...loadOptions(values), seed, env, signal, say: screen.say, onProgress: screen.show },
    url: addressOption('url', values['url']),
    insecure: values['insecure'] === true,
    patienceMs: durationOption('patience', values['patience']) ?? 0,
    commands: Array.from({ length: repeat }, () => during).flat(),
  });
  await writeReport(values['report'], result);
  show(result);
  return exitCode(result);
};

const exitCode = ({ judgement }: DrillResult) => (judgement.verdict === 'pass' ? 0 : 1);

function fleetOptions(values: Values) {
  return {
    apis: wholeNumber('api', values['api'], 1),
    workers: wholeNumber('workers', values['workers'], 1),
    connections: wholeNumber('connections', values['connections'], 1),
    lagMs: durationOption('lag', values['lag']) ?? 0,
    probeMs: durationOption('probe', values['probe']) ?? 0,
  };
}

function loadOptions(values: Values) {
  return {
    connections: wholeNumber('connections', values['connections'], 1),
    durationMs: durationOption('duration', values['duration']) ?? 0,
  };
}

function refuse(values: Values, names: readonly string[], why: string): void {
  const [given] = names.filter((name) => values[name] !== undefined);
  if (given !== undefined) throw new UsageError(`--${given} ${why}`);
}

function wholeNumber(name: string, value: Values[string], least: number): number {
  const number = Number(value);
  if (/^\d+$/.test(String(value)) && number >= least && Number.isSafeInteger(number)) return number;
  throw new UsageError(`--${name}: "${String(value)}" is not a whole number of at least ${least}`);
}

async function writeReport(file: Values[string], result: DrillResult): Promise<void> {
  if (file === undefined) return;
  const { renderReport } = await import('../drill/report/report.js');
  await writeFile(String(file), renderReport(result, titleOf(result)));
}

function titleOf({ events, foreign }: DrillResult): string {
  return foreign ? `A deployment under ${events.length} commands` : `Tally under ${events.length} events`;
}
