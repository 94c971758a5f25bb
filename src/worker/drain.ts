import { setTimeout as delay } from 'node:timers/promises';
import { withDeadline } from '../shared/deadline.js';
import { SECOND } from '../shared/duration.js';
import type { Batcher } from './batcher.js';
import type { Consumer } from './consumer.js';

/** Kept back from the timeout for handing back and closing. */
const HAND_BACK_MS = 2 * SECOND;

/** How often the hands and the queue are looked at while draining. */
const LOOK_MS = 20;

const REDIS_MS = SECOND;

export interface DrainOptions {
  readonly consumer: Pick<Consumer, 'pause' | 'resume' | 'last' | 'empty' | 'inHand'>;
  readonly batcher: Pick<Batcher, 'drain' | 'abandon'>;
  /** From the signal to the end, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * The worker's drain: takes no new chunk, flushes what is in hand whatever its age, and, as the last worker alive,
 * goes on until the queue is empty. When the deadline nears, it hands unflushed chunks back to the queue, so that
 * another worker has them at once. Resolves with the chunks that neither were settled nor could be handed back: their
 * locks run out, and the queue gives them to the next worker.
 */
export async function drain({ consumer, batcher, timeoutMs }: DrainOptions): Promise<number> {
  const deadline = Date.now() + Math.max(timeoutMs - HAND_BACK_MS, timeoutMs / 2);
  await consumer.pause();
  batcher.drain();
  if (await answerOr(consumer.last(), false)) {
    await consumer.resume();
    await until(() => answerOr(consumer.empty(), true), deadline);
    await consumer.pause();
  }
  await until(async () => consumer.inHand === 0, deadline);
  if (consumer.inHand > 0) {
    batcher.abandon();
    await until(async () => consumer.inHand === 0, Date.now() + HAND_BACK_MS);
  }
  return consumer.inHand;
}

/** What Redis answers within a second, or else the answer that lets this worker leave. */
function answerOr(answer: Promise<boolean>, otherwise: boolean): Promise<boolean> {
  return withDeadline(answer, REDIS_MS, 'asking redis').catch(() => otherwise);
}

async function until(reached: () => Promise<boolean>, deadline: number): Promise<void> {
  while (Date.now() < deadline && !(await reached())) await delay(LOOK_MS);
}
