import { attempt, run } from './commands.js';

export interface Pod {
  readonly name: string;
  readonly component: string;
  readonly ready: boolean;
  readonly leaving: boolean;
}

interface Item {
  readonly metadata: {
    readonly name: string;
    readonly deletionTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

const COMPONENT = 'app.kubernetes.io/component';

/** What runs for as long as the release does. */
export const COMPONENTS = ['api', 'worker', 'redis', 'postgres', 'influxdb'];

/** The pods of the release, those of Jobs and tests aside, or of one component. */
export async function podsIn(namespace: string, component?: string): Promise<readonly Pod[]> {
  const selector = `${COMPONENT} in (${component ?? COMPONENTS.join(',')})`;
  const text = await run('kubectl', [
    ...['--namespace', namespace, 'get', 'pods', '--selector', selector, '--output', 'json'],
  ]);
  const { items } = JSON.parse(text) as { items: readonly Item[] };
  return items.map(({ metadata, status }) => ({
    name: metadata.name,
    component: metadata.labels?.[COMPONENT] ?? '',
    leaving: metadata.deletionTimestamp !== undefined,
    ready: status.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false,
  }));
}

/** Asks for a pod's eviction as `kubectl drain` does. Resolves with whether the PodDisruptionBudget let it go. */
export async function evict(namespace: string, name: string): Promise<boolean> {
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } };
  const { code, stderr } = await attempt(
    'kubectl',
    ['create', '--raw', `/api/v1/namespaces/${namespace}/pods/${name}/eviction`, '--filename', '-'],
    JSON.stringify(eviction),
  );
  if (code === 0) return true;
  if (stderr.includes('disruption budget') || stderr.includes('TooManyRequests')) return false;
  throw new Error(stderr);
}
