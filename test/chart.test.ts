import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { IMAGES } from '../src/drill/stores/images.js';
import { API_VARIABLES, WORKER_VARIABLES, readVariables } from '../src/shared/configuration.js';
import { CLOSE_MARGIN_MS } from '../src/shared/process.js';
import { CHART, helm } from './chart/helm.js';
import type { Kind, Kinds } from './chart/kinds.js';
import { containersOf, environmentOf, podsOf, type Container } from './chart/pods.js';
import { NAMESPACE, render, SHAPES, type Rendering, type Shape } from './chart/rendering.js';
import { faultsOf } from './chart/schemas.js';

const PROCESSES = { api: API_VARIABLES, worker: WORKER_VARIABLES } as const;
const STORES = ['redis', 'postgres', 'influxdb'] as const;
const COMPONENT = 'app.kubernetes.io/component';

/** Building Helm takes minutes. */
const FIRST_RUN_MS = 20 * 60_000;

/** The chart has them where there is a collector alone. */
const ofTracing = (name: string) => name.startsWith('OTEL_');

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

let renderings: Readonly<Record<Shape, Rendering>>;
let standard: Rendering;

beforeAll(async () => {
  await helm(['version']);
  const [standardOne, production, tiny] = await Promise.all(SHAPES.map((shape) => render({ shape })));
  if (!standardOne || !production || !tiny) throw new Error('a shape is missing');
  renderings = { default: standardOne, production, tiny };
  standard = standardOne;
}, FIRST_RUN_MS);

/** The one container of a Deployment or StatefulSet. */
function containerOf(kind: 'Deployment' | 'StatefulSet', name: string, rendering = standard): Container {
  const [container] = rendering.get(kind, name).spec?.template.spec?.containers ?? [];
  return container ?? expect.fail(`${name} has no container`);
}

const podSpecOf = (process: keyof typeof PROCESSES, rendering = standard) =>
  rendering.get('Deployment', `tally-${process}`).spec?.template.spec;

const envOf = (process: keyof typeof PROCESSES, rendering = standard) =>
  environmentOf(containerOf('Deployment', `tally-${process}`, rendering), rendering);

