import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import postgres from 'postgres';
import { describe, expect, inject, test } from 'vitest';
import {
  openInfluxDB1,
  openInfluxDB2,
  openPostgres,
  openRedis,
  openStores,
} from '../src/drill/stores/open-stores.js';
import { onPath } from '../src/drill/stores/command.js';
import type { Store } from '../src/drill/stores/store.js';
import { Influx } from '../src/shared/influx.js';
import { Lines } from '../src/shared/lines.js';

/** Keeps a value in the store, and reads all that were kept. */
interface Keeper {
  readonly keep: (value: number) => Promise<void>;
  readonly kept: () => Promise<number[]>;
}

function redisKeeper({ environment }: Store): Keeper {
  const run = async <T>(work: (redis: Redis) => Promise<T>) => {
    const redis = new Redis(environment['REDIS_URL'] ?? '', { retryStrategy: () => null });
    return work(redis).finally(() => redis.disconnect());
  };
  const key = `${environment['QUEUE_PREFIX'] ?? 'tally'}:kept`;
  return {
    keep: async (value) => void (await run((redis) => redis.rpush(key, value))),
    kept: () => run(async (redis) => (await redis.lrange(key, 0, -1)).map(Number)),
  };
}

function postgresKeeper({ environment }: Store): Keeper {
  const run = async <T>(work: (sql: postgres.Sql) => Promise<T>) => {
    const sql = postgres(environment['DATABASE_URL'] ?? '', { max: 1, onnotice: () => undefined });
    try {
      return await work(sql);
    } finally {
      await sql.end();
    }
  };
  return {
    keep: (value) =>
      run(async (sql) => {
        await sql`create table if not exists kept (value int)`;
        await sql`insert into kept values (${value})`;
      }),
    kept: () =>
      run(async (sql) =>
        (await sql`select value from kept order by value`).map((row) => Number(row['value'])),
      ),
  };
}

function influxKeeper({ environment }: Store): Keeper {
  const run = async <T>(work: (influx: Influx) => Promise<T>) => {
    const { INFLUX_URL = '', INFLUX_TOKEN = '', INFLUX_ORG = '', INFLUX_BUCKET = '' } = environment;
    using influx = new Influx({ INFLUX_URL, INFLUX_TOKEN, INFLUX_ORG, INFLUX_BUCKET });
    const { generation } = await influx.server();
    if (generation === 1) await influx.query(`CREATE DATABASE "${INFLUX_BUCKET}"`, 'POST');
    return await work(influx);
  };
  return {
    keep: (value) =>
      run(async (influx) => {
        const { status, body } = await influx.write(Lines.of([`kept value=${value}i ${value}`]));
        expect(body).toBe('');
        expect(status).toBe(204);
      }),
    kept: () =>
      run(async (influx) => {
        const [series] = await influx.query('SELECT value FROM kept');
        return (series?.values ?? []).map((row) => Number(row[1]));
      }),
  };
}

const OPEN_INFLUXDB = { 1: openInfluxDB1, 2: openInfluxDB2 };

const KINDS = [
  { kind: 'Redis', open: openRedis, keeper: redisKeeper },
  { kind: 'Postgres', open: openPostgres, keeper: postgresKeeper },
  ...inject('influxGenerations').map((generation) => ({
    kind: `InfluxDB ${generation}.x`,
    open: OPEN_INFLUXDB[generation],
    keeper: influxKeeper,
  })),
];

describe.each(KINDS)('$kind', ({ open, keeper }) => {
  test('keeps its address and its data across stop, kill and start', async () => {
    await using store = await open();
    const { url } = store;
    const { keep, kept } = keeper(store);
    await keep(1);
    await store.stop();
    expect(await listens(url)).toBe(false);
    await store.start();
    await keep(2);
    await store.kill();
    expect(await listens(url)).toBe(false);
    await store.start();
    expect(await kept()).toEqual([1, 2]);
    expect(store.url).toBe(url);
  });

  test('comes back from kill after kill with everything it acknowledged', async () => {
    await using store = await open();
    const { keep, kept } = keeper(store);
    const values = [1, 2, 3, 4, 5, 6];
    for (const value of values) {
      await keep(value);
      await store.kill();
      await store.start();
    }
    expect(await kept()).toEqual(values);
  });

  test('may be started, stopped and killed twice, and at once', async () => {
    await using store = await open();
    await Promise.all([
      store.start(),
      store.kill(),
      store.kill(),
      store.stop(),
      store.start(),
      store.start(),
    ]);
    expect(await listens(store.url)).toBe(true);
  });

  test('leaves neither process nor folder when disposed, running or killed', async () => {
    await using folder = await openFolder();
    const stores = await Promise.all([1, 2].map(() => open({ environment: folder.environment })));
    expect(await readdir(folder.path)).toHaveLength(2);
    await stores[0]?.kill();
    await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
    for (const { url } of stores) expect(await listens(url)).toBe(false);
    expect(await readdir(folder.path)).toEqual([]);
    await expect(stores[0]?.start()).rejects.toMatchObject({ code: 'START' });
  });
});

