import { setTimeout as delay } from 'node:timers/promises';
import { INFLUX_VARIABLES, readVariables } from '../shared/configuration.js';
import { DAY, parseDuration, SECOND } from '../shared/duration.js';
import { Influx } from '../shared/influx.js';
import { Backlog, LOGGED_MS, type LogTimes } from './verdict/backlog.js';
import { Balancer } from './processes/balancer.js';
import type { Changes } from './ladder/changes.js';
import { askOnce, Clients, type Entrance } from './clients/clients.js';
import { DrillCertificate } from './processes/drill-certificate.js';
import { judgeCounted } from './verdict/counted.js';
import { overruns, withLimits, type JudgedEnd } from './verdict/endings.js';
import { eventNamed, type Scenery } from './events.js';
import { finalAudit } from './verdict/final-audit.js';
import { Fleet } from './processes/fleet.js';
import { judge, type Audited, type Evidence, type Excuse, type Judgement } from './verdict/judgement.js';
import { runLoadTool, type ToolReport } from './clients/load-tool.js';
import { Networks } from './processes/networks.js';
import { perform, type Happened } from './perform.js';
import { PlanError, type Step } from './plan.js';
import { Random } from './clients/random.js';
import { RequestRecord } from './clients/record.js';
import type { Stores } from './stores/open-stores.js';
import type { StoreName } from './stores/store.js';
import { runTally } from './processes/run-tally.js';
import { readOnlookers } from './verdict/onlookers.js';
import type { Underway } from './verdict/underway.js';
import { countByInstance, readOperations } from './verdict/verdict.js';
import { Watch, type Progress } from './watch.js';

type Settings = Readonly<Record<string, string>>;

export interface DrillOptions {
  readonly stores: Stores;
  readonly apis: number;
  readonly workers: number;
  readonly connections: number;
  /** How long the load lasts at the least: it goes on until the plan is done. */
  readonly durationMs: number;
  readonly plan: readonly Step[];
  /** A load tool's command instead of clients of our own; the plan happens again and again until it ends. */
  readonly load?: string | undefined;
  readonly seed: number;
  readonly probeMs: number;
  readonly lagMs: number;
  /** The API speaks TLS, and clients both HTTP/2 and HTTP/1.1. */
  readonly tls?: boolean;
  /** Tally's own settings, over the drill's. */
  readonly settings: Settings;
  /** What is otherwise than with Tally as it is; see the ladder. */
  readonly changes?: Changes;
  readonly signal: AbortSignal;
  /** Told what happens. */
  readonly say: (line: string) => void;
  /** Told every half second how it goes. */
  readonly onProgress: (progress: Progress) => void;
  /** Told the result so far while all is still running; what it awaits keeps it running. */
  readonly hold?: (running: Running, result: DrillResult) => Promise<void>;
}

export interface DrillResult {
  readonly judgement: Judgement;
  readonly events: readonly Happened[];
  readonly record: RequestRecord;
  readonly ended: readonly JudgedEnd[];
  readonly audit: Audited | undefined;
  readonly samples: readonly Progress[];
  readonly logTimes: LogTimes;
  readonly loadMs: number;
  /** Where a tool was the load: what it says. */
  readonly tool?: ToolReport | undefined;
  /** The deployment is not ours: others may use it as well, and its processes are not known. */
  readonly foreign?: true;
}

/** What a drill leaves running while it is held. */
export interface Running {
  /** Where the balancer takes connections. */
  readonly url: string;
  readonly apis: Fleet;
  readonly workers: Fleet;
  readonly environment: Settings;
}

/** Short enough for a drill; batches, relay and drain do all that they do with longer ones. */
const SETTINGS: Settings = {
  SHUTDOWN_DELAY: '3s',
  BATCH_INTERVAL: '1s',
  RELAY_AFTER: '5s',
  LIVE_PAGE: 'true',
  INSTANCE: 'drill',
};

const MIN_READY_MS = SECOND / 2;

/**
 * Starts Tally behind a balancer, loads it, lets the plan happen, and judges by what the stores hold.
 *
 * @throws {PlanError} when an event needs a store of our own and it is not; an AbortError when `signal` is aborted.
 */