describe.each(SHAPES)('the chart with %s values', (shape) => {
  test('passes helm lint --strict', async () => {
    const report = await helm(['lint', '--strict', CHART, '--values', `${CHART}/ci/${shape}-values.yaml`]);
    expect(report).toContain('0 chart(s) failed');
  });

  test('fits the schemas of Kubernetes', async () => {
    expect(await faultsOf(renderings[shape].all)).toBe('');
  });

  test('gives each object a name and the labels of its release', () => {
    const names = renderings[shape].all.map(({ kind, metadata }) => `${kind} ${metadata?.name}`);
    expect(new Set(names).size).toBe(names.length);
    for (const { kind, metadata } of renderings[shape].all)
      expect(metadata?.labels, `${kind} ${metadata?.name}`).toMatchObject({
        'app.kubernetes.io/name': 'tally',
        'app.kubernetes.io/instance': 'tally',
        'app.kubernetes.io/managed-by': 'Helm',
      });
  });

  test('passes the restricted level of Pod Security, with a file system that nobody writes', () => {
    const pods = podsOf(renderings[shape]);
    expect(pods.length).toBeGreaterThan(4);
    for (const { name, spec } of pods) {
      expect(spec.securityContext, name).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(spec.securityContext?.runAsUser, name).toBeGreaterThan(0);
      for (const volume of spec.volumes ?? []) expect(volume, name).not.toHaveProperty('hostPath');
      for (const container of spec.containers)
        expect(container.securityContext, name).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
    }
  });

  test('gives no pod a token, nor the variables of other Services; only chaos may ask the cluster', () => {
    for (const { name, component, spec } of podsOf(renderings[shape])) {
      expect(spec.automountServiceAccountToken, name).toBe(component === 'chaos');
      expect(spec.enableServiceLinks, name).toBe(false);
    }
    const granted = renderings[shape].of('Role').map(({ rules }) => rules);
    const least = [[{ apiGroups: [''], resources: ['pods'], verbs: ['list', 'delete'] }]];
    expect(granted).toEqual(shape === 'tiny' ? least : []);
  });

  test('runs no image called latest, or without a version', () => {
    for (const { name, image = '' } of containersOf(renderings[shape])) {
      expect(image, name).toMatch(/(:[\w.-]+|@sha256:[0-9a-f]{64})$/);
      expect(image, name).not.toMatch(/:latest$/);
    }
  });

  test.each(['api', 'worker'] as const)(
    'gives the %s a valid configuration, every variable that it needs and none that the code does not know',
    (process) => {
      const env = envOf(process, renderings[shape]);
      // Of Node itself, by extraEnv.
      delete env['NODE_EXTRA_CA_CERTS'];
      expect(() => readVariables(PROCESSES[process], env)).not.toThrow();
      // The name of the pod is the better instance; chaos and TLS are off.
      const left = ['INSTANCE', 'CHAOS_TOKEN', 'TLS_CERT_FILE', 'TLS_KEY_FILE'];
      const known = Object.keys(PROCESSES[process]).filter(
        (name) => !left.includes(name) && !ofTracing(name),
      );
      expect(Object.keys(env).sort()).toEqual(known.sort());
    },
  );

  test('waits for the whole drain of a pod before it is killed', () => {
    const api = readVariables(API_VARIABLES, envOf('api', renderings[shape]));
    const worker = readVariables(WORKER_VARIABLES, envOf('worker', renderings[shape]));
    const graceMs = (process: 'api' | 'worker') =>
      (podSpecOf(process, renderings[shape])?.terminationGracePeriodSeconds ?? 0) * 1_000;
    expect(graceMs('api')).toBeGreaterThan(api.SHUTDOWN_DELAY + api.SHUTDOWN_TIMEOUT + CLOSE_MARGIN_MS);
    expect(graceMs('worker')).toBeGreaterThan(worker.SHUTDOWN_TIMEOUT + CLOSE_MARGIN_MS);
  });

  test('has a NetworkPolicy for each pod that has no business with the cluster itself, or for none', () => {
    const rendering = renderings[shape];
    const guarded = rendering
      .of('NetworkPolicy')
      .map(({ spec }) => spec?.podSelector?.matchLabels?.[COMPONENT]);
    const pods = podsOf(rendering).map(({ component }) => component);
    expect(new Set(guarded)).toEqual(new Set(shape === 'tiny' ? [] : pods));
  });
});

describe('the token of POST /crash', () => {
  const crashToken = 'a-token-of-this-test';

  test('reaches the API alone, out of a Secret, and rolls its pods when it changes', async () => {
    const rendering = await render({ values: { chaos: { crashToken } } });
    expect(envOf('api', rendering)['CHAOS_TOKEN']).toBe(crashToken);
    expect(() => readVariables(API_VARIABLES, envOf('api', rendering))).not.toThrow();
    expect(envOf('worker', rendering)).not.toHaveProperty('CHAOS_TOKEN');
    const { env } = containerOf('Deployment', 'tally-api', rendering);
    expect(env?.find(({ name }) => name === 'CHAOS_TOKEN')?.valueFrom?.secretKeyRef?.name).toBe(
      'tally-chaos',
    );
    expect(await faultsOf(rendering.all)).toBe('');
    const checksum = (from: Rendering) =>
      from.get('Deployment', 'tally-api').spec?.template.metadata?.annotations?.['checksum/chaos'];
    const other = await render({ values: { chaos: { crashToken: `${crashToken}2` } } });
    expect(checksum(other)).not.toBe(checksum(rendering));
  });

  test('may be in a Secret of your own, and then in none of ours', async () => {
    const existingSecret = { name: 'theirs', key: 'token' };
    const rendering = await render({ values: { chaos: { existingSecret } } });
    const { env } = containerOf('Deployment', 'tally-api', rendering);
    const { secretKeyRef } = env?.find(({ name }) => name === 'CHAOS_TOKEN')?.valueFrom ?? {};
    expect(secretKeyRef).toEqual(existingSecret);
    expect(rendering.of('Secret').map(({ metadata }) => metadata?.name)).not.toContain('tally-chaos');
  });

  test('is refused when the API would refuse it', async () => {
    await expect(render({ values: { chaos: { crashToken: 'short' } } })).rejects.toThrow('crashToken');
  });
});

