import type { LogTimes } from './backlog.js';

/** What was accepted and is not logged yet, as a drill asks for it. */
export interface Underway extends AsyncDisposable {
  /** It cannot tell, under load, whether what was accepted before is logged: there is no recovery time then. */
  readonly blind?: true;
  /** Operations; `undefined` while nobody can say. */
  unlogged(): Promise<number | undefined>;
  /** Operations in all; `undefined` while nobody can say. */
  accepted?(): Promise<number | undefined>;
  /** Resolves when all that was accepted until this Unix time is logged; `false` when that takes too long. */
  loggedUntil(unixMs: number, patienceMs: number, signal?: AbortSignal): Promise<boolean>;
  /** Resolves when Redis may forget all that it has now; `false` when that takes too long. */
  ledgerHasAll(patienceMs: number, signal?: AbortSignal): Promise<boolean>;
  flushRedis(): Promise<void>;
  logTimes(): Promise<LogTimes>;
}
