import type { IPodSpec } from 'kubernetes-models/v1/PodSpec';
import type { Rendering } from './rendering.js';

export type Container = IPodSpec['containers'][number];

interface PodOf {
  readonly name: string;
  readonly component: string | undefined;
  readonly spec: IPodSpec;
}

/** Every pod that comes of a rendering, whatever makes it. */
export function podsOf(rendering: Rendering): readonly PodOf[] {
  const made = [
    ...rendering.of('Deployment').map(({ spec }) => spec?.template),
    ...rendering.of('StatefulSet').map(({ spec }) => spec?.template),
    ...rendering.of('Job').map(({ spec }) => spec?.template),
    ...rendering.of('CronJob').map(({ spec }) => spec?.jobTemplate.spec?.template),
    ...rendering.of('Pod'),
  ];
  return made.map((template) => {
    const component = template?.metadata?.labels?.['app.kubernetes.io/component'];
    if (!template?.spec) throw new Error(`a pod of ${component} has no spec`);
    return { name: `pod of ${component}`, component, spec: template.spec };
  });
}

export const containersOf = (rendering: Rendering): readonly Container[] =>
  podsOf(rendering).flatMap(({ spec }) => [...(spec.initContainers ?? []), ...spec.containers]);

/** What stands in for the values of Secrets that the chart does not make. */
const FOREIGN: Readonly<Record<string, string>> = {
  REDIS_URL: 'rediss://:secret@redis.example.com',
  DATABASE_URL: 'postgres://tally:secret@postgres.example.com/tally',
  INFLUX_URL: 'https://influxdb.example.com',
  INFLUX_TOKEN: 'secret',
};

/** The variables of a container, with what the Secrets hold. */
export function environmentOf({ env = [] }: Container, rendering: Rendering): Record<string, string> {
  return Object.fromEntries(
    env.map(({ name, value, valueFrom }) => {
      const source = valueFrom?.secretKeyRef;
      if (!source) return [name, value ?? ''];
      const secret = rendering.of('Secret').find(({ metadata }) => metadata?.name === source.name);
      const text = secret ? secret.stringData?.[source.key] : FOREIGN[name];
      if (text === undefined) throw new Error(`${name}: Secret ${source.name} has no ${source.key}`);
      return [name, text];
    }),
  );
}