test('a cluster of Redis, or its sentinels, are taken as the address of Redis', async () => {
  for (const url of ['redis+cluster://a:7000,b:7000', 'rediss+sentinel://:secret@a,b/mymaster']) {
    const rendering = await render({ values: { redis: { url }, settings: { QUEUE_SHARDS: 3 } } });
    for (const process of ['api', 'worker'] as const)
      expect(readVariables(PROCESSES[process], envOf(process, rendering))).toMatchObject({
        REDIS_URL: url,
        QUEUE_SHARDS: 3,
      });
  }
});

describe('the schemas of Kubernetes', () => {
  test('find a field that is misspelt, missing, of another type or in the wrong place', async () => {
    const broken = (change: (spec: Record<string, unknown>) => void) => {
      const deployment = structuredClone(standard.get('Deployment', 'tally-api'));
      change(deployment.spec?.template.spec as unknown as Record<string, unknown>);
      return faultsOf([deployment]);
    };
    expect(await broken((spec) => (spec['terminationGracePeriodSecond'] = 40))).toContain(
      `"terminationGracePeriodSecond"' does not exist`,
    );
    expect(await broken((spec) => delete spec['containers'])).toContain(`"containers"' is missing`);
    expect(await broken((spec) => (spec['terminationGracePeriodSeconds'] = '40'))).toContain("'string'");
    expect(await broken((spec) => (spec['readinessProbe'] = {}))).toContain(
      `"readinessProbe"' does not exist`,
    );
  });
});

describe('a deploy', () => {
  test.each(['api', 'worker'] as const)('of the %s takes no pod away before another is ready', (process) => {
    const { spec } = standard.get('Deployment', `tally-${process}`);
    expect(spec?.replicas).toBeGreaterThanOrEqual(2);
    expect(spec?.minReadySeconds).toBeGreaterThan(0);
    expect(spec?.strategy?.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: '25%' });
  });

  test.each(['api', 'worker'] as const)(
    'spreads the %s over nodes and zones, each version by itself',
    (process) => {
      const { selector, template } = standard.get('Deployment', `tally-${process}`).spec ?? {};
      const spread = template?.spec?.topologySpreadConstraints ?? [];
      expect(spread.map(({ topologyKey }) => topologyKey)).toEqual([
        'kubernetes.io/hostname',
        'topology.kubernetes.io/zone',
      ]);
      for (const { labelSelector, matchLabelKeys } of spread) {
        expect(labelSelector).toEqual(selector);
        expect(matchLabelKeys).toEqual(['pod-template-hash']);
      }
    },
  );

  test.each(['api', 'worker'] as const)('asks the %s on its admin port', (process) => {
    const container = containerOf('Deployment', `tally-${process}`);
    const { ADMIN_PORT } = readVariables(PROCESSES[process], envOf(process));
    expect(container.ports).toContainEqual({ name: 'admin', containerPort: ADMIN_PORT });
    const asked = (path: string) => ({ httpGet: { path, port: 'admin' } });
    expect(container.startupProbe).toMatchObject(asked('/livez'));
    expect(container.readinessProbe).toMatchObject(asked('/readyz'));
    expect(container.livenessProbe).toMatchObject(asked('/livez'));
  });

  test('sends requests to ready pods of the API alone, on the port that it listens on', () => {
    const { spec } = standard.get('Service', 'tally-api');
    const { matchLabels } = standard.get('Deployment', 'tally-api').spec?.selector ?? {};
    expect(spec?.selector).toEqual(matchLabels);
    expect(spec?.selector?.[COMPONENT]).toBe('api');
    expect(spec?.publishNotReadyAddresses ?? false).toBe(false);
    expect(spec?.ports?.map(({ targetPort }) => targetPort)).toEqual(['http']);
    const { PORT } = readVariables(API_VARIABLES, envOf('api'));
    expect(containerOf('Deployment', 'tally-api').ports).toContainEqual({
      name: 'http',
      containerPort: PORT,
    });
  });

  test.each(['api', 'worker'] as const)('of a node evicts the pods of the %s one by one', (process) => {
    const { spec } = standard.get('PodDisruptionBudget', `tally-${process}`);
    expect(spec?.maxUnavailable).toBe(1);
    expect(spec?.unhealthyPodEvictionPolicy).toBe('AlwaysAllow');
    expect(spec?.selector).toEqual(standard.get('Deployment', `tally-${process}`).spec?.selector);
  });

  test('runs node itself, which gets the signals', () => {
    for (const process of ['api', 'worker'] as const)
      expect(containerOf('Deployment', `tally-${process}`).command).toEqual([
        'node',
        `dist/${process}/main.js`,
      ]);
  });

  test('leaves the number of pods to who scales them', async () => {
    for (const process of ['api', 'worker'] as const)
      expect(renderings.production.get('Deployment', `tally-${process}`).spec).not.toHaveProperty('replicas');
  });
});