test.each(['SIGTERM', 'SIGINT', 'SIGKILL', 'an uncaught error'] as const)(
  'servers and folders go with the process that opened them: %s',
  async (end) => {
    await using folder = await openFolder();
    const script = `
      import { openStores } from ${JSON.stringify(pathOf('../src/drill/stores/open-stores.ts'))};
      const environment = JSON.parse(process.argv[1]);
      const { redis, postgres } = await openStores({ which: ['redis', 'postgres'], environment });
      process.stdin.once('data', () => { throw new Error('uncaught'); });
      process.stdout.write(JSON.stringify([redis.url, postgres.url]));`;
    const environment = { ...folder.environment, REDIS_URL: '', DATABASE_URL: '' };
    const args = ['--import', 'tsx', '--input-type=module', '-e', script, JSON.stringify(environment)];
    const child = spawn(process.execPath, args, { cwd: pathOf('..'), stdio: ['pipe', 'pipe', 'ignore'] });
    const exited = once(child, 'exit');
    let urls: string[] = [];
    try {
      const [said] = (await once(child.stdout, 'data')) as [Buffer];
      urls = JSON.parse(said.toString()) as string[];
      for (const url of urls) expect(await listens(url)).toBe(true);
      if (end === 'an uncaught error') child.stdin.write('now');
      else child.kill(end);
      await exited;
    } finally {
      child.kill('SIGKILL');
    }
    for (const url of urls) await expect.poll(() => listens(url), { timeout: 10_000 }).toBe(false);
    await expect.poll(() => readdir(folder.path), { timeout: 10_000 }).toEqual([]);
  },
);

describe('servers that were there before us', () => {
  test.each(inject('influxGenerations'))(
    'are used in a place of our own and left as they were, InfluxDB %s.x',
    async (generation) => {
      const influx = `${generation}` as const;
      const openInfluxDB = OPEN_INFLUXDB[generation];
      await using redis = await openRedis();
      await using database = await openPostgres();
      await using influxdb = await openInfluxDB();
      const before = [redisKeeper(redis), postgresKeeper(database), influxKeeper(influxdb)];
      for (const { keep } of before) await keep(1);

      const environment = { ...redis.environment, ...database.environment, ...influxdb.environment };
      const stores = await openStores({ environment, influx });
      const after = [
        redisKeeper(stores.redis),
        postgresKeeper(stores.postgres),
        influxKeeper(stores.influxdb),
      ];
      for (const { keep } of after) await keep(2);
      for (const { kept } of after) expect(await kept()).toEqual([2]);
      expect(stores.environment['QUEUE_PREFIX']).toMatch(/^tally-demo-/);
      for (const store of [stores.redis, stores.postgres, stores.influxdb]) {
        await expect(store.start()).rejects.toMatchObject({ code: 'EXTERNAL' });
        await expect(store.stop()).rejects.toMatchObject({ code: 'EXTERNAL' });
        await expect(store.kill()).rejects.toMatchObject({ code: 'EXTERNAL' });
      }
      await stores[Symbol.asyncDispose]();

      for (const { kept } of before) expect(await kept()).toEqual([1]);
      expect(await redisKeeper(stores.redis).kept()).toEqual([]);
      await expect(postgresKeeper(stores.postgres).kept()).rejects.toThrow('does not exist');
      expect(await databases(influxdb)).not.toContain(stores.environment['INFLUX_BUCKET']);
    },
  );
});

