import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { latch } from './latch.js';

const THIS_FILE = fileURLToPath(import.meta.url);

/** Somebody to connect to, who notices it. */
class Listener {
  readonly #server: Server;
  #connections = 0;
  #arrived = latch();

  constructor() {
    this.#server = createServer((socket) => {
      this.#connections++;
      this.#arrived.resolve();
      socket.destroy();
    });
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Connections until now: connections come in order, so when our own is here, every earlier one is. */
  async connections(): Promise<number> {
    const before = this.#connections;
    this.#arrived = latch();
    const { port } = this.#server.address() as AddressInfo;
    connect(port, '127.0.0.1').on('error', () => undefined);
    while (this.#connections === before) await this.#arrived.promise;
    return this.#connections - 1;
  }

  close(): void {
    this.#server.close();
  }
}

async function run(main: string, env: Readonly<Record<string, string>>) {
  const path = fileURLToPath(new URL(`../dist/${main}/main.js`, import.meta.url));
  const child = spawn(process.execPath, [path], { env: { PATH: process.env['PATH'], ...env } });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (data: Buffer) => (output.stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (output.stderr += data.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}

let listener: Listener;
let address: string;
beforeEach(async () => {
  listener = new Listener();
  address = await listener.listen();
});
afterEach(() => listener.close());

describe.each(['api', 'worker'])('the %s with a fault in its configuration', (kind) => {
  test('exits with code 1 and every fault before it connects to anything or listens', async () => {
    const { code, stdout, stderr } = await run(kind, {
      REDIS_URL: `redis://me:hunter2@${address}`,
      DATABASE_URL: `postgres://me:hunter2@${address}/tally`,
      INFLUX_URL: `http://me:hunter2@${address}`,
      INFLUX_TOKEN: 'hunter2',
      SHUTDOWN_TIMEOUT: '20',
      LOG_LEVEL: 'loud',
    });
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr.trimEnd().split('\n')).toEqual([
      'The configuration has 3 faults:',
      '  INFLUX_BUCKET: is required; expected the bucket; the database on InfluxDB 1.x',
      '  LOG_LEVEL: "loud" is not valid; expected one of fatal, error, warn, info, debug, trace, silent',
      expect.stringMatching(/^ {2}SHUTDOWN_TIMEOUT: "20" is not valid; expected a duration with its unit/),
    ]);
    expect(await listener.connections()).toBe(0);
  });

  test('exits with code 1 and without a secret when an address is the fault', async () => {
    const { code, stdout, stderr } = await run(kind, {
      REDIS_URL: `http://me:hunter2@${address}`,
      DATABASE_URL: `mysql://me:hunter2@${address}`,
      INFLUX_URL: `hunter2`,
      INFLUX_BUCKET: 'tally',
    });
    expect([code, stdout]).toEqual([1, '']);
    for (const name of ['REDIS_URL', 'DATABASE_URL', 'INFLUX_URL']) expect(stderr).toContain(`  ${name}: `);
    expect(stderr).not.toContain('hunter2');
    expect(await listener.connections()).toBe(0);
  });
});

test('the worker whose port is taken says so, exits with code 1, and hangs on nothing', async () => {
  const { code, stderr } = await run('worker', {
    REDIS_URL: 'redis://127.0.0.1:1',
    DATABASE_URL: 'postgres://127.0.0.1:1/tally',
    INFLUX_URL: 'http://127.0.0.1:1',
    INFLUX_BUCKET: 'tally',
    HOST: '127.0.0.1',
    ADMIN_PORT: address.split(':')[1] ?? '',
  });
  expect(code).toBe(1);
  expect(stderr).toContain('EADDRINUSE');
});

describe('the api with a certificate that cannot be used', () => {
  const environment = {
    REDIS_URL: 'redis://127.0.0.1:1',
    DATABASE_URL: 'postgres://127.0.0.1:1/tally',
    INFLUX_URL: 'http://127.0.0.1:1',
    INFLUX_BUCKET: 'tally',
  };

  test.each([
    [
      'is not there',
      { TLS_CERT_FILE: '/nowhere/tls.crt', TLS_KEY_FILE: '/nowhere/tls.key' },
      /cannot be read: ENOENT/,
    ],
    ['has no key', { TLS_CERT_FILE: '/nowhere/tls.crt' }, /TLS_KEY_FILE: is required with TLS_CERT_FILE/],
    ['is something else', { TLS_CERT_FILE: THIS_FILE, TLS_KEY_FILE: THIS_FILE }, /is not a certificate/],
  ])('because it %s exits with code 1 and says so', async (_, files, said) => {
    const { code, stdout, stderr } = await run('api', { ...environment, ...files });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^The configuration has (a fault|2 faults):/);
    expect(stderr).toMatch(said);
  });
});