describe('a certificate for the API', () => {
  let secure: Rendering;
  beforeAll(async () => {
    secure = await render({ shape: 'production', values: { api: { tls: { secretName: 'tally-tls' } } } });
  });

  test('is taken from the Secret, where the API finds it, and by the API alone', () => {
    const { TLS_CERT_FILE, TLS_KEY_FILE } = readVariables(API_VARIABLES, envOf('api', secure));
    const { volumes = [] } = podSpecOf('api', secure) ?? {};
    const [volume] = volumes.filter(({ secret }) => secret?.secretName === 'tally-tls');
    const { volumeMounts = [] } = containerOf('Deployment', 'tally-api', secure);
    const { mountPath, subPath } = volumeMounts.find(({ name }) => name === volume?.name) ?? {};
    expect([TLS_CERT_FILE, TLS_KEY_FILE]).toEqual([`${mountPath}/tls.crt`, `${mountPath}/tls.key`]);
    // Kubernetes does not renew what is mounted by itself.
    expect(subPath).toBeUndefined();
    // What all pods have is still there.
    expect(volumes.map(({ name }) => name)).toContain('stores-ca');
    expect(JSON.stringify(podsOf(secure).filter(({ component }) => component !== 'api'))).not.toContain(
      'tally-tls',
    );
  });

  test('makes the Service say so, and the Ingress and the test of the release follow', async () => {
    const [port] = secure.get('Service', 'tally-api').spec?.ports ?? [];
    expect(port).toMatchObject({ name: 'https', appProtocol: 'https', targetPort: 'http' });
    const [rule] = secure.get('Ingress', 'tally-api').spec?.rules ?? [];
    expect(rule?.http?.paths[0]?.backend.service?.port).toEqual({ name: 'https' });
    const tester = secure.get('Pod', 'tally-test').spec?.containers[0] ?? expect.fail('no test');
    expect(environmentOf(tester, secure)['API_URL']).toMatch(/^https:/);
    expect(await faultsOf(secure.all)).toBe('');
  });
});

