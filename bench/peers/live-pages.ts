/**
 * What ten people with the live page open ask of an API, and a Prometheus that scrapes it every second: its ports are
 * arguments 1 and 2. Ends with exit code 0 only when every stream went on to the end and nothing was refused.
 */
import { setTimeout as delay } from 'node:timers/promises';

const PAGES = 10;

const [port, adminPort] = process.argv.slice(2);
const stop = new AbortController();
const { signal } = stop;
let ended = 0;
const states = Array<number>(PAGES).fill(0);

async function watch(page: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/live/events`, { signal });
  if (answer.status !== 200) throw new Error(`${answer.status}`);
  void read(answer, page).catch(() => undefined);
}

async function read({ body }: Response, page: number): Promise<void> {
  for await (const part of body as unknown as AsyncIterable<Uint8Array>)
    if (Buffer.from(part).includes('event: state')) states[page] = (states[page] ?? 0) + 1;
  ended++;
}

async function scrape(): Promise<void> {
  while (!signal.aborted) {
    const answer = await fetch(`http://127.0.0.1:${adminPort}/metrics`);
    await answer.arrayBuffer();
    if (!answer.ok) ended++;
    await delay(1_000, undefined, { signal }).catch(() => undefined);
  }
}

process.once('SIGTERM', () => {
  process.exitCode = ended === 0 && states.every((seen) => seen > 0) ? 0 : 1;
  stop.abort();
});
await Promise.all(states.map((_, page) => watch(page)));
process.stdout.write(`${JSON.stringify({ msg: 'ready' })}\n`);
await scrape();
