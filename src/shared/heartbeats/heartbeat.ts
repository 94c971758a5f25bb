import { z } from 'zod';

/** A longer one is not read: the longest that we write, with 16 shards away, has about 1,500 characters. */
export const MOST_CHARACTERS = 4_096;

/** How often a process tells how it is, in milliseconds. */
export const BEAT_MS = 500;

const MOST_BUCKETS = 40;
const MOST_STORES = 40;

/** As `newInstance` makes them, and a bit more. */
const name = z.string().regex(/^[A-Za-z0-9_-]{1,128}$/);

const words = z.string().max(128);

const count = z.int().nonnegative();

const ascending = (numbers: readonly number[]) =>
  numbers.every((number, index) => index === 0 || number >= (numbers[index - 1] ?? 0));

/** Observations up to each bound, and last all of them. */
const CumulativeHistogram = z
  .object({
    bounds: z.array(z.number()).max(MOST_BUCKETS).refine(ascending),
    counts: z
      .array(count)
      .max(MOST_BUCKETS + 1)
      .refine(ascending),
  })
  .refine(({ bounds, counts }) => counts.length === bounds.length + 1);
export type CumulativeHistogram = z.infer<typeof CumulativeHistogram>;

/** Since the start of an API: operations, answers to `POST /sum`, and how long these took in seconds. */
const ApiCounts = z.object({
  accepted: count,
  refused: count,
  answered: count,
  rejected: count,
  failed: count,
  answerSeconds: CumulativeHistogram,
});

/** Since the start of a worker: operations, batches by reason, and how long chunks took from acceptance to InfluxDB. */
const WorkerCounts = z.object({
  logged: count,
  quarantined: count,
  batches: z.object({ size: count, interval: count, drain: count }),
  loggedSeconds: CumulativeHistogram,
});

const common = {
  instance: name,
  version: words,
  commit: words,
  /** Unix milliseconds, of the process's own clock. */
  startedAt: count,
  state: z.enum(['starting', 'ready', 'draining', 'stopped']),
  /** Greater with each heartbeat of the process: the greatest is the latest, and one that stays is of the past. */
  beat: count,
  /** Names of stores that it finds away. */
  away: z.array(name).max(MOST_STORES),
};

const ApiWork = z.object({ process: z.literal('api'), counts: ApiCounts });
const WorkerWork = z.object({ process: z.literal('worker'), counts: WorkerCounts });

/** Which process it is, and what it has done. */
export type ApiWork = z.infer<typeof ApiWork>;
export type WorkerWork = z.infer<typeof WorkerWork>;

const Heartbeat = z.discriminatedUnion('process', [ApiWork.extend(common), WorkerWork.extend(common)]);

/** What a process tells of itself, twice a second. */
export type Heartbeat = z.infer<typeof Heartbeat>;

/** The heartbeat in a text; `undefined` for any other text, such as a later version's that has become another. */
export function readHeartbeat(text: string): Heartbeat | undefined {
  if (text.length > MOST_CHARACTERS) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  return Heartbeat.safeParse(json).data;
}
