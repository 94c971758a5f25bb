import { setTimeout as delay } from 'node:timers/promises';
import { countOperations } from '../shared/counts.js';
import { SECOND } from '../shared/duration.js';
import { INFLUX_VARIABLES, readVariables } from '../shared/configuration.js';
import { Influx } from '../shared/influx.js';
import { Deployment } from './deployment.js';
import { Load } from './load.js';
import { runTally } from './run-tally.js';
import { judgeOperations, readOperations, type Verdict } from './verdict.js';

export interface DemoOptions {
  /** Where the stores are, in Tally's own variables. */
  readonly environment: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly loadMs: number;
  /** Leave it running after the verdict, until `signal` is aborted. */
  readonly keep: boolean;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** How long the last operations may take to reach InfluxDB after the load has ended. */
const LOGGED_MS = 15 * SECOND;

const LOOK_MS = 100;

/**
 * Sets up, starts Tally, deploys it in mid-load, and counts. Resolves with whether everything is as promised.
 *
 * @throws an AbortError when `signal` is aborted before the verdict.
 */
export async function demo(options: DemoOptions): Promise<boolean> {
  const { connections, loadMs, keep, signal, say } = options;
  const environment = {
    SHUTDOWN_DELAY: '2s',
    BATCH_INTERVAL: '2s',
    INSTANCE: 'demo',
    ...options.environment,
  };
  await runTally(['setup'], environment);

  await using old = await Deployment.start(environment);
  say(`Tally answers on http://127.0.0.1:${old.api.port}; load from ${connections} keep-alive connections:`);
  const turn = { to: old };
  const load = new Load({ connections, target: () => turn.to.api.port });
  const progress = setInterval(
    () => say(`  ${load.answered.size} answered, ${load.failed.length} failed`),
    SECOND,
  );
  let ended: ReturnType<Deployment['stop']>;
  await using next = await Deployment.start(environment);
  try {
    await delay(loadMs / 3, undefined, { signal });
    say('  SIGTERM to the API and the worker; their successors take over');
    turn.to = next;
    ended = old.stop();
    await delay((loadMs * 2) / 3, undefined, { signal });
  } finally {
    clearInterval(progress);
    await load.stop();
  }
  const clean = (await ended).every(({ code }) => code === 0);

  using influx = new Influx(readVariables(INFLUX_VARIABLES, environment));
  await untilLogged(influx, load.answered.size);
  const verdict = judgeOperations(load.answered, await readOperations(influx));
  say(`\n${table(verdict, load.failed.length)}\n`);
  say((await runTally(['audit'], environment)).trimEnd());
  if (keep) {
    say(addresses(next, environment));
    await delay(2 ** 31 - 1, undefined, { signal }).catch(() => undefined);
  }
  const cleanAgain = (await next.stop()).every(({ code }) => code === 0);
  if (!clean || !cleanAgain) say('A process did not end with exit code 0.');
  return clean && cleanAgain && load.failed.length === 0 && isGood(verdict);
}

const isGood = ({ lost, twice, wrong }: Verdict) => lost + twice + wrong === 0;

async function untilLogged(influx: Influx, answered: number): Promise<void> {
  for (const deadline = Date.now() + LOGGED_MS; Date.now() < deadline; await delay(LOOK_MS)) {
    const counts = await countOperations(influx, { by: 'name' });
    if (counts.reduce((sum, { count }) => sum + count, 0) >= answered) return;
  }
}

function table({ acknowledged, stored, lost, twice, wrong }: Verdict, failed: number): string {
  const rows: [string, number][] = [
    ['answered with 200', acknowledged],
    ['logged in InfluxDB', stored],
    ['lost', lost],
    ['counted twice', twice],
    ['logged with another result', wrong],
    ['failed requests', failed],
  ];
  return rows.map(([name, count]) => `${name.padEnd(28)}${String(count).padStart(9)}`).join('\n');
}

function addresses({ api, worker }: Deployment, environment: Readonly<Record<string, string>>): string {
  const tally = ['DATABASE_URL', 'INFLUX_URL', 'INFLUX_BUCKET', 'INFLUX_ORG', 'INFLUX_TOKEN']
    .filter((name) => environment[name])
    .map((name) => `${name}=${environment[name]}`);
  return [
    `API       http://127.0.0.1:${api.port}   admin http://127.0.0.1:${api.adminPort}`,
    `worker    admin http://127.0.0.1:${worker.adminPort}`,
    `Redis     ${environment['REDIS_URL']}`,
    `Postgres  ${environment['DATABASE_URL']}`,
    `InfluxDB  ${environment['INFLUX_URL']}`,
    '',
    `curl -i http://127.0.0.1:${api.port}/sum -H 'Content-Type: application/json' -d '{"numbers":[1,2,3,4]}'`,
    `export ${tally.join(' ')}`,
    'node dist/cli/main.js count',
    'node dist/cli/main.js audit',
    '',
    'Ctrl+C ends it and leaves nothing behind.',
  ].join('\n');
}
