import { setTimeout as delay } from 'node:timers/promises';
import { Asking } from './asking.js';
import { Changes } from './changes.js';
import { CountsFeed } from './counts-feed.js';
import type { WatchEvent } from './events.js';
import type { FrameView } from './frame.js';
import { LiveFeed } from './live-feed.js';
import { WatchRecord } from './record.js';
import { viewService } from './service.js';
import type { Show } from './show.js';
import { summarize } from './summary.js';

export interface WatchOptions {
  readonly url: URL;
  readonly insecure: boolean;
  readonly everyMs: number;
  /** Without it, until `signal` is aborted. */
  readonly forMs: number | undefined;
  readonly signal: AbortSignal;
  readonly show: Show;
}

/** Changes are looked for so often. */
const LOOK_MS = 250;

/** Events that a screen may want. */
const MOST_EVENTS = 200;

/** Watches a service from outside. Resolves with whether all was well: every ask answered, no gap, nothing missing. */
export async function watchService(options: WatchOptions): Promise<boolean> {
  const { url, insecure, everyMs, forMs, signal, show } = options;
  const beganAt = Date.now();
  const events: { at: number; event: WatchEvent }[] = [];
  const emit = (event: WatchEvent) => {
    const at = beganAt + asking.nowMs;
    events.push({ at, event });
    if (events.length > MOST_EVENTS) events.shift();
    show.event(event, at);
  };
  const record = new WatchRecord(emit);
  const asking = new Asking({ url, insecure, everyMs, lanes: record.lanes, listener: record });
  const live = new LiveFeed({ url, insecure });
  const counts = new CountsFeed({ url, insecure, wanted: () => live.status === 'off' });
  const changes = new Changes(record.answerers, emit);
  const view = (): FrameView => {
    const nowMs = asking.nowMs;
    const service = viewService({ live, counts }, record, performance.now(), nowMs);
    return { url: url.href, nowMs, beganAt, everyMs, service, record, events };
  };
  const look = () => {
    const now = view();
    record.look(now.nowMs);
    for (const instance of now.service.instances)
      if (instance.process === 'api' && instance.state === 'ready')
        record.answerers.told(instance, now.nowMs);
    changes.look(now.service, now.nowMs);
    return now;
  };

  for (const part of [asking, live, counts]) part.start();
  await lookUntil({ until: forMs ?? Infinity, now: () => asking.nowMs, signal, look, show });
  const ms = asking.nowMs;
  await asking.stop(); // while what is known of the service is still heard
  record.end(asking.nowMs);
  const { service } = look();
  await Promise.all([live.stop(), counts.stop()]);
  const summary = summarize({ url: url.href, ms, beganAt, record, service });
  show.summary(summary);
  return summary.ok;
}

interface Looking {
  readonly until: number;
  readonly now: () => number;
  readonly signal: AbortSignal;
  readonly look: () => FrameView;
  readonly show: Show;
}

async function lookUntil({ until, now, signal, look, show }: Looking): Promise<void> {
  for (let dueMs = show.everyMs; !signal.aborted && now() < until;) {
    const ms = Math.max(0, Math.min(LOOK_MS, dueMs - now(), until - now()));
    await delay(ms, undefined, { signal }).catch(() => undefined);
    const seen = look();
    if (now() < dueMs) continue;
    show.look(seen);
    dueMs = Math.max(dueMs + show.everyMs, now());
  }
}