test.each(['redis+cluster://127.0.0.1:1', 'redis+sentinel://127.0.0.1:1/mymaster', 'redis://a:1,b:1'])(
  'a Redis of REDIS_URL that is more than one server is refused by name: %s',
  async (REDIS_URL) => {
    const environment = { ...process.env, REDIS_URL };
    await expect(openStores({ which: ['redis'], environment })).rejects.toThrow(
      /single server|several nodes/,
    );
  },
);

describe('finding', () => {
  test('opens nothing but what is asked for, all with one environment', async () => {
    const environment = { ...process.env, REDIS_URL: '', DATABASE_URL: '', INFLUX_URL: '' };
    const lines: string[] = [];
    const report = (line: string) => void lines.push(line);
    await using stores = await openStores({ which: ['redis', 'influxdb'], influx: '1', environment, report });
    expect(Object.keys(stores).sort()).toEqual(['environment', 'influxdb', 'redis']);
    expect(stores.environment).toEqual({ ...stores.redis.environment, ...stores.influxdb.environment });
    expect(lines).toEqual([`Redis: ${stores.redis.origin}`, `InfluxDB 1.x: ${stores.influxdb.origin}`]);
  });

  test('names what is missing and the commands that bring it', async () => {
    await expect(
      openStores({ which: ['redis', 'influxdb'], environment: { PATH: '' } }),
    ).rejects.toMatchObject({
      code: 'MISSING',
      message: [
        'Not found on this machine: Redis, InfluxDB. To get what is missing:',
        '  Debian:  sudo apt-get install redis-server influxdb',
        '  macOS:   brew install redis influxdb@2',
        '  or start Docker, or set REDIS_URL, INFLUX_URL.',
      ].join('\n'),
    });
  });

  test("installs Debian's packages when there is no other way, and says so", async () => {
    await using folder = await openFolder();
    const passOn = (words: number) => `shift ${words}; exec "$@"`;
    await using tools = await openTools({ sudo: passOn(1), flock: passOn(1), sh: 'exec /bin/sh "$@"' });
    await tools.add(
      'apt-get',
      `echo "$@" >>${tools.path}/said; ln -sf ${onPath('redis-server', process.env)} ${tools.path}`,
    );
    await symlink('/bin/ln', join(tools.path, 'ln'));
    const lines: string[] = [];
    await using stores = await openStores({
      which: ['redis'],
      environment: { PATH: tools.path, TMPDIR: folder.path },
      report: (line) => void lines.push(line),
    });
    expect(lines[0]).toMatch(/^Installing Debian's packages redis-server/);
    expect(stores.redis.origin).toBe(join(tools.path, 'redis-server'));
    expect((await readFile(join(tools.path, 'said'), 'utf8')).split('\n')).toEqual([
      'update',
      '-o DPkg::Lock::Timeout=300 install -y --no-install-recommends redis-server',
      '',
    ]);
  });

  test('a server that does not start says why, and leaves nothing behind', async () => {
    await using folder = await openFolder();
    await using tools = await openTools({ 'redis-server': 'echo "no such luck" >&2; exit 1' });
    const environment = { PATH: tools.path, TMPDIR: folder.path };
    await expect(openRedis({ environment })).rejects.toMatchObject({
      code: 'START',
      message: expect.stringMatching(/ended while it started[^]*no such luck/) as string,
    });
    expect(await readdir(folder.path)).toEqual([]);
  });
});

/** A folder for temporary folders, which Postgres's user may enter. */
async function openFolder() {
  const path = await mkdtemp(join(tmpdir(), 'tally-test-'));
  await chmod(path, 0o755);
  return {
    path,
    environment: { ...process.env, TMPDIR: path },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

/** A folder of shell scripts, to be the whole `PATH`. */
async function openTools(scripts: Readonly<Record<string, string>>) {
  const path = await mkdtemp(join(tmpdir(), 'tally-tools-'));
  const add = (name: string, script: string) =>
    writeFile(join(path, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  await Promise.all(Object.entries(scripts).map(([name, script]) => add(name, script)));
  return { path, add, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function listens(url: string): Promise<boolean> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function databases({ environment }: Store): Promise<unknown[]> {
  const { INFLUX_URL = '', INFLUX_TOKEN = '', INFLUX_ORG = '', INFLUX_BUCKET = '' } = environment;
  using influx = new Influx({ INFLUX_URL, INFLUX_TOKEN, INFLUX_ORG, INFLUX_BUCKET });
  const [series] = await influx.query('SHOW DATABASES');
  return (series?.values ?? []).flat();
}

function pathOf(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}
