/**
 * InfluxDB's own limit: four writers that do nothing but post finished batches of 500 lines over plain keep-alive HTTP.
 * Says how many seconds the second half of the lines in argument 1 took.
 */
import { Agent, request } from 'node:http';
import { INFLUX_VARIABLES, readVariables } from '../../src/shared/configuration.js';
import { makeChunks } from '../operations.js';

const WRITERS = 4;
const operations = Number(process.argv[2]);
const { INFLUX_URL, INFLUX_TOKEN, INFLUX_ORG, INFLUX_BUCKET } = readVariables(INFLUX_VARIABLES, process.env);
const bodies = [...makeChunks(operations, 500)].map(({ lines }) => Buffer.from(lines.text));
const agent = new Agent({ keepAlive: true, maxSockets: WRITERS });
const path =
  INFLUX_ORG === ''
    ? `/write?db=${INFLUX_BUCKET}&precision=ns`
    : `/api/v2/write?bucket=${INFLUX_BUCKET}&org=${INFLUX_ORG}&precision=ns`;
const headers = INFLUX_TOKEN === '' ? {} : { Authorization: `Token ${INFLUX_TOKEN}` };

function post(body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, INFLUX_URL), { method: 'POST', agent, headers }, (response) => {
      response.resume().once('end', () => {
        if (response.statusCode === 204) resolve();
        else reject(new Error(`InfluxDB answered ${response.statusCode}`));
      });
    });
    sent.once('error', reject).end(body);
  });
}

async function write(untilLeft: number): Promise<void> {
  while (bodies.length > untilLeft) {
    const body = bodies.pop();
    if (body) await post(body);
  }
}

const writeAll = (untilLeft: number) => Promise.all(Array.from({ length: WRITERS }, () => write(untilLeft)));

await writeAll(bodies.length / 2);
const started = performance.now();
await writeAll(0);
process.stdout.write(`${(performance.now() - started) / 1_000}\n`);
agent.destroy();
