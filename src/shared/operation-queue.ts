import type { QueueOptions } from 'bullmq';
import { SECOND } from './duration.js';

/** The BullMQ queue that carries chunks from the API to the workers; further shards have a number behind it. */
export const QUEUE_NAME = 'operations';

export const JOB_NAME = 'chunk';

/**
 * What every chunk's job is added with. Only a worker that could not even hand its chunk back fails a job; it is then
 * tried again a second later, for as long as it takes: the queue has no way to lose an accepted chunk.
 */
export const JOB_OPTIONS = {
  attempts: 1_000_000_000,
  backoff: SECOND,
  removeOnComplete: true,
  stackTraceLimit: 1,
} as const;

/** Options that both ends of the queue share. */
export function queueOptions(prefix: string): Omit<QueueOptions, 'connection'> {
  // Events are read by nobody: a short stream keeps them from taking memory beside the chunks. BullMQ keeps its length
  // in the queue's metadata, which each process writes when it starts; until then, and after FLUSHALL, it is 10,000.
  return { prefix, skipVersionCheck: true, streams: { events: { maxLen: 10 } } };
}
