import { Gauge, type Registry } from 'prom-client';
import type { QueueView } from './queue-view.js';

/** Exports what the queue holds, asked of Redis at each scrape. A shard that does not answer has no value. */
export function exportQueue(registry: Registry, queue: Pick<QueueView, 'numbered'>): void {
  new Gauge({
    name: 'tally_queue_chunks',
    help: 'Chunks in the queue by shard and state: waiting, active (in the hands of a worker), or unrecorded (logged, and the ledger does not know yet). Every worker exports the same.',
    labelNames: ['shard', 'state'],
    registers: [registry],
    async collect() {
      const answers = await Promise.allSettled(
        queue.numbered.map(async ([shard, view]) => ({ shard, counts: await view.counts() })),
      );
      this.reset();
      for (const answer of answers) {
        if (answer.status === 'rejected') continue;
        const { shard, counts } = answer.value;
        for (const [state, chunks] of Object.entries(counts)) this.set({ shard, state }, chunks);
      }
    },
  });
}
