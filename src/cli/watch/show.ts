import { SECOND } from '../../shared/duration.js';
import type { Terminal } from '../command.js';
import { describeEvent, type WatchEvent } from './events.js';
import type { FrameView } from './frame.js';
import { WatchScreen } from './screen.js';
import { describeSecond, Seconds } from './second.js';
import { describeSummary, type Summary } from './summary.js';
import { clockTime } from './words.js';

/** The screen is drawn so often, and somebody who reads lines gets one so often. */
const FRAME_MS = SECOND / 2;
const QUIET_MS = 5 * SECOND;

/** How what is seen is shown. */
export interface Show extends Disposable {
  /** How often `look` is called. */
  readonly everyMs: number;
  look(view: FrameView): void;
  event(event: WatchEvent, at: number): void;
  summary(summary: Summary): void;
}

/** One JSON document a line, and nothing else. */
export function jsonShow(print: Terminal['print']): Show {
  let seconds: Seconds | undefined;
  return {
    everyMs: SECOND,
    look: ({ record, service, nowMs, beganAt }) => {
      seconds ??= new Seconds(record);
      print('', { type: 'second', ...seconds.next(service, nowMs, new Date(beganAt + nowMs)) });
    },
    event: (event, at) => print('', { type: 'event', at: new Date(at).toISOString(), ...event }),
    summary: (summary) => print('', { type: 'summary', ...summary }),
    [Symbol.dispose]: () => undefined,
  };
}

/** A line now and then, and one for each event. */
export function quietShow(print: Terminal['print']): Show {
  let seconds: Seconds | undefined;
  const say = (line: string, at: number) => print(`${clockTime(at)}  ${line}`, undefined);
  return {
    everyMs: QUIET_MS,
    look: ({ record, service, nowMs, beganAt }) => {
      seconds ??= new Seconds(record);
      say(describeSecond(seconds.next(service, nowMs, new Date(beganAt + nowMs))), beganAt + nowMs);
    },
    event: (event, at) => say(describeEvent(event), at),
    summary: (summary) => print(`\n${describeSummary(summary)}`, undefined),
    [Symbol.dispose]: () => undefined,
  };
}

/** A screen that is drawn again and again, and the summary below what was on the terminal before. */
export function screenShow(print: Terminal['print'], colours: boolean): Show {
  const screen = new WatchScreen(process.stdout, colours);
  let last: FrameView | undefined;
  const draw = () => last && screen.show(last);
  process.stdout.on('resize', draw);
  const close = () => {
    process.stdout.off('resize', draw);
    screen[Symbol.dispose]();
  };
  return {
    everyMs: FRAME_MS,
    look: (view) => {
      last = view;
      draw();
    },
    event: () => undefined, // the screen has them from the view
    summary: (summary) => {
      close();
      print(describeSummary(summary), undefined);
    },
    [Symbol.dispose]: close,
  };
}
