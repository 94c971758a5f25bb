import { DAY, SECOND } from '../shared/duration.js';
import { UsageError, type Command, type Terminal, type Values } from './command.js';
import { addressOption, durationOption } from './options.js';

/** By convention the exit code of a program that Ctrl+C ended. */
const INTERRUPTED = 130;

/** How often may be asked: more would be load, less would not see a gap of a second. */
const LEAST_EVERY_MS = 50;
const MOST_EVERY_MS = SECOND;

/** A timer cannot be set for longer. */
const MOST_FOR_MS = 24 * DAY;

export const watch: Command = {
  name: 'watch',
  summary: 'show a running service as its users see it: answers by version, errors, gaps, totals',
  help: `Asks the service from outside, several times a second: POST /sum and GET /version, each on new connections and on one
that is kept alive. Shows every answer by its version, what failed, how long it took, and what the service says of
itself: totals, backlog, instances, stores that are away. It takes that from /live/events where LIVE_PAGE is on; where it
is off, from GET /counts of the last hour (every 5 s) and from the answers of /version.

Its own sums are operations as all others: they are logged and counted, 8 a second unless --every says otherwise. Their
request id is live-watch.

Options:
  --url URL    where the service answers (default http://localhost:4000)
  --for D      ends after this time, such as 60s; without it, Ctrl+C ends it. The summary is the same
  --every D    how often each of the four asks, from 50ms to 1s (default 250ms)
  --json       one document a line: type "second", "event" or, at the end, "summary"
  --insecure   take whatever certificate it has; better, NODE_EXTRA_CA_CERTS names the one to trust

On a terminal it draws a screen (without colours where NO_COLOR is set); elsewhere it writes a line every 5 s, and one for
each event: a version or an instance comes or goes, a store is away, an ask fails, there is a gap.

An ask failed when its answer is not 200 or not what was asked for, when its connection breaks, or when there is no answer
within 5 s. Nothing is sent twice. A gap is more than a second without an answer to POST /sum, or to GET /version, on new
connections or on the kept one, although something was asked: it begins with the first ask after the last answer (with
that answer, if another ask was on its way), and ends with the next answer. What happens while this process itself
stands still does not count, and it says so.

Exit code 0 when every ask was answered and there was no gap; 1 when one failed, when there was a gap, or when something
is missing or too much at the end (where nobody can tell, it says so); 2 for options that cannot be understood.

Examples:
  tally watch
  tally watch --url https://tally.example --for 10m --json > deploy.jsonl`,
  options: {
    url: { type: 'string', default: 'http://localhost:4000' },
    for: { type: 'string' },
    every: { type: 'string', default: '250ms' },
    insecure: { type: 'boolean' },
  },
  run,
};

async function run(values: Values, { env, print }: Terminal): Promise<number> {
  const options = readOptions(values);
  // What a watch needs is of no use to the other commands.
  const [{ watchService }, { jsonShow, quietShow, screenShow }] = await Promise.all([
    import('./watch/run.js'),
    import('./watch/show.js'),
  ]);
  const stop = new AbortController();
  const interrupt = () => {
    if (stop.signal.aborted) process.exit(INTERRUPTED);
    stop.abort();
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, interrupt);
  // Who read our lines has gone: head, for one.
  process.stdout.on('error', () => stop.abort());
  const screen = process.stdout.isTTY && env['TERM'] !== 'dumb';
  using show =
    values['json'] === true
      ? jsonShow(print)
      : screen
        ? screenShow(print, !env['NO_COLOR'])
        : quietShow(print);
  process.on('exit', () => show[Symbol.dispose]());
  const good = await watchService({ ...options, signal: stop.signal, show });
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, interrupt);
  return good ? 0 : 1;
}

/** @throws {UsageError} with every fault. */
function readOptions(values: Values) {
  const faults: string[] = [];
  const read = <T>(option: () => T): T | undefined => {
    try {
      return option();
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      faults.push(error.message);
      return undefined;
    }
  };
  const url = read(() => addressOption('url', values['url']));
  const everyMs = read(() => boundedDuration('every', values, LEAST_EVERY_MS, MOST_EVERY_MS));
  const forMs = read(() => boundedDuration('for', values, 1, MOST_FOR_MS));
  if (!url || !everyMs || faults.length > 0) throw new UsageError(faults.join('\n  '));
  return { url, everyMs, forMs, insecure: values['insecure'] === true };
}

function boundedDuration(name: string, values: Values, leastMs: number, mostMs: number): number | undefined {
  const ms = durationOption(name, values[name]);
  if (ms === undefined || (ms >= leastMs && ms <= mostMs)) return ms;
  const most = mostMs >= DAY ? `${mostMs / DAY}d` : `${mostMs}ms`;
  throw new UsageError(
    `--${name}: "${String(values[name])}" is not within bounds; expected ${leastMs}ms to ${most}`,
  );
}
