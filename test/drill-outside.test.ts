import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { createServer as createSecureServer } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { generate } from 'selfsigned';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Balancer } from '../src/drill/processes/balancer.js';
import { Fleet } from '../src/drill/processes/fleet.js';
import { Load } from '../src/drill/clients/load.js';
import { MEASUREMENT } from '../src/shared/operation.js';
import { openServers, Scene, type Servers } from './system/scene.js';

const TALLY = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

interface Document {
  readonly verdict: string;
  readonly broken: readonly string[];
  readonly requests: Readonly<Record<'sent' | 'answered' | 'refused' | 'reset' | 'timedOut', number>>;
  readonly operations: Readonly<
    Record<'acknowledged' | 'stored' | 'lost' | 'twice' | 'wrong' | 'invented', number>
  >;
  readonly events: readonly { what: string; target: string }[];
  readonly audit?: Readonly<Record<'accepted' | 'logged' | 'missing' | 'extra', number>>;
}

let servers: Servers;
let scene: Scene;
let apis: Fleet;
let workers: Fleet;
let balancer: Balancer;
let control: Server;
beforeAll(async () => {
  servers = await openServers();
});
afterAll(() => servers[Symbol.asyncDispose]());

/** A deployment of its own: two APIs and a worker behind a balancer, and a door through which commands reach it. */
beforeEach(async () => {
  scene = await Scene.open(servers);
  balancer = await Balancer.open({ probeMs: 100, lagMs: 100 });
  const env = { ...scene.env, BATCH_INTERVAL: '500ms', SHUTDOWN_DELAY: '1s' };
  workers = await Fleet.start({ kind: 'worker', env, replicas: 1, minReadyMs: 0 });
  apis = await Fleet.start({
    ...{ kind: 'api', env, replicas: 2, minReadyMs: 500 },
    onStart: ({ instance, port, adminPort }) => balancer.add({ name: instance, port, adminPort }),
    onLeave: ({ instance }) => balancer.remove(instance),
  });
  const done: Readonly<Record<string, () => Promise<unknown>>> = {
    '/roll': () => Promise.all([apis.roll(), workers.roll()]),
    '/lose': () => scene.influx.query(`DELETE FROM "${MEASUREMENT}" WHERE time < now() - 1s`, 'POST'),
  };
  control = createServer((request, response) => {
    void done[request.url ?? '']?.().then(() => response.end('done'));
  }).listen(0, '127.0.0.1');
  await once(control, 'listening');
});
afterEach(async () => {
  control.close();
  for (const resource of [apis, workers, balancer, scene]) await resource[Symbol.asyncDispose]();
});

/** What a user would type: a program that has it done and waits for the end of it. */
function command(path: string): string {
  const { port } = control.address() as AddressInfo;
  return `"${process.execPath}" -e "fetch('http://127.0.0.1:${port}${path}').then((a) => a.text()).then(console.log)"`;
}

