// Sends a sum to API_URL and finds it logged, counted and not missing.
import { execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

const { API_URL, DEADLINE_MS } = process.env;
const deadline = Date.now() + Number(DEADLINE_MS);

async function until(what, ask) {
  for (let last = 'nothing yet'; ; await delay(500)) {
    const found = await ask().catch((error) => void (last = error.cause?.message ?? error.message));
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`${what} did not happen in ${DEADLINE_MS} ms; last: ${last}`);
  }
}

async function json(path, options) {
  const answer = await fetch(`${API_URL}${path}`, options);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

const sum = {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: '{"numbers":[1,2,3,4]}',
};
const { id, result } = await until('an answer', () => json('/sum', sum));
if (result !== 10) throw new Error(`1 + 2 + 3 + 4 is not ${result}`);
console.log(`answered: ${id}`);

await until('logging', async () => {
  const { state } = await json(`/operations/${id}`);
  if (state !== 'logged') throw new Error(`it is ${state}`);
  return state;
});
console.log('logged');

const tally = (...args) =>
  JSON.parse(execFileSync('node', ['dist/cli/main.js', ...args, '--json'], { encoding: 'utf8' }));
const instance = id.slice(id.indexOf('-') + 1);
const { total, by } = tally('count', '--by', 'instance');
if (!by.some((row) => row.instance === instance && row.count > 0))
  throw new Error(`InfluxDB counts nothing of ${instance}`);
console.log(`counted: ${total} in all`);
