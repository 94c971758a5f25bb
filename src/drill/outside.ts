import { setTimeout as delay } from 'node:timers/promises';
import { INFLUX_VARIABLES, readVariables } from '../shared/configuration.js';
import { MINUTE, SECOND } from '../shared/duration.js';
import { Influx } from '../shared/influx.js';
import { pathOf, targetOf } from './clients/address.js';
import { askOnce, Clients, type Entrance } from './clients/clients.js';
import type { DrillResult } from './drill.js';
import { finalAudit } from './verdict/final-audit.js';
import { judge } from './verdict/judgement.js';
import { OwnOperations, resultsFrom } from './clients/own-operations.js';
import type { Happened } from './perform.js';
import { Random } from './clients/random.js';
import { RequestRecord } from './clients/record.js';
import { runInShell } from './processes/shell-command.js';
import { Watch, type Progress } from './watch.js';

export interface OutsideOptions {
  /** Where the deployment answers; its path stands before `/sum`. */
  readonly url: URL;
  /** Takes whatever certificate there is. */
  readonly insecure: boolean;
  /** What happens to it, one after the other. */
  readonly commands: readonly string[];
  readonly connections: number;
  /** How long the load lasts at the least: it goes on until the commands are done. */
  readonly durationMs: number;
  /** How long the deployment may take to log everything when the load is over. */
  readonly patienceMs: number;
  readonly seed: number;
  /** Where its InfluxDB is, and its ledger if that can be reached, in Tally's own variables. */
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  readonly onProgress: (progress: Progress) => void;
}

/** Idle clients do nothing for so long, at the least and at the most; a proxy may keep connections for less. */
const IDLE_MS = [SECOND / 2, 10 * SECOND] as const;

/**
 * Loads a deployment that exists, lets commands happen to it, waits until all is logged, and judges by what its
 * InfluxDB holds of this drill's own operations: others may use it at the same time.
 *
 * @throws {ConfigurationError} when the environment does not say where InfluxDB is; an AbortError when `signal` is
 * aborted.
 */
export async function drillDeployment(options: OutsideOptions): Promise<DrillResult> {
  const { url, env, signal, say, patienceMs } = options;
  using influx = new Influx(readVariables(INFLUX_VARIABLES, env));
  await influx.server(); // a drill whose verdict nobody can give is not begun
  const random = new Random(options.seed);
  const record = new RequestRecord(resultsFrom(random));
  const own = new OwnOperations(influx, record);
  const balancer = entranceOf(options);
  if (!(await askOnce({ balancer, record })))
    throw new Error(`${url.href} does not answer: ${refusal(record)}`);
  say(`${url.href} answers; load from ${options.connections} clients`);

  const watch = new Watch({ ...options, record, backlog: own });
  const clients = new Clients({ ...options, balancer, record, idleMs: IDLE_MS, random });
  const events: Happened[] = [];
  let loadMs: number;
  try {
    await runCommands(options, record, events, watch);
  } finally {
    await clients.stop();
    loadMs = record.nowMs;
    watch.happening = 'waiting until all is logged';
    await watch.stop(signal.aborted);
  }
  const fresh = await askOnce({ balancer, record });
  if (!(await own.loggedUntil(Date.now(), patienceMs, signal)))
    say('What was accepted is still not all logged.');
  const stored = await own.read();
  const audit = env['DATABASE_URL'] ? await finalAudit(env, Date.now() - record.beganAt + MINUTE) : undefined;
  const failedCommands = events.flatMap(({ what, target }) =>
    target === 'exit code 0' ? [] : `"${what}" ended with ${target}`,
  );
  const { sent, acknowledged, misanswered, failed } = record;
  const judgement = judge({
    ...{ sent, acknowledged, misanswered, failed, stored, fresh, audit, failedCommands },
    ...{ excuses: [], ended: [] },
  });
  const { samples } = watch;
  return { judgement, events, record, ended: [], audit, samples, logTimes: [], loadMs, foreign: true };
}

function entranceOf({ url, insecure }: OutsideOptions): Entrance {
  return { ...targetOf(url, insecure), path: pathOf(url, '/sum'), routeOf: () => undefined };
}

function refusal({ failed: [failure] }: RequestRecord): string {
  return failure ? `${failure.kind}, ${failure.reason}` : 'not as Tally does';
}

/** At even distances, or as soon as the one before is over. */
async function runCommands(
  { commands, durationMs, signal, say }: OutsideOptions,
  record: RequestRecord,
  events: Happened[],
  watch: Watch,
): Promise<void> {
  const until = (ms: number) => delay(Math.max(0, ms - record.nowMs), undefined, { signal });
  const began = record.nowMs;
  const apart = durationMs / (commands.length + 1);
  for (const [index, what] of commands.entries()) {
    watch.happening = 'load alone';
    await until(began + apart * (index + 1));
    watch.happening = what;
    say(what);
    const [fromMs, at] = [record.nowMs, new Date().toISOString()];
    const target = await runInShell(what, { signal, onLine: (line) => say(`  ${line}`) });
    signal.throwIfAborted();
    const common = { what, target, at, fromMs, graceful: true, recoveryMs: undefined };
    events.push({ ...common, healedMs: record.nowMs });
    say(`${what}: ${target}`);
  }
  watch.happening = 'load alone';
  await until(began + durationMs);
}