async function drill(url: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const common = ['--connections', '6', '--duration', '3s', '--seed', '1', '--patience', '8s', '--json'];
  const child = spawn(process.execPath, [TALLY, 'drill', '--url', url, ...common, ...args], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { out: '', err: '' };
  child.stdout.on('data', (data: Buffer) => (said.out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (said.err += data.toString()));
  const [code] = (await once(child, 'close')) as [number];
  return { ...said, code, document: () => JSON.parse(said.out) as Document };
}

const influxOnly = () => ({ ...scene.env, DATABASE_URL: '', REDIS_URL: '' });

describe('tally drill --url', { timeout: 120_000 }, () => {
  const http = () => `http://127.0.0.1:${balancer.port}`;

  test('restarts a deployment under load, beside other traffic, and finds every operation of its own', async () => {
    const others = new Load({ connections: 3, target: () => balancer.port });
    const roll = command('/roll');
    const { code, err, document } = await drill(http(), ['--during', roll, '--repeat', '2'], scene.env);
    await others.stop();
    expect(code, err).toBe(0);
    const { verdict, requests, operations, events, audit } = document();
    expect(verdict).toBe('pass');
    expect(events.map(({ what, target }) => [what, target])).toEqual([
      [roll, 'exit code 0'],
      [roll, 'exit code 0'],
    ]);
    expect(requests).toMatchObject({ sent: requests.answered, refused: 0, reset: 0, timedOut: 0 });
    expect(operations).toEqual({
      ...{ acknowledged: requests.answered, stored: requests.answered },
      ...{ lost: 0, twice: 0, wrong: 0, invented: 0 },
    });
    expect(others.answered.size).toBeGreaterThan(0);
    expect(audit?.accepted).toBeGreaterThan(requests.answered);
    expect(audit).toMatchObject({ missing: 0, extra: 0 });
  });

  test('says what was lost when points go missing from InfluxDB meanwhile', async () => {
    const { code, document } = await drill(http(), ['--during', command('/lose')], influxOnly());
    expect(code).toBe(1);
    const { verdict, operations, broken, audit } = document();
    expect([verdict, audit]).toEqual(['fail', undefined]);
    expect(operations.lost).toBeGreaterThan(0);
    expect(operations.lost).toBe(operations.acknowledged - operations.stored);
    expect(broken).toEqual([`${operations.lost} acknowledged operations are not stored`]);
  });

  test('says which requests failed when processes end without grace', async () => {
    const kill = `kill -9 ${apis.running[0]?.pid}; sleep 1`;
    const { code, document } = await drill(http(), ['--during', kill], influxOnly());
    expect(code).toBe(1);
    const { requests, operations, broken } = document();
    expect(requests.reset).toBeGreaterThan(0);
    expect(operations).toMatchObject({ lost: 0, twice: 0, wrong: 0, invented: 0 });
    expect(broken).toEqual([`${requests.reset} requests failed although nothing explains it`]);
  });

  test('fails when a command does', async () => {
    const { code, document } = await drill(http(), ['--during', 'exit 3'], influxOnly());
    expect(code).toBe(1);
    expect(document().broken).toEqual(['"exit 3" ended with exit code 3']);
  });

  test('speaks HTTPS, and checks certificates unless it is told not to', async () => {
    const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }]);
    const front = createSecureServer({ key, cert }, (client) => {
      const upstream = connect(balancer.port, '127.0.0.1');
      client.pipe(upstream).pipe(client);
      for (const socket of [client, upstream])
        socket.on('error', () => void [client, upstream].map((s) => s.destroy()));
    }).listen(0, '127.0.0.1');
    await once(front, 'listening');
    const url = `https://localhost:${(front.address() as AddressInfo).port}`;
    const refused = await drill(url, [], influxOnly());
    expect([refused.code, refused.out]).toEqual([1, '']);
    expect(refused.err).toContain('does not answer: reset, DEPTH_ZERO_SELF_SIGNED_CERT');
    const trusting = await drill(url, ['--insecure'], influxOnly());
    expect(trusting.code, trusting.err).toBe(0);
    expect(trusting.document().requests.answered).toBeGreaterThan(10);
    front.close();
  });

  test('names the variables that it misses before it sends anything', async () => {
    const { code, err, out } = await drill(http(), []);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('INFLUX_URL');
    expect(err).toContain('INFLUX_BUCKET');
    expect(await scene.count()).toBe(0);
  });

  test.each([
    [['--plan', 'roll'], '--plan is for a drill on this machine'],
    [['--repeat', '0'], '--repeat: "0" is not a whole number of at least 1'],
  ])('does not begin with %s', async (args, said) => {
    const { code, err } = await drill('https://tally.example', args, influxOnly());
    expect(code).toBe(2);
    expect(err).toContain(said);
  });

  test('takes only addresses', async () => {
    const { code, err } = await drill('tally.example', [], influxOnly());
    expect(code).toBe(2);
    expect(err).toContain('--url: "tally.example" is not an address such as https://tally.example');
  });
});