export async function drill(options: DrillOptions): Promise<DrillResult> {
  const { stores, changes = {}, signal, say } = options;
  const { programs, env, stopSignal, unprobed } = changes;
  requireOwnStores(options);
  const environment = { ...SETTINGS, ...options.settings, ...stores.environment };
  await runTally(['setup'], environment);

  const random = new Random(options.seed);
  const record = new RequestRecord();
  const excuses: Excuse[] = [];
  await using balancer = await Balancer.open({ ...options, unprobed });
  await using networks = await Networks.open(stalledStores(options.plan), environment);
  await using backlog: Underway = changes.underway?.(environment) ?? new Backlog(environment);
  await using certificate = options.tls ? await DrillCertificate.make() : undefined;
  const common = { env: { ...networks.environment, ...env }, minReadyMs: MIN_READY_MS, stopSignal };
  await using workers = await Fleet.start({
    ...{ ...common, kind: 'worker', replicas: options.workers, program: programs?.worker },
  });
  await using apis = await Fleet.start({
    ...{ ...common, kind: 'api', replicas: options.apis, program: programs?.api, unprobed },
    env: { ...common.env, ...certificate?.files },
    onStart: ({ instance, port, adminPort }) => balancer.add({ name: instance, port, adminPort }),
    onLeave: ({ instance }) => balancer.remove(instance),
  });
  while (balancer.known.length < options.apis) await delay(20, undefined, { signal });
  const url = `${certificate ? 'https' : 'http'}://127.0.0.1:${balancer.port}`;
  say(
    `${programs ? 'It' : 'Tally'} answers on ${url}: ${options.apis} API and ${options.workers} worker processes`,
  );
  if (!programs) say(`What happens is shown live on ${url}/live`);
  const entrance: Entrance = {
    port: balancer.port,
    routeOf: (clientPort) => balancer.routeOf(clientPort),
    ...(certificate && { tls: { ca: certificate.ca }, http2: true }),
  };

  const scenery: Scenery = {
    ...{ apis, workers, stores, networks, backlog, random, signal },
    now: () => record.nowMs,
    excuse: (excuse) => void excuses.push(excuse),
  };
  const byTool = options.load !== undefined;
  const watch = new Watch({ ...options, record, backlog, byTool, apis, workers });
  const idleMs = [SECOND / 2, 2 * shutdownDelayMs(environment)] as const;
  const clients = new Clients({
    ...{ balancer: entrance, record, idleMs, random },
    connections: byTool ? 0 : options.connections,
  });
  const stopTool = new AbortController();
  const tool = byTool ? runLoadTool(options.load, { url, signal: stopTool.signal, say }) : undefined;
  const events: Happened[] = [];
  let loadMs: number;
  try {
    const onStep = (happening: string) => void (watch.happening = happening);
    await perform({ ...options, onStep, until: tool }, scenery, events);
  } finally {
    stopTool.abort();
    await clients.stop();
    loadMs = record.nowMs;
    watch.happening = 'waiting until all is logged';
    await watch.stop(signal.aborted);
  }

  const fresh = await askOnce({ balancer: entrance, record });
  const over = Date.now();
  if (!(await backlog.loggedUntil(over, LOGGED_MS, signal)))
    say('What was accepted is still not all logged.');
  using influx = new Influx(readVariables(INFLUX_VARIABLES, environment));
  const report = await tool;
  // Who looks on at the page or with `tally watch` goes on asking: what all have asked for is read first.
  const all = report ? [] : await readOperations(influx);
  const until = `time <= ${over}ms`;
  const everything = report ? total(await countByInstance(influx, until)) : 0;
  const onlookers = await readOnlookers(influx, report && until);
  const stored = all.filter(({ id }) => !onlookers.has(id));
  const counted = everything - record.acknowledged.size - onlookers.size;
  const logTimes = await backlog.logTimes();
  const audit = backlog.blind ? undefined : await finalAudit(environment, DAY);
  const faults = events.flatMap(({ graceful, fromMs, healedMs, recoveryMs = 0 }) =>
    graceful ? [] : { fromMs, toMs: healedMs + recoveryMs },
  );
  const result = (): DrillResult => {
    const gone = [...apis.ended, ...workers.ended].sort((one, other) => one.to - other.to);
    const delayMs = byTool ? Infinity : shutdownDelayMs(environment); // nobody knows a tool's longest request
    const disturbed = [...faults, ...overruns(watch.samples)];
    const ended = withLimits(gone, { record, faults: disturbed, shutdownDelayMs: delayMs });
    const { sent, acknowledged, misanswered, failed } = record;
    const evidence: Evidence = {
      ...{ sent, acknowledged, misanswered, failed, stored, excuses, fresh, ended, audit },
    };
    const judgement = report
      ? judgeCounted({ ...evidence, tool: report, stored: counted })
      : judge(changes.readEvidence?.(evidence) ?? evidence);
    const { samples } = watch;
    return { judgement, events, record, ended, audit, samples, logTimes, loadMs, tool: report };
  };
  await options.hold?.({ url, apis, workers, environment }, result());
  await apis.stop();
  await workers.stop();
  return result();
}

const total = (counts: ReadonlyMap<string, number>) =>
  [...counts.values()].reduce((sum, count) => sum + count, 0);

function requireOwnStores({ plan, stores }: DrillOptions): void {
  for (const name of plan.flat()) {
    const { harms, stalls } = eventNamed(name) ?? {};
    const store = harms && stores[harms];
    if (store?.external)
      throw new PlanError(
        `"${name}" harms a server, and ${store.origin} names one that is not ours: unset it to get one that is`,
      );
    if (stalls && stores[stalls].external)
      throw new PlanError(`"${name}" needs a server of our own; unset ${stores[stalls].origin} to get one`);
  }
}

function stalledStores(plan: readonly Step[]): ReadonlySet<StoreName> {
  return new Set(plan.flat().flatMap((name) => eventNamed(name)?.stalls ?? []));
}

const shutdownDelayMs = (environment: Settings) =>
  parseDuration(environment['SHUTDOWN_DELAY'] ?? '') ?? SECOND;