describe('names and defaults', () => {
  test('are those of the code', () => {
    const stores = new Set(['REDIS_URL', 'DATABASE_URL', 'INFLUX_URL', 'INFLUX_TOKEN', 'INFLUX_ORG']);
    for (const [process, variables] of Object.entries(PROCESSES)) {
      for (const [name, text] of Object.entries(envOf(process as keyof typeof PROCESSES))) {
        if (stores.has(name) || name === 'INFLUX_BUCKET') continue;
        const variable = variables[name as keyof typeof variables];
        expect(variable.parse(text), `${process} ${name}`).toEqual(variable.parse(undefined));
      }
    }
  });

  test('are those of docker-compose.yml', () => {
    const { services } = parse(read('docker-compose.yml'), { merge: true }) as {
      services: Record<string, { environment: Record<string, string> }>;
    };
    // Compose publishes ports elsewhere, and its containers listen on what they listen on by default.
    const fixed = ['HOST', 'PORT', 'ADMIN_PORT', 'CHAOS_TOKEN'];
    for (const process of ['api', 'worker'] as const) {
      const ours = Object.keys(envOf(process)).filter((name) => !fixed.includes(name));
      const theirs = Object.keys(services[process]?.environment ?? {}).filter(
        (name) => !fixed.includes(name) && !ofTracing(name),
      );
      expect(ours.sort()).toEqual(theirs.sort());
    }
  });

  test('take the images of the demo and of docker-compose.yml', () => {
    for (const store of STORES)
      expect(containerOf('StatefulSet', `tally-${store}`).image).toBe(IMAGES[store]);
  });

  test('take the version of the package', () => {
    const { version } = JSON.parse(read('package.json')) as { version: string };
    expect(parse(read('charts/tally/Chart.yaml'))).toMatchObject({ version, appVersion: version });
    expect(containerOf('Deployment', 'tally-api').image).toBe(`tally:${version}`);
  });

  test('of metrics, in alerts and on the dashboard, are those of the code', () => {
    const sources = ['api', 'worker', 'shared'].flatMap((folder) =>
      readdirSync(new URL(`../src/${folder}`, import.meta.url), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts'))
        .map((file) => read(`src/${folder}/${file}`)),
    );
    const exported = new Set(
      sources.flatMap((source) => [...source.matchAll(/name: '(tally_\w+)'/g)].map(([, name]) => name)),
    );
    const texts = [read('charts/tally/files/dashboard.json')];
    texts.push(JSON.stringify(renderings.production.of('PrometheusRule')));
    const used = texts.flatMap((text) => text.match(/(?<![\w:])tally_\w+/g) ?? []);
    expect(used.length).toBeGreaterThan(15);
    for (const name of used) expect(exported, name).toContain(name.replace(/_(bucket|sum|count)$/, ''));
  });
});

describe('the alerts', () => {
  test('are those of files/rules.yaml, each for this release alone', () => {
    const { groups } = parse(read('charts/tally/files/rules.yaml')) as {
      groups: readonly { rules: readonly { alert?: string; record?: string; expr: string }[] }[];
    };
    const named = ({ alert, record }: { alert?: string; record?: string }) => alert ?? record;
    const theirs = renderings.production.get('PrometheusRule', 'tally').spec?.groups ?? [];
    const ours = theirs
      .flatMap(({ rules = [] }) => rules)
      .filter(({ alert }) => alert !== 'TallyAuditFailed');
    expect(ours.map(named)).toEqual(groups.flatMap(({ rules }) => rules.map(named)));
    for (const { expr, labels } of ours) {
      const selectors = String(expr).match(/(?<![\w:])tally_\w+\{?[^ ]{0,60}/g) ?? [];
      expect(selectors.length, String(expr)).toBeGreaterThan(0);
      for (const selector of selectors)
        expect(selector).toContain(`{namespace="${NAMESPACE}",job=~"tally-(api|worker)-metrics"`);
      expect(labels).toMatchObject({ release: 'tally' });
    }
  });
});

describe('the bundled stores', () => {
  test('are the ones that the processes are given', () => {
    for (const process of ['api', 'worker'] as const) {
      const env = envOf(process);
      for (const [name, store] of [
        ['REDIS_URL', 'redis'],
        ['DATABASE_URL', 'postgres'],
        ['INFLUX_URL', 'influxdb'],
      ] as const) {
        const { hostname, port } = new URL(env[name] ?? '');
        expect(hostname).toBe(`tally-${store}.counting.svc`);
        const { spec } = standard.get('Service', `tally-${store}`);
        expect(spec?.ports?.map((one) => String(one.port))).toEqual([port]);
        expect(spec?.selector).toEqual(
          standard.get('StatefulSet', `tally-${store}`).spec?.selector.matchLabels,
        );
      }
    }
  });

  test('are initialised with what the processes use', () => {
    const { REDIS_URL = '', DATABASE_URL = '', INFLUX_TOKEN, INFLUX_ORG, INFLUX_BUCKET } = envOf('api');
    const envOfStore = (store: string) =>
      environmentOf(containerOf('StatefulSet', `tally-${store}`), standard);
    const { username, password, pathname } = new URL(DATABASE_URL);
    expect(password).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(envOfStore('postgres')).toMatchObject({
      POSTGRES_USER: username,
      POSTGRES_PASSWORD: password,
      POSTGRES_DB: pathname.slice(1),
    });
    expect(envOfStore('influxdb')).toMatchObject({
      DOCKER_INFLUXDB_INIT_ADMIN_TOKEN: INFLUX_TOKEN,
      DOCKER_INFLUXDB_INIT_ORG: INFLUX_ORG,
      DOCKER_INFLUXDB_INIT_BUCKET: INFLUX_BUCKET,
    });
    expect(envOfStore('redis')['REDISCLI_AUTH']).toBe(new URL(REDIS_URL).password);
    expect(containerOf('StatefulSet', 'tally-redis').args?.join(' ')).toContain(
      '--requirepass $(REDISCLI_AUTH)',
    );
  });

  test('have a Redis that evicts nothing and writes everything down', () => {
    const args = containerOf('StatefulSet', 'tally-redis').args?.join(' ');
    for (const option of ['--appendonly yes', '--appendfsync everysec', '--maxmemory-policy noeviction'])
      expect(args).toContain(option);
  });

  test.each([
    ['1Gi', 0.6 * 1024 ** 3],
    ['1.5G', 0.9e9],
    ['512Mi', 0.6 * 512 * 1024 ** 2],
    [500_000_000, 300_000_000],
  ])('have a Redis that refuses before its pod, with a limit of %s, is killed', async (memory, bytes) => {
    const rendering = await render({ values: { redis: { resources: { limits: { memory } } } } });
    const args = containerOf('StatefulSet', 'tally-redis', rendering).args ?? [];
    expect(args[args.indexOf('--maxmemory') + 1]).toBe(String(Math.floor(bytes)));
  });

  test('have a Redis without a limit when its pod has none', async () => {
    const rendering = await render({ values: { redis: { resources: { limits: null } } } });
    expect(containerOf('StatefulSet', 'tally-redis', rendering).args).not.toContain('--maxmemory');
  });

  test('have an InfluxDB that closes its files when it stops', () => {
    const { lifecycle } = containerOf('StatefulSet', 'tally-influxdb');
    expect(lifecycle?.preStop?.exec?.command?.join(' ')).toMatch(/^sh -c kill -INT 1;/);
  });

  test('keep data and what opens it when the release goes', () => {
    const folders = { redis: '/data', postgres: '/var/lib/postgresql', influxdb: '/var/lib/influxdb2' };
    for (const store of STORES) {
      const { spec } = standard.get('StatefulSet', `tally-${store}`);
      expect(spec?.persistentVolumeClaimRetentionPolicy).toEqual({
        whenDeleted: 'Retain',
        whenScaled: 'Retain',
      });
      expect(spec?.volumeClaimTemplates?.map(({ metadata }) => metadata?.name)).toEqual(['data']);
      const mounts = containerOf('StatefulSet', `tally-${store}`).volumeMounts;
      expect(mounts).toContainEqual({ name: 'data', mountPath: folders[store] });
      expect(standard.get('Secret', `tally-${store}`).metadata?.annotations).toEqual({
        'helm.sh/resource-policy': 'keep',
      });
    }
  });

  test('do not restart when the version of Tally changes', () => {
    for (const store of STORES) {
      const { metadata } = standard.get('StatefulSet', `tally-${store}`).spec?.template ?? {};
      expect(Object.keys(metadata?.labels ?? {}).sort()).toEqual([
        COMPONENT,
        'app.kubernetes.io/instance',
        'app.kubernetes.io/name',
      ]);
      expect(metadata?.annotations ?? {}).toEqual({});
    }
  });

  test.each([
    ['redis', { url: 'rediss://:secret@redis.example.com' }, 'REDIS_URL'],
    ['redis', { existingSecret: { name: 'theirs' } }, 'REDIS_URL'],
    ['postgres', { url: 'postgres://a:b@postgres.example.com/tally' }, 'DATABASE_URL'],
    ['postgres', { existingSecret: { name: 'theirs', key: 'uri' } }, 'DATABASE_URL'],
    ['influxdb', { url: 'https://influxdb.example.com', token: 'a-token' }, 'INFLUX_URL'],
    ['influxdb', { existingSecret: { name: 'theirs', urlKey: 'uri' } }, 'INFLUX_URL'],
  ] as const)('give way: %s with %j', async (store, given, variable) => {
    const rendering = await render({ values: { [store]: given } });
    const of = (kind: Kind) => rendering.of(kind).map(({ metadata }) => metadata?.name);
    for (const kind of ['StatefulSet', 'Service', 'Secret', 'NetworkPolicy'] as const) {
      expect(of(kind)).not.toContain(`tally-${store}`);
      for (const other of STORES) if (other !== store) expect(of(kind)).toContain(`tally-${other}`);
    }
    const source = containerOf('Deployment', 'tally-api', rendering).env?.find(
      ({ name }) => name === variable,
    )?.valueFrom?.secretKeyRef;
    if ('url' in given) {
      expect(source).toEqual({ name: 'tally-stores', key: variable });
      expect(envOf('api', rendering)[variable]).toBe(given.url);
    } else {
      const { key, urlKey } = given.existingSecret as { key?: string; urlKey?: string };
      expect(source).toEqual({ name: 'theirs', key: key ?? urlKey ?? variable });
    }
  });
});

describe('secrets', () => {
  test('are in Secrets alone', async () => {
    const values = {
      redis: { url: 'redis://:first-secret@redis.example.com' },
      postgres: { password: 'second-secret' },
      influxdb: { url: 'https://influxdb.example.com', token: 'third-secret' },
    };
    const rendering = await render({ values });
    for (const secret of ['first-secret', 'second-secret', 'third-secret']) {
      const holders = rendering.all.filter((manifest) => JSON.stringify(manifest).includes(secret));
      expect(new Set(holders.map(({ kind }) => kind)), secret).toEqual(new Set(['Secret']));
    }
  });

  test('that change roll the pods, and nothing rolls them otherwise', async () => {
    const passwords = {
      redis: { password: 'one' },
      postgres: { password: 'two' },
      influxdb: { password: 'three-three', token: 'four' },
    };
    const templatesWith = async (values: object) => {
      const rendering = await render({ values: { ...passwords, ...values } });
      return (['api', 'worker'] as const).map((process) =>
        JSON.stringify(rendering.get('Deployment', `tally-${process}`).spec?.template),
      );
    };
    const before = await templatesWith({});
    expect(await templatesWith({ api: { replicas: 5 }, audit: { since: '1h' } })).toEqual(before);
    const after = await templatesWith({ redis: { password: 'changed' } });
    for (const [n, template] of after.entries()) expect(template).not.toBe(before[n]);
  });
});

describe('the setup', () => {
  test('runs after an install, before an upgrade, with the Secret of the version that it is for', () => {
    const job = standard.get('Job', 'tally-setup');
    const secret = standard.get('Secret', 'tally-setup');
    for (const { metadata } of [job, secret])
      expect(metadata?.annotations?.['helm.sh/hook']).toBe('post-install,pre-upgrade');
    const weight = ({ metadata }: Kinds[Kind]) => Number(metadata?.annotations?.['helm.sh/hook-weight'] ?? 0);
    expect(weight(secret)).toBeLessThan(weight(job));
    expect(secret.stringData).toEqual(standard.get('Secret', 'tally-stores').stringData);
    const [container] = job.spec?.template.spec?.containers ?? [];
    const secretsRead = container?.env?.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef?.name ?? []);
    expect(new Set(secretsRead)).toEqual(new Set(['tally-setup']));
    expect(container?.command).toEqual(['node', 'dist/cli/main.js', 'setup', '--wait', '4m']);
  });
});

describe('the audit', () => {
  test('fails at once when something is missing, and is repeated when the stores could not tell', () => {
    const { spec } = renderings.production.get('CronJob', 'tally-audit').spec?.jobTemplate ?? {};
    expect(spec?.template.spec?.restartPolicy).toBe('Never');
    expect(spec?.podFailurePolicy?.rules).toEqual([
      { action: 'FailJob', onExitCodes: { containerName: 'audit', operator: 'In', values: [1] } },
    ]);
    expect(spec?.backoffLimit).toBeGreaterThan(0);
    const [container] = spec?.template.spec?.containers ?? [];
    expect(container).toMatchObject({
      name: 'audit',
      command: ['node', 'dist/cli/main.js', 'audit', '--since', '24h', '--repair'],
    });
  });
});
