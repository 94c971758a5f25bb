/** Says that something took longer than it was given. `code` is `'DEADLINE'`. */
export class DeadlineError extends Error {
  readonly code = 'DEADLINE';

  constructor(what: string, ms: number) {
    super(`${what} took longer than ${ms} ms`);
    this.name = 'DeadlineError';
  }
}

/**
 * Settles as `work` does, or rejects with {@link DeadlineError} after `ms`. The work itself goes on: a caller that
 * must not have it finish later has to undo it.
 */
export async function withDeadline<T>(work: PromiseLike<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    // What arrived while this process was busy is read before the check phase, and counts.
    timer = setTimeout(() => setImmediate(() => reject(new DeadlineError(what, ms))), ms);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
