import type { StoreName } from '../../src/drill/stores/store.js';
import type { LogLine, TallyProcess } from '../../src/drill/processes/tally-process.js';
import { TcpProxy } from '../../src/drill/processes/tcp-proxy.js';

type Settings = Readonly<Record<string, string>>;

/** Ports of the stores on the loopback address. */
type Ports = Readonly<Record<StoreName, number>>;

interface MemberOptions {
  readonly env: Settings;
  readonly ports: Ports;
  readonly start: (settings: Settings) => Promise<TallyProcess>;
}

/** One API or worker that is started again when it was killed, with a network of its own to each store. */
export class Member implements AsyncDisposable {
  readonly network: Readonly<Record<StoreName, TcpProxy>>;
  readonly #options: MemberOptions;
  readonly #lives: TallyProcess[] = [];
  #alive = false;
  #frozen = false;

  private constructor(options: MemberOptions, network: Readonly<Record<StoreName, TcpProxy>>) {
    this.#options = options;
    this.network = network;
  }

  static async start(options: MemberOptions): Promise<Member> {
    const { redis, postgres, influxdb } = options.ports;
    const member = new Member(options, {
      redis: await TcpProxy.open(redis),
      postgres: await TcpProxy.open(postgres),
      influxdb: await TcpProxy.open(influxdb),
    });
    await member.revive();
    return member;
  }

  get alive(): boolean {
    return this.#alive;
  }

  get process(): TallyProcess {
    const last = this.#lives.at(-1);
    if (!last) throw new Error('it was never started');
    return last;
  }

  /** What it said in all its lives. */
  get log(): readonly LogLine[] {
    return this.#lives.flatMap(({ log }) => log);
  }

  /** Of the lives that were ended. */
  get pastInstances(): readonly string[] {
    return this.#lives.slice(0, this.#alive ? -1 : undefined).map(({ instance }) => instance);
  }

  async kill(): Promise<void> {
    this.#alive = false;
    this.#frozen = false;
    await this.process.kill();
  }

  freeze(): void {
    this.#frozen = true;
    this.process.signal('SIGSTOP');
  }

  wake(): void {
    if (this.#frozen) this.process.signal('SIGCONT');
    this.#frozen = false;
  }

  /** Starts it, if it was killed. */
  async revive(): Promise<void> {
    if (this.#alive) return;
    const { env, start } = this.#options;
    const through = (variable: string, { port }: TcpProxy) => {
      const url = new URL(env[variable] ?? '');
      url.hostname = '127.0.0.1';
      url.port = String(port);
      return { [variable]: url.href };
    };
    const { redis, postgres, influxdb } = this.network;
    this.#lives.push(
      await start({
        ...env,
        ...through('REDIS_URL', redis),
        ...through('DATABASE_URL', postgres),
        ...through('INFLUX_URL', influxdb),
      }),
    );
    this.#alive = true;
  }

  /** A value of its metrics, 0 while there is none. */
  async metric(sample: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.process.adminPort}/metrics`)).text();
    const line = text.split('\n').find((candidate) => candidate.startsWith(`${sample} `));
    return Number(line?.split(' ').at(-1) ?? 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Object.values(this.network).map((proxy) => proxy[Symbol.asyncDispose]()));
  }
}
