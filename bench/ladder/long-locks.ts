/**
 * Tally's worker as it is shipped, but with longer locks: what a killed worker held is missed only when they run out.
 * There is no setting for that, so BullMQ is told another duration than Tally asks it for.
 */
import { Worker } from 'bullmq';

const LOCK_MS = 45_000;

interface Locking {
  readonly opts: object;
  createLockManager: () => void;
}

const prototype = Worker.prototype as unknown as Locking;
const createLockManager = prototype.createLockManager;
prototype.createLockManager = function (this: Locking) {
  Object.assign(this.opts, { lockDuration: LOCK_MS, lockRenewTime: LOCK_MS / 2 });
  createLockManager.call(this);
};

await import(new URL('../../dist/worker/main.js', import.meta.url).href);
