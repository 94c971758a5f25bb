import type { LiveAudit, LiveTotals } from '../../shared/live.js';
import { auditWhatIsKept, type AuditStores } from '../../shared/audit/audit.js';
import { MINUTE, SECOND } from '../../shared/duration.js';
import type { Logger } from '../../shared/log.js';
import { Paced } from './paced.js';

const WINDOW_MS = 60 * MINUTE;

const EVERY_MS = 5 * SECOND;

/** Audits of the last hour, and when it was last so that everything accepted was logged. */
export class Audits {
  readonly #stores: AuditStores;
  readonly #log: Logger;
  readonly #audit = new Paced(() => this.#look());
  #nothingPendingAt: number | null = null;
  #latest: LiveAudit | null = null;
  #completeAt: number | null = null;

  constructor(stores: AuditStores, log: Logger) {
    this.#stores = stores;
    this.#log = log;
  }

  /** The last one; `null` before there is one. */
  get latest(): LiveAudit | null {
    return this.#latest;
  }

  /** When nothing was pending, and an audit begun after that found nothing missing or extra. */
  get completeAt(): number | null {
    return this.#completeAt;
  }

  /** Told what the ledger said last. */
  see(totals: LiveTotals | null): void {
    if (totals?.pending === 0) this.#nothingPendingAt = totals.at;
  }

  /** Begins an audit where one is due; resolves when it is over. */
  refresh(): Promise<void> {
    return this.#audit.begin(EVERY_MS);
  }

  async #look(): Promise<void> {
    const [at, nothingPendingAt] = [Date.now(), this.#nothingPendingAt];
    try {
      const found = await auditWhatIsKept(this.#stores, { sinceMs: WINDOW_MS });
      const { balanced, accepted, logged, quarantined, dropped, pending, missing, extra } = found;
      this.#latest = { at, balanced, accepted, logged, quarantined, dropped, pending, missing, extra };
      if (missing === 0 && extra === 0) this.#completeAt = nothingPendingAt ?? this.#completeAt;
    } catch (error) {
      this.#log.debug({ err: error }, 'the last hour could not be audited');
    }
  }
}
