import { randomBytes } from 'node:crypto';
import type { StoredOperation } from '../../src/drill/verdict/verdict.js';
import { CHART } from './chart.js';
import { attempt, run, say, until } from './commands.js';
import { judge, type Findings } from './judge.js';
import { Load } from './load.js';
import { LOAD_POD, namespaceManifest } from './namespace.js';
import { image, imageValues, keep } from './options.js';
import { podsIn, type Pod } from './pods.js';
import { RequestRecord } from './record.js';
import { PodWatch } from './watch.js';

/** What `tally audit --json` says. */
export interface Audit {
  readonly accepted: number;
  readonly logged: number;
  readonly quarantined: number;
  readonly pending: number;
  readonly missing: number;
  readonly extra: number;
  readonly balanced: boolean;
}

/** Prints what InfluxDB holds, run by the worker's own Node with the worker's own variables. */
const READ_OPERATIONS = `
  const at = (path) => import('/app/dist/' + path);
  const { readOperations } = await at('drill/verdict/verdict.js');
  const { Influx } = await at('shared/influx.js');
  const { INFLUX_VARIABLES, readVariables } = await at('shared/configuration.js');
  using influx = new Influx(readVariables(INFLUX_VARIABLES, process.env));
  for (const { id, result } of await readOperations(influx)) console.log(id + ' ' + result);`;

export const API = 'deployment/tally-api';
export const WORKER = 'deployment/tally-worker';

/** Release `tally` in a namespace of its own, and all that was asked of it. */
export class Release implements AsyncDisposable {
  readonly namespace = `tally-test-${randomBytes(3).toString('hex')}`;
  readonly record = new RequestRecord();
  readonly #watch: PodWatch;

  private constructor() {
    this.#watch = new PodWatch(this.namespace);
  }

  /** Makes the namespace, where the restricted Pod Security level is enforced, and the pod that loads. */
  static async open(): Promise<Release> {
    const release = new Release();
    await run('kubectl', ['apply', '--filename', '-'], namespaceManifest(release.namespace, image));
    await release.kubectl('wait', '--for=condition=Ready', `pod/${LOAD_POD}`, '--timeout=2m');
    say(`namespace ${release.namespace}, image ${image}`);
    return release;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch[Symbol.dispose]();
    if (keep) say(`kept: namespace ${this.namespace}`);
    else await run('kubectl', ['delete', 'namespace', this.namespace, '--timeout=5m']);
  }

  get kills() {
    return this.#watch.kills;
  }

  kubectl(...args: readonly string[]): Promise<string> {
    return run('kubectl', ['--namespace', this.namespace, ...args]);
  }

  helm(...args: readonly string[]): Promise<string> {
    return run('helm', ['--namespace', this.namespace, ...args]);
  }

  install(): Promise<string> {
    return this.helm('install', 'tally', CHART, ...imageValues(), '--wait', '--timeout', '5m');
  }

  upgrade(values: readonly string[], timeout = '5m'): Promise<string> {
    const set = values.flatMap((value) => ['--set', value]);
    return this.helm('upgrade', 'tally', CHART, '--reuse-values', ...set, '--wait', '--timeout', timeout);
  }

  async rolledOut(): Promise<void> {
    for (const deployment of [API, WORKER])
      await this.kubectl('rollout', 'status', deployment, '--timeout=5m');
  }

  pods(component?: string): Promise<readonly Pod[]> {
    return podsIn(this.namespace, component);
  }

  load(): Promise<Load> {
    return Load.start({
      ...{ namespace: this.namespace, pod: LOAD_POD, url: 'http://tally-api', record: this.record },
    });
  }

  /** What a `tally` command says with `--json`, run in a worker. */
  async tally<T>(...args: readonly string[]): Promise<T> {
    return JSON.parse(await this.kubectl('exec', WORKER, '--', 'tally', ...args, '--json')) as T;
  }

  /** Waits until nothing is pending. Resolves with what `tally audit` says then, balanced or not. */
  settled(): Promise<Audit> {
    return until('nothing pending', async () => {
      const said = await attempt('kubectl', [
        ...['--namespace', this.namespace, 'exec', WORKER, '--', 'tally', 'audit', '--json'],
      ]);
      if (said.stdout === '') throw new Error(said.stderr);
      const audit = JSON.parse(said.stdout) as Audit;
      if (audit.pending > 0) throw new Error(`${audit.pending} are pending`);
      return audit;
    });
  }

  async stored(): Promise<StoredOperation[]> {
    const node = ['node', '--input-type=module', '--eval', READ_OPERATIONS];
    const text = await this.kubectl('exec', WORKER, '--', ...node);
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [id = '', result] = line.split(' ');
        return { id, result: Number(result) };
      });
  }

  /** All that was ever asked of the release against all that InfluxDB holds. */
  async judge(): Promise<Findings> {
    return judge(this.record, await this.stored(), this.kills);
  }
}
