import { setTimeout as delay } from 'node:timers/promises';
import { withDeadline } from '../shared/deadline.js';
import { SECOND } from '../shared/duration.js';
import type { Batcher } from './batcher.js';
import type { Consumer } from './consumer.js';
import type { Relay } from './relay.js';

/** Kept back from the timeout for handing back and closing. */
const HAND_BACK_MS = 2 * SECOND;

/** How often the hands and the queue are looked at while draining. */
const LOOK_MS = 20;

const ANSWER_MS = SECOND;

export interface DrainOptions {
  readonly consumer: Pick<Consumer, 'pause' | 'resume' | 'last' | 'empty' | 'inHand'>;
  readonly relay: Pick<Relay, 'pause' | 'resume' | 'empty' | 'release' | 'inHand'>;
  readonly batcher: Pick<Batcher, 'drain' | 'abandon'>;
  /** From the signal to the end, in milliseconds. */
  readonly timeoutMs: number;
}

/** What became of the chunks that could not be settled in time. */
export interface LeftOver {
  /** Chunks of the ledger that another worker may take now. */
  readonly leftToLedger: number;
  /** Chunks that could not be handed back: their locks run out, and the queue gives them to the next worker. */
  readonly unaccounted: number;
}

/**
 * The worker's drain: takes no new chunk, flushes what is in hand whatever its age, and, as the last worker alive, goes
 * on until the queue is empty and nothing is due in the ledger. When the deadline nears, it hands unflushed chunks back
 * to the queue and the ledger, so that another worker has them at once.
 */
export async function drain({ consumer, relay, batcher, timeoutMs }: DrainOptions): Promise<LeftOver> {
  const deadline = Date.now() + Math.max(timeoutMs - HAND_BACK_MS, timeoutMs / 2);
  const handsFree = async () => consumer.inHand + relay.inHand === 0;
  relay.pause();
  await consumer.pause();
  batcher.drain();
  if (await answerOr(consumer.last(), false)) {
    await consumer.resume();
    await relay.resume();
    const empty = [() => answerOr(consumer.empty(), true), () => answerOr(relay.empty(), true)];
    for (const reached of empty) await until(reached, deadline);
    relay.pause();
    await consumer.pause();
  }
  await until(handsFree, deadline);
  if (!(await handsFree())) {
    batcher.abandon();
    await until(handsFree, Date.now() + HAND_BACK_MS);
  }
  return { leftToLedger: await relay.release(), unaccounted: consumer.inHand };
}

/** What a store answers within a second, or else the answer that lets this worker leave. */
function answerOr(answer: Promise<boolean>, otherwise: boolean): Promise<boolean> {
  return withDeadline(answer, ANSWER_MS, 'asking a store').catch(() => otherwise);
}

async function until(reached: () => Promise<boolean>, deadline: number): Promise<void> {
  while (Date.now() < deadline && !(await reached())) await delay(LOOK_MS);
}
