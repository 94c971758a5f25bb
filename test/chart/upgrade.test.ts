import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { StandIn, type Asked, type Reply } from '../stand-in.js';
import { CHART, helm } from './helm.js';
import { NAMESPACE, render, type Rendering } from './rendering.js';

beforeAll(() => helm(['version']), 20 * 60_000);

const json = (status: number, body: object): Reply => ({
  status,
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify(body),
});

const resources = (groupVersion: string, name: string, kind: string) =>
  json(200, {
    ...{ kind: 'APIResourceList', groupVersion },
    resources: [{ name, kind, namespaced: true, verbs: ['get'] }],
  });

/** As much of a cluster as Helm looks things up in. */
class Cluster implements AsyncDisposable {
  readonly #objects = new Map<string, object>();
  #standIn: StandIn | undefined;
  #folder = '';

  static async open(): Promise<Cluster> {
    const cluster = new Cluster();
    cluster.#standIn = await StandIn.open((asked) => cluster.#answer(asked));
    cluster.#folder = await mkdtemp(join(tmpdir(), 'tally-cluster-'));
    const named = (name: string, rest: object) => [{ name, ...rest }];
    const config = {
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'it' },
      clusters: named('it', { cluster: { server: cluster.#standIn.url } }),
      contexts: named('it', { context: { cluster: 'it', user: 'it' } }),
      users: named('it', { user: {} }),
    };
    await writeFile(cluster.kubeconfig, stringify(config));
    return cluster;
  }

  get kubeconfig(): string {
    return join(this.#folder, 'config');
  }

  /** Holds what an install would have made, as the cluster keeps it: only data, in base 64. */
  install(rendering: Rendering): void {
    for (const { metadata, stringData = {} } of rendering.of('Secret'))
      this.holdSecret(metadata?.name ?? '', stringData);
    for (const set of rendering.of('StatefulSet'))
      this.#objects.set(`/apis/apps/v1/namespaces/${NAMESPACE}/statefulsets/${set.metadata?.name}`, set);
  }

  holdSecret(name: string, texts: Readonly<Record<string, string>>): void {
    const data = Object.fromEntries(
      Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
    );
    const path = `/api/v1/namespaces/${NAMESPACE}/secrets/${name}`;
    this.#objects.set(path, { apiVersion: 'v1', kind: 'Secret', metadata: { name }, data });
  }

  /** What an uninstall leaves. */
  uninstall(rendering: Rendering): void {
    const kept = rendering
      .of('Secret')
      .filter(({ metadata }) => metadata?.annotations?.['helm.sh/resource-policy']);
    const names = kept.map(({ metadata }) => metadata?.name);
    for (const path of this.#objects.keys())
      if (!names.some((name) => path.endsWith(`/secrets/${name}`))) this.#objects.delete(path);
  }

  #answer({ path }: Asked): Reply {
    const found = this.#objects.get(path);
    if (found) return json(200, found);
    if (path === '/version') return json(200, { major: '1', minor: '34', gitVersion: 'v1.34.0' });
    if (path === '/api') return json(200, { kind: 'APIVersions', versions: ['v1'] });
    if (path === '/apis') return json(200, { kind: 'APIGroupList', apiVersion: 'v1', groups: [] });
    if (path === '/api/v1') return resources('v1', 'secrets', 'Secret');
    if (path === '/apis/apps/v1') return resources('apps/v1', 'statefulsets', 'StatefulSet');
    return json(404, { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#standIn?.[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true });
  }
}

const renderIn = (cluster: Cluster, values: object, ...args: string[]) =>
  render({ values, args: ['--dry-run=server', ...args], env: { KUBECONFIG: cluster.kubeconfig } });

const secretsOf = (rendering: Rendering) =>
  rendering.of('Secret').map(({ metadata, stringData }) => ({ name: metadata?.name, stringData }));

const podOf = (rendering: Rendering) => rendering.get('Deployment', 'tally-api').spec?.template;

describe('generated passwords and tokens', () => {
  test('are other ones in every install', async () => {
    expect(secretsOf(await render())).not.toEqual(secretsOf(await render()));
  });

  test('stay the same across upgrades, and roll no pods', async () => {
    await using cluster = await Cluster.open();
    const installed = await renderIn(cluster, {});
    cluster.install(installed);
    const upgraded = await renderIn(cluster, { api: { replicas: 4 } }, '--is-upgrade');
    expect(secretsOf(upgraded)).toEqual(secretsOf(installed));
    expect(podOf(upgraded)).toEqual(podOf(installed));
  });

  test('are taken up by the next install, because what an uninstall leaves holds them', async () => {
    await using cluster = await Cluster.open();
    const installed = await renderIn(cluster, {});
    cluster.install(installed);
    cluster.uninstall(installed);
    expect(secretsOf(await renderIn(cluster, {}))).toEqual(secretsOf(installed));
  });

  test('are not replaced behind the back of a store that took another one', async () => {
    await using cluster = await Cluster.open();
    cluster.install(await renderIn(cluster, { postgres: { password: 'first' } }));
    await expect(renderIn(cluster, { postgres: { password: 'second' } }, '--is-upgrade')).rejects.toThrow(
      'postgres.password differs from what Secret tally-postgres holds',
    );
    await expect(
      renderIn(cluster, { postgres: { password: 'first' } }, '--is-upgrade'),
    ).resolves.toBeDefined();
  });
});

test('an upgrade after an existing Secret changed rolls the pods', async () => {
  await using cluster = await Cluster.open();
  const values = { postgres: { existingSecret: { name: 'theirs' } } };
  cluster.holdSecret('theirs', { DATABASE_URL: 'postgres://a:b@c/d' });
  const installed = await renderIn(cluster, values);
  cluster.install(installed);
  expect(podOf(await renderIn(cluster, values, '--is-upgrade'))).toEqual(podOf(installed));
  cluster.holdSecret('theirs', { DATABASE_URL: 'postgres://a:other@c/d' });
  expect(podOf(await renderIn(cluster, values, '--is-upgrade'))).not.toEqual(podOf(installed));
});

test('the setup runs after the upgrade that brings a bundled store, and before every other', async () => {
  await using cluster = await Cluster.open();
  const hookOf = (rendering: Rendering) =>
    rendering.get('Job', 'tally-setup').metadata?.annotations?.['helm.sh/hook'];
  cluster.install(await renderIn(cluster, { postgres: { url: 'postgres://a:b@c/d' } }));
  const switched = await renderIn(cluster, {}, '--is-upgrade');
  expect(hookOf(switched)).toBe('post-install,post-upgrade');
  cluster.install(switched);
  expect(hookOf(await renderIn(cluster, {}, '--is-upgrade'))).toBe('post-install,pre-upgrade');
});

/** What Helm says after an install: its notes, put into a ConfigMap, as it shows them to nobody without a cluster. */
async function notesOf(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tally-notes-'));
  try {
    await cp(CHART, folder, { recursive: true });
    const notes = await readFile(join(folder, 'templates/NOTES.txt'), 'utf8');
    const configMap = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: notes }\ndata:\n  text: ';
    const template = `{{- define "notes" }}${notes}{{ end }}${configMap}{{ include "notes" . | toJson }}\n`;
    await writeFile(join(folder, 'templates/notes.yaml'), template);
    return (await render({ chart: folder })).get('ConfigMap', 'notes').data?.['text'] ?? '';
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('the notes name what there is', async () => {
  const notes = await notesOf();
  const rendering = await render();
  const kinds = { deployment: 'Deployment', service: 'Service' } as const;
  const named = [...notes.matchAll(/\b(deployment|service)\/([\w-]+)/g)];
  expect(named.length).toBeGreaterThan(4);
  for (const [, kind, name = ''] of named)
    expect(rendering.get(kinds[kind as keyof typeof kinds], name)).toBeDefined();
  for (const words of [
    '/sum',
    'tally count',
    'tally audit',
    'rollout restart',
    'helm --namespace counting test tally',
  ])
    expect(notes).toContain(words);
});
