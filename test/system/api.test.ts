import { connect } from 'node:net';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { readOperations } from '../../src/drill/verdict/verdict.js';
import type { TallyProcess } from '../../src/drill/processes/tally-process.js';
import { TcpProxy } from '../../src/drill/processes/tcp-proxy.js';
import { until } from '../latch.js';
import { useScene, type Scene, sum, TurningLoad, type Servers } from './scene.js';

let servers: Servers;
let scene: Scene;
useScene((made, running) => {
  scene = made;
  servers = running;
});

const admin = (api: TallyProcess, path: string) => fetch(`http://127.0.0.1:${api.adminPort}${path}`);

/** The worker, as the last one alive, empties the queue. */
async function logAll() {
  const worker = await scene.worker();
  expect((await worker.stop()).code).toBe(0);
}

describe('a deploy', () => {
  test('of API and worker under load fails no request, loses nothing and counts nothing twice', async () => {
    const old = { api: await scene.api(), worker: await scene.worker() };
    const load = new TurningLoad(old.api, 50);
    await load.untilAnswered(1_000);
    const next = { api: await scene.api(), worker: await scene.worker() };
    load.turnTo(next.api);
    const endings = await Promise.all([old.api.stop(), old.worker.stop()]);
    await load.untilAnswered(load.answered.size + 1_000);
    await load.stop();
    expect(endings.map(({ code }) => code)).toEqual([0, 0]);
    expect(load.failed).toEqual([]);
    expect((await next.api.stop()).code).toBe(0);
    expect((await next.worker.stop()).code).toBe(0);
    const all = { acknowledged: load.sent, stored: load.sent, lost: 0, twice: 0, wrong: 0 };
    expect(await scene.verdict(load)).toEqual(all);
  });
});

describe('SIGTERM to the API', () => {
  test('resets no request under keep-alive load, and its receipt accounts for every answer', async () => {
    const api = await scene.api();
    const load = new TurningLoad(api, 50);
    await load.untilAnswered(500);
    load.turnTo(await scene.api());
    const { code, receipt } = await api.stop();
    await load.stop();
    expect(load.failed).toEqual([]);
    const answeredByIt = [...load.answered.keys()].filter((id) => id.endsWith(api.instance)).length;
    expect({ code, ...receipt }).toMatchObject({
      code: 0,
      accepted: answeredByIt,
      refused: 0,
      cut: 0,
      unaccounted: 0,
    });
  });

  test('turns load balancers away at once, and serves on with Connection: close until they have gone', async () => {
    const api = await scene.api({ SHUTDOWN_DELAY: '2s' });
    expect((await admin(api, '/readyz')).status).toBe(200);
    api.signal('SIGTERM');
    await api.logged(({ msg }) => msg === 'draining');
    expect((await admin(api, '/readyz')).status).toBe(503);
    expect((await admin(api, '/livez')).status).toBe(200);
    const { status, headers } = await sum(api, [1, 2]);
    expect([status, headers.get('connection')]).toEqual([200, 'close']);
    expect((await api.ended()).code).toBe(0);
  });

  test('finishes a slow request that is in flight', async () => {
    const api = await scene.api({ SUM_DELAY: '1500ms', SHUTDOWN_DELAY: '0ms' });
    const answer = sum(api, [20, 22]);
    await until(async () =>
      (await (await admin(api, '/metrics')).text()).includes('\ntally_http_requests_in_flight 1\n'),
    );
    api.signal('SIGTERM');
    expect(await answer).toMatchObject({ status: 200, body: { result: 42 } });
    expect(await api.ended()).toMatchObject({ code: 0, receipt: { accepted: 1, cut: 0 } });
  });

  test('cuts what still hangs after SHUTDOWN_TIMEOUT, and says so', async () => {
    const api = await scene.api({ SHUTDOWN_DELAY: '0ms', SHUTDOWN_TIMEOUT: '1s' });
    const client = connect(api.port, '127.0.0.1');
    client.write(
      'POST /sum HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{',
    );
    await once(client, 'connect');
    expect((await sum(api, [1])).status).toBe(200); // by now the half request has been read
    expect((await api.stop()).receipt).toMatchObject({ cut: 1 });
  });

  test('a second signal ends it at once, and SIGINT does not wait for load balancers', async () => {
    const [twice, interrupted] = [
      await scene.api({ SHUTDOWN_DELAY: '30s' }),
      await scene.api({ SHUTDOWN_DELAY: '30s' }),
    ];
    twice.signal('SIGTERM');
    await twice.logged(({ msg }) => msg === 'draining');
    expect(await twice.stop('SIGTERM')).toMatchObject({ code: 143, receipt: undefined });
    expect(await interrupted.stop('SIGINT')).toMatchObject({ code: 0, receipt: { accepted: 0 } });
  });
});

describe('a crash', () => {
  test('kill -9 of the API loses nothing that was answered', async () => {
    const api = await scene.api();
    const load = new TurningLoad(api, 50);
    await load.untilAnswered(1_000);
    await api.kill();
    load.turnTo(await scene.api());
    await load.untilAnswered(load.answered.size + 200);
    await load.stop();
    await logAll();
    expect(await scene.verdict(load)).toMatchObject({ lost: 0, wrong: 0 });
  });

  test('kill -9 of Redis under load loses nothing that was answered', async () => {
    const load = new TurningLoad(await scene.api(), 50);
    await load.untilAnswered(1_000);
    await servers.redis.kill();
    await servers.redis.start();
    await load.untilAnswered(load.answered.size + 500);
    await load.stop();
    await logAll();
    expect(await scene.verdict(load)).toMatchObject({ lost: 0, twice: 0, wrong: 0 });
  });
});

