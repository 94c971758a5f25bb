import { Gauge, type Registry } from 'prom-client';
import type { About } from './admin.js';
import type { Lifecycle, State } from './lifecycle.js';

/** The states in which a process answers Prometheus. */
const STATES: readonly State[] = ['starting', 'ready', 'draining'];

/** Whether a process finds one of its stores away. */
export interface StoreHealth {
  readonly store: string;
  readonly away: boolean;
}

export interface ProcessMetricsOptions {
  readonly process: 'api' | 'worker';
  readonly about: About;
  readonly lifecycle: Lifecycle;
  /** Every store that the process works with; asked at each scrape. */
  readonly stores: () => Promise<readonly StoreHealth[]>;
}

/** What API and worker both tell Prometheus: which version they are, where in their life, and which stores they find away. */
export function exportProcess(registry: Registry, options: ProcessMetricsOptions): void {
  const { process, about, lifecycle, stores } = options;
  const registers = [registry];
  const { version, commit } = about;
  new Gauge({
    name: 'tally_build_info',
    help: 'Always 1; its labels say which process and version this is.',
    labelNames: ['process', 'version', 'commit'],
    registers,
  }).set({ process, version, commit }, 1);
  new Gauge({
    name: 'tally_lifecycle_state',
    help: '1 for the state that the process is in: starting, ready or draining; 0 for the others.',
    labelNames: ['process', 'state'],
    registers,
    collect() {
      for (const state of STATES) this.set({ process, state }, lifecycle.state === state ? 1 : 0);
    },
  });
  new Gauge({
    name: 'tally_store_away',
    help: '1 while this process gets no answer from the store, 0 otherwise.',
    labelNames: ['store'],
    registers,
    async collect() {
      for (const { store, away } of await stores()) this.set({ store }, away ? 1 : 0);
    },
  });
}
