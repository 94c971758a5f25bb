import { Balancer } from '../../src/drill/processes/balancer.js';
import { Fleet } from '../../src/drill/processes/fleet.js';
import type { TallyProcess } from '../../src/drill/processes/tally-process.js';
import { until } from '../latch.js';
import { Scene, type Servers } from '../system/scene.js';

export const CHAOS_TOKEN = 'a-token-of-this-test';

/** Tally as browsers reach it: API processes behind a balancer, whose rolling updates show releases; and a worker. */
export class Deployment implements AsyncDisposable {
  readonly scene: Scene;
  readonly apis: Fleet;
  readonly worker: TallyProcess;
  readonly port: number;
  readonly #balancer: Balancer;

  private constructor(parts: Pick<Deployment, 'scene' | 'apis' | 'worker'>, balancer: Balancer) {
    ({ scene: this.scene, apis: this.apis, worker: this.worker } = parts);
    this.#balancer = balancer;
    this.port = balancer.port;
  }

  static async open(servers: Servers, replicas: number): Promise<Deployment> {
    const scene = await Scene.open(servers);
    const balancer = await Balancer.open({ probeMs: 50, lagMs: 50 });
    const env = { ...scene.env, LIVE_PAGE: 'true', CHAOS_TOKEN };
    const worker = await scene.worker();
    const apis = await Fleet.start({
      ...{ kind: 'api', env, replicas, minReadyMs: 100 },
      onStart: ({ instance, port, adminPort }) => balancer.add({ name: instance, port, adminPort }),
      onLeave: ({ instance }) => balancer.remove(instance),
    });
    const deployment = new Deployment({ scene, apis, worker }, balancer);
    await deployment.untilKnown(replicas);
    return deployment;
  }

  /** Resolves when the balancer sends connections to so many. */
  untilKnown(replicas: number): Promise<void> {
    return until(() => this.#balancer.known.length === replicas);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.apis[Symbol.asyncDispose]();
    await this.#balancer[Symbol.asyncDispose]();
    await this.scene[Symbol.asyncDispose]();
  }
}
