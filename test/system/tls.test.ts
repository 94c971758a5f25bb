import { writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Clients } from '../../src/drill/clients/clients.js';
import { DrillCertificate } from '../../src/drill/processes/drill-certificate.js';
import { Random } from '../../src/drill/clients/random.js';
import { RequestRecord } from '../../src/drill/clients/record.js';
import { makeCertificate } from '../../src/drill/processes/self-signed.js';
import type { TallyProcess } from '../../src/drill/processes/tally-process.js';
import { Connection } from '../connection.js';
import { Http2Client } from '../http2-client.js';
import { until } from '../latch.js';
import { openServers, Scene, type Servers } from './scene.js';

let servers: Servers;
let scene: Scene;
let certificate: DrillCertificate;
let clients: Http2Client[];
beforeAll(async () => {
  servers = await openServers();
});
afterAll(() => servers[Symbol.asyncDispose]());
beforeEach(async () => {
  clients = [];
  [scene, certificate] = await Promise.all([Scene.open(servers), DrillCertificate.make()]);
});
afterEach(async () => {
  for (const client of clients) client[Symbol.dispose]();
  await scene[Symbol.asyncDispose]();
  await certificate[Symbol.asyncDispose]();
});

const start = (settings: Readonly<Record<string, string>> = {}) =>
  scene.api({ ...certificate.files, ...settings });

async function open({ port }: TallyProcess, ca = certificate.ca): Promise<Http2Client> {
  const client = await Http2Client.open(port, ca);
  clients.push(client);
  return client;
}

const sum = (client: Http2Client, numbers: readonly number[]) =>
  client.ask('/sum', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ numbers }),
  });

const metrics = async ({ adminPort }: TallyProcess) =>
  (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();

const inFlight = (api: TallyProcess, requests: number) =>
  until(async () => (await metrics(api)).includes(`\ntally_http_requests_in_flight ${requests}\n`));

describe('an API with a certificate', () => {
  test('answers over HTTP/2 and HTTP/1.1, its admin port in plain HTTP, and nothing else in plain', async () => {
    const api = await start();
    expect(await sum(await open(api), [1, 2])).toMatchObject({ status: 200 });
    const classic = await Connection.open(api.port, certificate.ca);
    classic.get('/version');
    expect(await classic.receives('"state":"ready"')).toMatch(/^HTTP\/1\.1 200 /);
    classic[Symbol.dispose]();
    expect((await fetch(`http://127.0.0.1:${api.adminPort}/readyz`)).status).toBe(200);
    await expect(fetch(`http://127.0.0.1:${api.port}/version`)).rejects.toThrow('fetch failed');
  });

  test('shows a certificate that comes while it runs to new connections, and goes on with the old ones', async () => {
    const api = await start();
    const old = await open(api);
    const next = await makeCertificate();
    await writeFile(certificate.files.TLS_KEY_FILE, next.key);
    await writeFile(certificate.files.TLS_CERT_FILE, next.cert);
    await api.logged(({ msg }) => msg === 'the certificate was renewed');
    expect(await sum(await open(api, next.cert), [1])).toMatchObject({ status: 200 });
    expect(await sum(old, [1])).toMatchObject({ status: 200 });
  });
});

describe('SIGTERM to an API with a certificate', () => {
  test('fails no request of HTTP/2 and HTTP/1.1 clients as one process follows another, and nothing is lost', async () => {
    let api = await start();
    const entrance = {
      get port() {
        return api.port;
      },
      ...{ tls: { ca: certificate.ca }, http2: true as const, routeOf: () => undefined },
    };
    const record = new RequestRecord();
    const load = new Clients({
      ...{ balancer: entrance, record, connections: 20, idleMs: [50, 700], random: new Random(1) },
    });
    const endings = [];
    for (let n = 0; n < 3; n++) {
      const before = record.acknowledged.size;
      await until(() => record.acknowledged.size > before + 300);
      const old = api;
      api = await start();
      endings.push(await old.stop());
    }
    await load.stop();
    expect(record.failed).toEqual([]);
    expect(endings).toMatchObject(endings.map(() => ({ code: 0, receipt: { cut: 0, unaccounted: 0 } })));
    expect(record.acknowledged.size).toBe(record.sent);
    const worker = await scene.worker();
    expect((await worker.stop()).code).toBe(0);
    expect(await scene.count()).toBe(record.sent);
  });

  test('says GOAWAY at once, serves on, and finishes the streams that are in flight', async () => {
    const api = await start({ SUM_DELAY: '1500ms', SHUTDOWN_DELAY: '500ms' });
    const client = await open(api);
    const answers = [1, 2, 3].map((number) => sum(client, [number]));
    await inFlight(api, 3);
    api.signal('SIGTERM');
    await until(() => client.goneAfter.length > 0);
    expect(client.goneAfter[0]).toBe(2 ** 31 - 1);
    const late = await open(api);
    answers.push(sum(late, [4]));
    expect(await Promise.all(answers)).toMatchObject(answers.map(() => ({ status: 200 })));
    expect(await api.ended()).toMatchObject({ code: 0, receipt: { accepted: 4, cut: 0 } });
  });

  test('cuts streams that hang after SHUTDOWN_TIMEOUT, and its receipt says how many', async () => {
    const api = await start({ SHUTDOWN_DELAY: '0ms', SHUTDOWN_TIMEOUT: '1s' });
    const client = await open(api);
    const post = { method: 'POST', headers: { 'content-type': 'application/json' } };
    const hanging = [1, 2].map(() => client.ask('/sum', { ...post, body: new ReadableStream() }));
    const outcomes = Promise.allSettled(hanging);
    await inFlight(api, 2);
    expect((await api.stop()).receipt).toMatchObject({ cut: 2 });
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});
