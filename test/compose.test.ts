import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { IMAGES } from '../src/drill/stores/images.js';
import {
  API_VARIABLES,
  INFLUX_VARIABLES,
  WORKER_VARIABLES,
  readVariables,
} from '../src/shared/configuration.js';
import { parseDuration } from '../src/shared/duration.js';
import { CLOSE_MARGIN_MS } from '../src/shared/process.js';

interface Service {
  readonly image: string;
  readonly build?: object;
  readonly command?: string | readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly init?: boolean;
  readonly ports?: readonly string[];
  readonly profiles?: readonly string[];
  readonly restart?: string;
  readonly stop_grace_period?: string;
  readonly stop_signal?: string;
  readonly volumes?: readonly string[];
}

interface Compose {
  readonly name: string;
  readonly services: Readonly<
    Record<'redis' | 'postgres' | 'influxdb' | 'setup' | 'api' | 'worker' | 'prometheus' | 'grafana', Service>
  >;
  readonly volumes: Readonly<Record<string, null>>;
}

const STORES = ['redis', 'postgres', 'influxdb'] as const;
const PROCESSES = { api: API_VARIABLES, worker: WORKER_VARIABLES } as const;
const CODE = [API_VARIABLES, WORKER_VARIABLES];
const CODE_NAMES = new Set(CODE.flatMap((variables) => Object.keys(variables)));

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

const template = read('docker-compose.yml').replace(/^\s*#.*$/gm, '');
const { services, volumes } = parse(template, { merge: true }) as Compose;

/** The settings that docker compose takes from its environment, and the default of each. */
const taken = [...template.matchAll(/\$\{(\w+):-([^}]*)\}/g)].map(([, name = '', value = '']) => ({
  name,
  value,
}));

/** A text of docker-compose.yml as compose reads it when nothing is set. */
const resolved = (text: string) => text.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1');

const environmentOf = ({ environment = {} }: Service) =>
  Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, resolved(value)]));

const example = read('.env.example');
const examples = [...example.matchAll(/^(#?)([A-Z_]+)=(.*)$/gm)].map(([, mark, name = '', value = '']) => ({
  name,
  value,
  commented: mark === '#',
}));

/** What a process takes `text` for; its default when nothing is given. */
function meaningsOf(name: string, text?: string): readonly unknown[] {
  return CODE.filter((variables) => name in variables).map((variables) => {
    const variable = variables[name as keyof typeof variables];
    const { success, data } = variable.safeParse(text === '' ? undefined : text);
    return success ? data : expect.fail(`${name}=${text ?? ''} is not valid`);
  });
}

