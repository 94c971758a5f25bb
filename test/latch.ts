import { vi } from 'vitest';

/** A promise that the test settles when it is time. */
export interface Latch<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

export function latch<T = void>(): Latch<T> {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((...settle) => ([resolve, reject] = settle));
  return { promise, resolve, reject };
}

/** Resolves after the current turn of the event loop: everything that needs no outer event has happened by then. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Awaits a condition, looking again every 5 ms, until it holds or the time is over. */
export async function until(holds: () => boolean | Promise<boolean>, ms = 30_000): Promise<void> {
  await vi.waitUntil(holds, { timeout: ms, interval: 5 });
}
