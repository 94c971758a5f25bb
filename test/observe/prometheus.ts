import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { onPath } from '../../src/drill/stores/command.js';
import { freePort } from '../../src/drill/stores/free-port.js';
import { ServerProcess } from '../../src/drill/stores/server-process.js';
import { TemporaryFolder } from '../../src/drill/stores/temporary-folder.js';
import { until } from '../latch.js';

const run = promisify(execFile);

const pathOf = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

export const RULES = pathOf('charts/tally/files/rules.yaml');

/** @throws {Error} that names the package, when this machine does not have the program. */
function program(name: 'prometheus' | 'promtool'): string {
  const path = onPath(name, process.env);
  if (path === undefined)
    throw new Error(
      `${name} is needed here. Debian: sudo apt-get install prometheus; macOS: brew install prometheus`,
    );
  return path;
}

/** Runs promtool, with a text on its standard input where there is one. @throws what it said, when its exit code is not 0. */
export async function promtool(args: readonly string[], input = ''): Promise<string> {
  const running = run(program('promtool'), args);
  running.child.stdin?.end(input);
  return running.then(
    ({ stdout }) => stdout,
    (error: { stdout?: string; stderr?: string }) => {
      throw new Error(`promtool ${args.join(' ')}:\n${error.stdout ?? ''}${error.stderr ?? ''}`);
    },
  );
}

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Rule {
  readonly name: string;
  readonly query: string;
  readonly type: 'recording' | 'alerting';
  readonly health: 'ok' | 'unknown' | 'err';
  readonly state?: 'inactive' | 'pending' | 'firing';
  readonly lastError?: string;
}

interface ScrapeConfig {
  readonly job_name: string;
  readonly dns_sd_configs: readonly { readonly port: number }[];
}

export interface PrometheusConfig {
  readonly global: Readonly<Record<string, string>>;
  readonly rule_files: readonly string[];
  readonly scrape_configs: readonly ScrapeConfig[];
}

/** A Prometheus with the configuration and the rules of docker compose, that looks every second at the ports it is given. */
export class Prometheus implements AsyncDisposable {
  readonly #folder: TemporaryFolder;
  readonly #process: ServerProcess;
  readonly #url: string;

  private constructor(folder: TemporaryFolder, port: number) {
    this.#folder = folder;
    this.#url = `http://127.0.0.1:${port}`;
    this.#process = new ServerProcess({
      command: program('prometheus'),
      args: [
        `--config.file=${join(folder.path, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder.path, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      folder,
      environment: {},
      stopSignal: 'SIGTERM',
      quitSignal: 'SIGKILL',
    });
  }

  /** @param config as compose has it. @param targets the admin ports by the name of their job. */
  static async open(
    config: PrometheusConfig,
    targets: Readonly<Record<string, readonly number[]>>,
  ): Promise<Prometheus> {
    const folder = await TemporaryFolder.create('prometheus', process.env);
    const ours = {
      ...config,
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [RULES],
      scrape_configs: config.scrape_configs.map(({ job_name: job }) => ({
        job_name: job,
        static_configs: [{ targets: (targets[job] ?? []).map((port) => `127.0.0.1:${port}`) }],
      })),
    };
    await writeFile(join(folder.path, 'prometheus.yml'), stringify(ours));
    const prometheus = new Prometheus(folder, await freePort());
    await prometheus.#process.launch();
    await prometheus.#ready();
    return prometheus;
  }

  /** What an instant query answers now. @throws {Error} what Prometheus says of a query that it cannot read. */
  async query(expression: string): Promise<readonly Sample[]> {
    const { result } = await this.#ask<{
      result: readonly { metric: Sample['metric']; value: readonly [number, string] }[];
    }>(`query?query=${encodeURIComponent(expression)}`);
    return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  /** The one value of a query; `undefined` while there is none. */
  async value(expression: string): Promise<number | undefined> {
    const [sample] = await this.query(expression);
    return sample?.value;
  }

  async rules(): Promise<readonly Rule[]> {
    const { groups } = await this.#ask<{ groups: readonly { rules: readonly Rule[] }[] }>('rules');
    return groups.flatMap(({ rules }) => rules);
  }

  async #ready(): Promise<void> {
    await until(async () => {
      if (!(await this.#process.isRunning()))
        throw new Error(`prometheus ended:\n${await this.#process.lastWords()}`);
      return fetch(`${this.#url}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    });
  }

  async #ask<T>(path: string): Promise<T> {
    const answer = (await (await fetch(`${this.#url}/api/v1/${path}`)).json()) as {
      readonly status: string;
      readonly error?: string;
      readonly data: T;
    };
    if (answer.status !== 'success') throw new Error(`${decodeURIComponent(path)}: ${answer.error}`);
    return answer.data;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.quit();
    await this.#folder[Symbol.asyncDispose]();
  }
}
