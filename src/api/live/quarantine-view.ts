import type { LiveQuarantine } from '../../shared/live.js';
import { SECOND } from '../../shared/duration.js';
import { askLedger } from '../../shared/ledger-question.js';
import type { Logger } from '../../shared/log.js';
import type { Postgres } from '../../shared/postgres.js';
import { Paced } from './paced.js';

const EVERY_MS = 2 * SECOND;

/** The latest of them, and what is shown of a line and of a reason: 20 × 2 × 2,000 characters ≈ 80 kB. */
const LINES = 20;
const CHARACTERS = 2_000;

type Line = Omit<LiveQuarantine['lines'][number], 'refusedAt'> & { readonly refusedAt: Date };

export interface QuarantineViewOptions {
  readonly postgres: Postgres;
  readonly log: Logger;
  readonly onChange: (quarantine: LiveQuarantine) => void;
}

/** What is in quarantine, as it was last seen. */
export class QuarantineView {
  readonly #options: QuarantineViewOptions;
  readonly #look = new Paced(() => this.#ask());
  #latest: LiveQuarantine = { total: 0, lines: [] };

  constructor(options: QuarantineViewOptions) {
    this.#options = options;
  }

  get latest(): LiveQuarantine {
    return this.#latest;
  }

  /** Looks again where that is due; resolves when it has. */
  refresh(): Promise<void> {
    return this.#look.begin(EVERY_MS);
  }

  async #ask(): Promise<void> {
    const { postgres, log, onChange } = this.#options;
    try {
      const rows = await askLedger(
        postgres,
        (sql) => sql<(Line & { total: number })[]>`
          SELECT id::float8, chunk_id AS chunk, left(line, ${CHARACTERS}) AS line, left(reason, ${CHARACTERS}) AS reason,
                 status, refused_at AS "refusedAt", (count(*) OVER ())::float8 AS total
          FROM quarantine WHERE dropped_at IS NULL ORDER BY quarantine.id DESC LIMIT ${LINES}`,
      );
      const lines = rows.map(({ id, chunk, line, reason, status, refusedAt }) => {
        return { id, chunk, line, reason, status, refusedAt: refusedAt.toISOString() };
      });
      const found = { total: rows[0]?.total ?? 0, lines };
      if (JSON.stringify(found) === JSON.stringify(this.#latest)) return;
      this.#latest = found;
      onChange(found);
    } catch (error) {
      log.debug({ err: error }, 'the quarantine could not be read');
    }
  }
}