describe('a store that is away', () => {
  test.each(['redis', 'postgres'] as const)('(%s) fails no request, and nothing is lost', async (away) => {
    const load = new TurningLoad(await scene.api(), 50);
    await load.untilAnswered(1_000);
    await servers[away].kill();
    await load.untilAnswered(load.answered.size + 1_000);
    await servers[away].start();
    await load.untilAnswered(load.answered.size + 1_000);
    await load.stop();
    expect(load.failed).toEqual([]);
    await logAll();
    expect(await scene.verdict(load)).toMatchObject({ stored: load.sent, lost: 0, twice: 0, wrong: 0 });
  });

  test('with the other one is answered with 503 and Retry-After within the deadline, and nothing refused is counted', async () => {
    const api = await scene.api();
    expect((await sum(api, [1])).status).toBe(200);
    await Promise.all([servers.redis.kill(), servers.postgres.kill()]);
    for (let n = 0; n < 5; n++) {
      const { status, headers, ms } = await sum(api, [1]);
      expect([status, headers.get('retry-after')]).toEqual([503, '1']);
      expect(ms).toBeLessThan(1_000);
    }
    expect((await admin(api, '/readyz')).status).toBe(503);
    expect((await admin(api, '/livez')).status).toBe(200);
    await Promise.all([servers.redis.start(), servers.postgres.start()]);
    await until(async () => (await sum(api, [2])).status === 200);
    await logAll();
    expect(await scene.count()).toBe(2);
  });

  test.each(['both', 'answers'] as const)(
    'a Redis that stalls (%s held back) without a ledger refuses in time, and what arrived although it was refused is taken back',
    async (what) => {
      await using proxy = await TcpProxy.open(Number(new URL(servers.redis.url).port));
      const REDIS_URL = `redis://127.0.0.1:${proxy.port}`;
      const api = await scene.api({ REDIS_URL, DATABASE_URL: 'postgres://127.0.0.1:1/away' });
      expect((await sum(api, [1])).status).toBe(200);
      proxy.stall(what);
      const { status, ms } = await sum(api, [2]);
      expect(status).toBe(503);
      expect(ms).toBeLessThan(1_500);
      proxy.resume();
      await until(async () => (await sum(api, [3])).status === 200);
      if (what === 'answers') await api.logged(({ msg }) => msg === 'a refused chunk was taken back');
      await logAll();
      const stored = await readOperations(scene.influx);
      expect(new Set(stored.map(({ result }) => result))).toEqual(new Set([1, 3]));
      expect(stored).toHaveLength(2);
    },
  );
});

describe('what a caller sends', () => {
  test('stays in its place in the line, whatever it is', async () => {
    const api = await scene.api();
    const hostile = [
      'a",result=9 1\noperation,instance=x result=1',
      'a b',
      'x\\',
      '"',
      'a,b=c',
      'é',
      'ok.id_1-A',
    ];
    for (const [n, id] of hostile.entries()) {
      const headers = await rawRequestId(api, id, n);
      expect(headers).toMatch(/^HTTP\/1\.1 (200|400)/);
    }
    await logAll();
    const series = await scene.influx.query('SELECT "request_id", "result" FROM "operation" GROUP BY *');
    expect(
      series.every(
        ({ tags }) =>
          Object.keys(tags ?? {})
            .sort()
            .join() === 'instance,name',
      ),
    ).toBe(true);
    const ids = series.flatMap(({ values = [] }) => values.map(([, id]) => String(id)));
    expect(ids).toContain('ok.id_1-A');
    expect(ids.every((id) => /^[A-Za-z0-9._-]{1,128}$/.test(id))).toBe(true);
    expect(await scene.count()).toBe(ids.length);
  });
});

describe('a clock that goes backwards', () => {
  test('meets no point that is there already', async () => {
    const step = 'let n=0;const now=Date.now;Date.now=()=>now()-(n++)*1000;';
    const api = await scene.api({
      NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(step)}`,
    });
    const ids: string[] = [];
    for (let n = 0; n < 50; n++) ids.push(String((await sum(api, [n])).body.id));
    expect(
      ids.toSorted((a, b) => Number(BigInt(a.split('-')[0] ?? 0) - BigInt(b.split('-')[0] ?? 0))),
    ).toEqual(ids);
    await logAll();
    expect(await scene.count()).toBe(50);
  });
});

/** Sends a header that HTTP clients would refuse to send; resolves with the head of the answer. */
async function rawRequestId(api: TallyProcess, id: string, n: number): Promise<string> {
  const body = `{"numbers":[${n}]}`;
  const client = connect(api.port, '127.0.0.1');
  client.write(
    `POST /sum HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${body.length}\r\nX-Request-Id: ${id}\r\n\r\n${body}`,
  );
  let answer = '';
  client.on('data', (data) => (answer += data.toString()));
  await once(client, 'close');
  return answer;
}
