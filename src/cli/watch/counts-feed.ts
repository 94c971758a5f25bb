import { z } from 'zod';
import { SECOND } from '../../shared/duration.js';
import { pathOf, targetOf } from '../../drill/clients/address.js';
import { HttpConnection } from '../../drill/clients/http-connection.js';
import { Feed } from './feed.js';
import type { LiveFeedOptions } from './live-feed.js';

/** Counting asks all stores: not too often. */
const EVERY_MS = 5 * SECOND;

/** Longer than the stores' own deadlines. */
const TIMEOUT_MS = 30 * SECOND;

const count = z.number().nonnegative();

const Counts = z.object({
  accepted: count,
  logged: count,
  quarantined: count,
  dropped: count,
  pending: count,
  missing: count,
  extra: count,
});

type SeenCounts = z.output<typeof Counts>;

/** Asks `GET /counts` for the last hour, as long as it is wanted. */
export class CountsFeed extends Feed {
  counts: SeenCounts | undefined;
  /** When they came, as Unix time in milliseconds. */
  at = 0;
  /** When everything accepted was last found logged, as Unix time in milliseconds. */
  completeAt: number | null = null;
  readonly #options: LiveFeedOptions & { readonly wanted: () => boolean };

  constructor(options: LiveFeedOptions & { readonly wanted: () => boolean }) {
    super();
    this.#options = options;
  }

  protected async turn(signal: AbortSignal): Promise<number> {
    if (this.#options.wanted()) await this.#ask(signal);
    return this.#options.wanted() ? EVERY_MS : SECOND / 4;
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const { url, insecure } = this.#options;
    const connection = new HttpConnection(targetOf(url, insecure));
    const close = () => connection.close();
    signal.addEventListener('abort', close);
    const asked = connection.get(pathOf(url, '/counts?since=1h'), { last: true, timeoutMs: TIMEOUT_MS });
    const reply = await asked;
    signal.removeEventListener('abort', close);
    connection.close();
    if (signal.aborted) return;
    this.counts = reply.kind === 'answered' && reply.status === 200 ? read(reply.body) : undefined;
    this.at = Date.now();
    if (this.counts && isComplete(this.counts)) this.completeAt = this.at;
  }
}

const isComplete = ({ pending, missing, extra }: SeenCounts) => pending + missing + extra === 0;

function read(body: string): SeenCounts | undefined {
  try {
    return Counts.safeParse(JSON.parse(body)).data;
  } catch {
    return undefined;
  }
}
