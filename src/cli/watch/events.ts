import { describeLane, type Call, type Connection } from './lanes.js';
import { seconds } from './words.js';

/** What happened while somebody watched. */
export type WatchEvent =
  | { readonly event: 'version'; readonly version: string; readonly change: 'appears' | 'disappears' }
  | {
      readonly event: 'instance';
      readonly process: 'api' | 'worker';
      readonly instance: string;
      readonly version: string;
      readonly state: string;
    }
  | ({ readonly event: 'error'; readonly reason: string } & AtLane)
  | ({ readonly event: 'gap'; readonly change: 'begins' | 'ends'; readonly ms: number } & AtLane)
  | { readonly event: 'store'; readonly store: string; readonly change: 'away' | 'back' }
  | { readonly event: 'missing'; readonly missing: number }
  | { readonly event: 'source'; readonly source: Source; readonly why: string }
  | { readonly event: 'pause'; readonly ms: number };

interface AtLane {
  readonly call: Call;
  readonly connection: Connection;
}

/** Where the totals come from: `/live/events`, `/counts`, or nowhere at the moment. */
export type Source = 'live' | 'counts' | 'none';

/** One line for people. */
export function describeEvent(event: WatchEvent): string {
  switch (event.event) {
    case 'version':
      return `version ${event.version} ${event.change}`;
    case 'instance':
      return `${event.process} ${event.instance} of ${event.version} is ${event.state}`;
    case 'error':
      return `✗ ${describeLane(event)}: ${event.reason}`;
    case 'gap':
      return event.change === 'begins'
        ? `✗ gap: no answer to ${describeLane(event)} for more than a second`
        : `gap over: no answer to ${describeLane(event)} for ${seconds(event.ms)}`;
    case 'store':
      return event.change === 'away' ? `✗ ${event.store} is away` : `${event.store} is back`;
    case 'missing':
      return event.missing === 0
        ? 'nothing is missing any more'
        : `✗ ${event.missing} operations are missing`;
    case 'source':
      return event.why;
    default:
      return `this process stood still for ${seconds(event.ms)}; what failed or was late meanwhile does not count`;
  }
}
