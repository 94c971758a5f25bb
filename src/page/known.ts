import type { LiveInstance } from '../shared/live.js';

/** Who is not told of for so long is gone; a process that has just begun to tell does not know everybody yet. */
const MISSING_MS = 3_000;

const KEPT_MS = 5 * 60_000;
const MOST_LEFT = 50;

interface Known {
  readonly instance: LiveInstance;
  /** When it was first not told of any more. */
  readonly missingSince?: number;
}

const hasLeft = ({ state }: LiveInstance) => state === 'gone' || state === 'stopped';

/**
 * The instances that any process has told of. One that began after another had gone knows nothing of that one: whoever has
 * watched for longer does.
 */
export class KnownInstances {
  #known = new Map<string, Known>();

  /** All of them: those that live in the order in which they are told, then those that have left, the latest first. */
  with(told: readonly LiveInstance[], now = performance.now()): readonly LiveInstance[] {
    const known = new Map<string, Known>(told.map((instance) => [instance.instance, { instance }]));
    for (const [name, { instance, missingSince = now }] of this.#known)
      if (!known.has(name) && now - missingSince < KEPT_MS) known.set(name, { instance, missingSince });
    const all = [...known.values()].map(({ instance, missingSince = now }) =>
      hasLeft(instance) || now - missingSince < MISSING_MS
        ? instance
        : { ...instance, state: 'gone' as const },
    );
    const left = all.filter(hasLeft).sort((one, other) => other.lastSeenAt - one.lastSeenAt);
    const shown = [...all.filter((instance) => !hasLeft(instance)), ...left.slice(0, MOST_LEFT)];
    this.#known = new Map(shown.flatMap(({ instance: name }) => [[name, known.get(name) as Known] as const]));
    return shown;
  }
}