describe('.env.example', () => {
  test('names every setting of the code and of docker-compose.yml, and no other', () => {
    const names = new Set(examples.map(({ name }) => name));
    expect([...names].sort()).toEqual([...new Set([...CODE_NAMES, ...taken.map(({ name }) => name)])].sort());
  });

  test('shows the defaults of the code, and of docker-compose.yml where the code has none', () => {
    for (const { name, value, commented } of examples) {
      if (!commented) continue;
      if (CODE_NAMES.has(name)) expect(meaningsOf(name), name).toContainEqual(meaningsOf(name, value)[0]);
      else expect(taken).toContainEqual({ name, value });
    }
  });

  test('sets what leads to the stores, and leaves everything else at its default', () => {
    const set = examples.filter(({ commented }) => !commented).map(({ name }) => name);
    const stores = ['REDIS_URL', 'DATABASE_URL', ...Object.keys(INFLUX_VARIABLES)];
    expect(set.sort()).toEqual(stores.sort());
  });

  test('says of every setting what it is', () => {
    for (const { 0: line, index } of example.matchAll(/^#?[A-Z_]+=.*$/gm))
      expect(example.slice(0, index), line).toMatch(/\n# [A-Z].+\.\n$/i);
  });

  test('gives a process on the host the stores that docker compose publishes', () => {
    const env = parseEnv(example) as NodeJS.ProcessEnv;
    const onHost = readVariables({ ...API_VARIABLES, ...WORKER_VARIABLES }, env);
    const inContainer = environmentOf(services.api);
    for (const name of ['REDIS_URL', 'DATABASE_URL', 'INFLUX_URL'] as const) {
      const address = new URL(inContainer[name] ?? '');
      const published = STORES.flatMap((store) =>
        store === address.hostname ? (services[store].ports ?? []) : [],
      );
      const { host, username, password, pathname } = new URL(onHost[name]);
      expect(published.map(resolved), name).toEqual([`${host}:${address.port}`]);
      expect({ username, password, pathname }, name).toEqual({
        username: address.username,
        password: address.password,
        pathname: address.pathname,
      });
    }
    for (const name of ['INFLUX_TOKEN', 'INFLUX_ORG', 'INFLUX_BUCKET'] as const)
      expect(onHost[name], name).toBe(inContainer[name]);
  });
});

describe('docker compose', () => {
  test.each(['api', 'worker'] as const)(
    'gives the %s a valid configuration, and nothing that the code does not know',
    (process) => {
      const env = environmentOf(services[process]);
      expect(() => readVariables(PROCESSES[process], env)).not.toThrow();
      for (const name of Object.keys(env)) expect(PROCESSES[process]).toHaveProperty(name);
    },
  );

  test('gives the setup every store, and nothing that the code does not know', () => {
    const env = environmentOf(services.setup);
    const { REDIS_URL, DATABASE_URL } = API_VARIABLES;
    expect(() => readVariables({ ...INFLUX_VARIABLES, REDIS_URL, DATABASE_URL }, env)).not.toThrow();
    for (const name of Object.keys(env)) expect(CODE_NAMES).toContain(name);
  });

  test('changes no default of the code but for the live page, and lets the environment change every setting', () => {
    // The container's own: what is published is decided outside. Files of TLS would have to be mounted as well.
    const fixed = ['HOST', 'PORT', 'ADMIN_PORT', 'INSTANCE'];
    const later = ['TLS_CERT_FILE', 'TLS_KEY_FILE'];
    const stores = new Set(Object.keys(environmentOf(services.setup)));
    for (const [process, variables] of Object.entries(PROCESSES)) {
      const { environment = {} } = services[process as keyof typeof PROCESSES];
      for (const [name, variable] of Object.entries(variables)) {
        if ([...fixed, ...later].includes(name)) {
          expect(environment, process).not.toHaveProperty(name);
        } else if (!stores.has(name)) {
          expect(environment[name], `${process} ${name}`).toMatch(new RegExp(`^\\$\\{${name}:-[^}]*\\}$`));
          const usual = name === 'LIVE_PAGE' ? true : variable.parse(undefined);
          expect(variable.parse(resolved(environment[name] ?? '')), name).toEqual(usual);
        }
      }
    }
  });

  test('initialises the stores with what the processes use', () => {
    const { DATABASE_URL = '', INFLUX_TOKEN, INFLUX_ORG, INFLUX_BUCKET } = environmentOf(services.api);
    const { username, password, pathname } = new URL(DATABASE_URL);
    expect(environmentOf(services.postgres)).toMatchObject({
      POSTGRES_USER: username,
      POSTGRES_PASSWORD: password,
      POSTGRES_DB: pathname.slice(1),
    });
    expect(environmentOf(services.influxdb)).toMatchObject({
      DOCKER_INFLUXDB_INIT_ADMIN_TOKEN: INFLUX_TOKEN,
      DOCKER_INFLUXDB_INIT_ORG: INFLUX_ORG,
      DOCKER_INFLUXDB_INIT_BUCKET: INFLUX_BUCKET,
    });
  });

  test('gives a setting one default, wherever it takes it', () => {
    const defaults = Object.fromEntries(taken.map(({ name, value }) => [name, value]));
    for (const { name, value } of taken) expect(value, name).toBe(defaults[name]);
  });

  test('gives the API and the worker the whole of their drain before it kills them', () => {
    const api = readVariables(API_VARIABLES, environmentOf(services.api));
    const worker = readVariables(WORKER_VARIABLES, environmentOf(services.worker));
    expect(graceOf(services.api)).toBeGreaterThan(
      api.SHUTDOWN_DELAY + api.SHUTDOWN_TIMEOUT + CLOSE_MARGIN_MS,
    );
    expect(graceOf(services.worker)).toBeGreaterThan(worker.SHUTDOWN_TIMEOUT + CLOSE_MARGIN_MS);
  });

  test.each(['api', 'worker'] as const)(
    'starts the %s after healthy stores and a finished setup',
    (process) => {
      const healthy = Object.fromEntries(STORES.map((store) => [store, { condition: 'service_healthy' }]));
      expect(services.setup.depends_on).toEqual(healthy);
      expect(services[process].depends_on).toMatchObject({
        ...healthy,
        setup: { condition: 'service_completed_successfully' },
      });
      for (const service of [...STORES, process])
        expect(services[service].healthcheck?.test[0], service).toBe('CMD');
    },
  );

  test('stops the API before the worker, and the worker before the stores', () => {
    expect(Object.keys(services.api.depends_on ?? {})).toContain('worker');
    expect(Object.keys(services.worker.depends_on ?? {})).toEqual(expect.arrayContaining([...STORES]));
  });

  test('runs API, worker and setup from one image, with node as what gets the signals', () => {
    const { api, worker, setup } = services;
    expect(new Set([api, worker, setup].map(({ image }) => image)).size).toBe(1);
    expect(setup.build).toBeDefined();
    for (const { command, init } of [api, worker, setup]) {
      expect(command?.[0]).toBe('node');
      expect(init).toBe(true);
    }
    expect(read('Dockerfile')).toMatch(/^CMD \["node", "dist\/api\/main\.js"\]$/m);
  });

  test('brings back what crashed, except the setup', () => {
    for (const [name, { restart }] of Object.entries(services))
      expect(restart, name).toBe(name === 'setup' ? 'no' : 'unless-stopped');
  });

  test('takes the same images as the demo', () => {
    const { redis, postgres, influxdb } = services;
    expect({ redis: redis.image, postgres: postgres.image, influxdb: influxdb.image }).toEqual(IMAGES);
  });

  test('has a Redis that evicts nothing and writes everything down', () => {
    const { command = '' } = services.redis;
    for (const option of ['--appendonly yes', '--appendfsync everysec', '--maxmemory-policy noeviction'])
      expect(command).toContain(option);
  });

  test('has an InfluxDB that closes its files when it stops', () => {
    expect(services.influxdb.stop_signal).toBe('SIGINT');
  });

  test('keeps the data of every store in a named volume, and has no other volumes', () => {
    const mounts = [...STORES, 'prometheus' as const].flatMap((store) => services[store].volumes ?? []);
    const named = mounts.map((mount) => mount.split(':')[0] ?? '').filter((name) => !name.startsWith('./'));
    expect(new Set(named)).toEqual(new Set(Object.keys(volumes)));
    const folders = {
      redis: '/data',
      postgres: '/var/lib/postgresql',
      influxdb: '/var/lib/influxdb2',
      prometheus: '/prometheus',
    };
    for (const [store, folder] of Object.entries(folders))
      expect(services[store as keyof typeof folders].volumes).toContain(`${store}:${folder}`);
  });

  test('brings Prometheus and Grafana in the profile observe, and everything else without one', () => {
    for (const [name, { profiles }] of Object.entries(services))
      expect(profiles, name).toEqual(['prometheus', 'grafana'].includes(name) ? ['observe'] : undefined);
    for (const { image } of [services.prometheus, services.grafana])
      expect(image).toMatch(/:v?\d+\.\d+\.\d+$/);
  });

  test('mounts for them what is in the repository, for them to read only', () => {
    const mounts = [services.prometheus, services.grafana].flatMap(({ volumes: all = [] }) => all);
    const files = mounts.flatMap((mount) => /^\.\/([^:]+):\/etc\/[^:]+:ro$/.exec(mount)?.[1] ?? []);
    expect(files).toEqual([
      'observe/prometheus.yml',
      'charts/tally/files/rules.yaml',
      'observe/grafana-datasources.yml',
      'observe/grafana-dashboards.yml',
      'charts/tally/files/dashboard.json',
    ]);
    for (const file of files) expect(read(file).length, file).toBeGreaterThan(0);
  });

  test('gives Grafana the Prometheus and the dashboard that it has mounted', () => {
    const { datasources } = parse(read('observe/grafana-datasources.yml')) as {
      datasources: readonly { type: string; url: string; isDefault: boolean; jsonData: object }[];
    };
    const { providers } = parse(read('observe/grafana-dashboards.yml')) as {
      providers: readonly { options: { path: string } }[];
    };
    const { global } = parse(read('observe/prometheus.yml')) as { global: Record<string, string> };
    expect(datasources).toMatchObject([
      {
        type: 'prometheus',
        url: 'http://prometheus:9090',
        isDefault: true,
        jsonData: { timeInterval: global['scrape_interval'] },
      },
    ]);
    const home = environmentOf(services.grafana)['GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH'];
    expect(services.grafana.volumes).toContain(`./charts/tally/files/dashboard.json:${home}:ro`);
    expect(providers.map(({ options }) => `${options.path}/dashboard.json`)).toEqual([home]);
  });

  test('publishes nothing but the API beyond this machine', () => {
    const open = Object.values(services)
      .flatMap(({ ports = [] }) => ports.map(resolved))
      .filter((port) => !port.startsWith('127.0.0.1:'));
    expect(open).toEqual(['4000:4000']);
  });
});

const graceOf = ({ stop_grace_period = '' }: Service) => parseDuration(resolved(stop_grace_period)) ?? 0;
