/** The plain way with BullMQ: one job per operation, added and awaited before the request is answered. */
import { Queue } from 'bullmq';
import type * as OperationModule from '../../src/shared/operation.js';
import { built } from './built.js';
import { PLAIN_QUEUE, plainJob } from './plain-queue.js';
import { serve } from './serve.js';

const { operationId, toLine } = await built<typeof OperationModule>('shared/operation.js');

await serve((url) => {
  const queue = new Queue(PLAIN_QUEUE, { connection: { url } });
  return {
    keep: async (operation) => {
      const { name, data, opts } = plainJob(operationId(operation), toLine(operation));
      await queue.add(name, data, opts);
    },
    close: () => queue.close(),
  };
});
