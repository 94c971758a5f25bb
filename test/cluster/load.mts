/**
 * Steady load, run inside the cluster by the image's own Node (`node --input-type=module-typescript --eval`), so it
 * imports nothing but Node. Two of three clients keep their connection, the third has a new one for each request. Each
 * request sends numbers that sum to its own serial. What comes of it is one line of JSON on standard output. Nothing is
 * sent twice: what fails, fails. Ends when standard input does, after the last answer.
 */
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const { API_URL = '', RATE = '100', FIRST = '1' } = process.env;

const CLIENTS = 12;
const TIMEOUT_MS = 30_000;

/** Between two requests of one client. */
const BETWEEN_MS = (CLIENTS / Number(RATE)) * 1_000;

interface Said {
  readonly id?: string;
  readonly result?: number;
  readonly status?: number;
  readonly error?: string;
}

let serial = Number(FIRST) - 1;
const stop = new AbortController();
let lines: string[] = [];

function ask(agent: Agent, sum: number): Promise<Said> {
  const body = JSON.stringify({ numbers: [sum - 1, 1] });
  const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length };
  return new Promise((resolve) => {
    const sending = request(
      `${API_URL}/sum`,
      { agent, method: 'POST', headers, timeout: TIMEOUT_MS },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', (error: NodeJS.ErrnoException) =>
          resolve({ error: error.code ?? error.message }),
        );
        response.on('end', () => {
          const { statusCode: status = 0 } = response;
          if (status !== 200) return resolve({ status });
          const { id, result } = JSON.parse(Buffer.concat(parts).toString()) as {
            id: string;
            result: number;
          };
          return resolve({ id, result });
        });
      },
    );
    sending.on('timeout', () => sending.destroy(new Error('no answer')));
    sending.on('error', (error: NodeJS.ErrnoException) => resolve({ error: error.code ?? error.message }));
    sending.end(body);
  });
}

async function client(index: number): Promise<void> {
  const kept = index % 3 !== 2;
  let agent = new Agent({ keepAlive: kept, maxSockets: 1 });
  let earlier: string | undefined;
  await delay((BETWEEN_MS / CLIENTS) * index);
  while (!stop.signal.aborted) {
    const sum = ++serial;
    const sentMs = Date.now();
    const said = await ask(agent, sum);
    const endedMs = Date.now();
    // Who answered last on this connection is who a failed request was sent to, unless the connection was a new one.
    const by = kept && said.id === undefined ? earlier : undefined;
    lines.push(JSON.stringify({ serial: sum, kept, sentMs, endedMs, by, ...said }));
    earlier = said.id?.slice(said.id.indexOf('-') + 1);
    if (said.id === undefined) {
      agent.destroy();
      agent = new Agent({ keepAlive: kept, maxSockets: 1 });
    }
    await delay(Math.max(0, sentMs + BETWEEN_MS - endedMs));
  }
  agent.destroy();
}

function flush(): void {
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
  lines = [];
}

process.stdin.resume();
process.stdin.once('end', () => stop.abort());
lines.push(JSON.stringify({ nowMs: Date.now() }));
const flushing = setInterval(flush, 200);
await Promise.all(Array.from({ length: CLIENTS }, (_, index) => client(index)));
clearInterval(flushing);
lines.push(JSON.stringify({ done: true }));
flush();
