import { setTimeout as delay } from 'node:timers/promises';
import { SECOND } from '../../shared/duration.js';
import type { Random } from '../clients/random.js';
import { freePort } from '../stores/free-port.js';
import { TallyProcess, type Ending } from './tally-process.js';

/** A process that has ended, and why. */
export interface Ended {
  readonly kind: 'api' | 'worker';
  readonly instance: string;
  readonly why: 'asked' | 'killed' | 'by itself';
  readonly ending: Ending;
  /** When it was asked or killed, or when it ended by itself; and when it was gone. As `performance.now()` has it. */
  readonly from: number;
  readonly to: number;
}

export interface FleetOptions {
  readonly kind: 'api' | 'worker';
  readonly env: Readonly<Record<string, string>>;
  readonly replicas: number;
  /** How long a new process must have been ready before an old one may go, in milliseconds. */
  readonly minReadyMs: number;
  /** Another program than Tally, as arguments of Node. */
  readonly program?: readonly string[] | undefined;
  /** How processes are asked to end; SIGTERM unless said otherwise. */
  readonly stopSignal?: NodeJS.Signals | undefined;
  /** A process that replaces another counts as ready from its start, as a pod without a readiness probe does. */
  readonly unprobed?: boolean | undefined;
  /** Told when a process has started, and when it is asked to end or dead; the second may take its time to get around. */
  readonly onStart?: (process: TallyProcess) => void;
  readonly onLeave?: (process: TallyProcess) => Promise<void>;
}

/** A kill: resolves `forgotten` when nobody sends it anything any more, and `replaced` when its successor is ready. */
export interface Kill {
  readonly instance: string;
  readonly forgotten: Promise<void>;
  readonly replaced: Promise<void>;
}

const ASK_AGAIN_MS = 20;
const READY_MS = 60 * SECOND;

/**
 * The processes of one kind, kept in number as a Kubernetes Deployment keeps its pods: with `maxSurge` 1 and
 * `maxUnavailable` 0, and each that dies replaced.
 */
export class Fleet implements AsyncDisposable {
  readonly ended: Ended[] = [];
  readonly #options: FleetOptions;
  readonly #running = new Set<TallyProcess>();
  readonly #all = new Set<TallyProcess>();
  readonly #leaving = new Map<TallyProcess, { readonly why: 'asked' | 'killed'; readonly from: number }>();
  #replicas: number;
  /** Rises with each rolling update; processes show it as the commit that they were built from. */
  #release = 1;
  #turn: Promise<unknown> = Promise.resolve();
  #disposed = false;

  private constructor(options: FleetOptions) {
    this.#options = options;
    this.#replicas = options.replicas;
  }

  static async start(options: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(options);
    try {
      await Promise.all(Array.from({ length: options.replicas }, () => fleet.#start(0)));
      await Promise.all(fleet.running.map(untilReady));
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
    return fleet;
  }

  /** Processes that are ready and not asked to end, oldest first. */
  get running(): readonly TallyProcess[] {
    return [...this.#running];
  }

  /** How many there shall be. */
  get replicas(): number {
    return this.#replicas;
  }

  /** A rolling update to the next release: a new process becomes ready, then an old one goes, until none of the old is left. */
  roll(): Promise<void> {
    return this.#inTurn(async () => {
      this.#release += 1;
      const leaving: Promise<void>[] = [];
      for (const old of this.running) {
        await this.#start(this.#options.minReadyMs);
        if (this.#running.has(old)) leaving.push(this.#leave(old));
      }
      await Promise.all(leaving);
    });
  }

  /** Starts or ends as many as it takes; resolves when they are ready, or have ended. */
  scale(replicas: number): Promise<void> {
    return this.#inTurn(async () => {
      this.#replicas = replicas;
      const missing = Math.max(0, replicas - this.#running.size);
      await Promise.all(Array.from({ length: missing }, () => this.#start(0)));
      await Promise.all(this.running.slice(replicas).map((process) => this.#leave(process)));
    });
  }

  /** `kill -9` of one of them, which is then replaced. */
  async kill(random: Random): Promise<Kill> {
    const process = random.pick(this.running);
    this.#running.delete(process);
    this.#leaving.set(process, { why: 'killed', from: performance.now() });
    await process.kill();
    return {
      instance: process.instance,
      forgotten: this.#options.onLeave?.(process) ?? Promise.resolve(),
      replaced: this.#replace(),
    };
  }

  /** Asks all of them to end; nothing is replaced any more. */
  async stop(): Promise<void> {
    this.#replicas = 0;
    await this.#inTurn(async () => void (await Promise.all(this.running.map((one) => this.#leave(one)))));
  }

  #replace(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#running.size < this.#replicas) await this.#start(0);
    });
  }

  async #start(minReadyMs: number): Promise<void> {
    const { unprobed, onStart } = this.#options;
    const process = await (unprobed
      ? this.#launch()
      : TallyProcess.start({ ...this.#options, env: this.#env }));
    this.#all.add(process);
    if (this.#disposed) return this.#end(process);
    void this.#follow(process);
    onStart?.(process);
    if (!unprobed) await untilReady(process);
    await delay(minReadyMs);
    if (this.#leaving.has(process)) return;
    this.#running.add(process);
  }

  async #launch(): Promise<TallyProcess> {
    const [PORT, ADMIN_PORT] = [String(await freePort()), String(await freePort())];
    return TallyProcess.launch({ ...this.#options, env: { ...this.#env, PORT, ADMIN_PORT } });
  }

  get #env(): FleetOptions['env'] {
    return { ...this.#options.env, TALLY_COMMIT: `release-${this.#release}` };
  }

  async #leave(process: TallyProcess): Promise<void> {
    this.#running.delete(process);
    this.#leaving.set(process, { why: 'asked', from: performance.now() });
    process.signal(this.#options.stopSignal ?? 'SIGTERM');
    await Promise.all([process.ended(), this.#options.onLeave?.(process)]);
  }

  /** Keeps its receipt; a process that ended without being asked to is replaced. */
  async #follow(process: TallyProcess): Promise<void> {
    const ending = await process.end;
    const to = performance.now();
    const { kind, instance } = process;
    const { why, from } = this.#leaving.get(process) ?? { why: 'by itself', from: to };
    this.ended.push({ kind, instance, why, ending, from, to });
    this.#all.delete(process);
    this.#running.delete(process);
    if (why !== 'by itself' || this.#disposed) return;
    await this.#options.onLeave?.(process);
    await this.#replace();
  }

  async #end(process: TallyProcess): Promise<void> {
    await process[Symbol.asyncDispose]();
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await Promise.all([...this.#all].map((process) => this.#end(process)));
    await this.#turn;
    await Promise.all([...this.#all].map((process) => this.#end(process)));
  }
}

/** As its readiness probe finds it. */
async function untilReady(process: TallyProcess): Promise<void> {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    const ready = await fetch(`http://127.0.0.1:${process.adminPort}/readyz`).then(
      async (answer) => (await answer.arrayBuffer(), answer.ok),
      () => false,
    );
    if (ready || performance.now() > deadline) return;
    await delay(ASK_AGAIN_MS);
  }
}
