import { beforeAll, expect, test } from 'vitest';
import { API_VARIABLES, WORKER_VARIABLES, readVariables } from '../../src/shared/configuration.js';
import { helm } from './helm.js';
import { environmentOf } from './pods.js';
import { render, type Rendering } from './rendering.js';
import { faultsOf } from './schemas.js';

const PROCESSES = { api: API_VARIABLES, worker: WORKER_VARIABLES } as const;

beforeAll(() => helm(['version']), 20 * 60_000);

function environment(process: keyof typeof PROCESSES, rendering: Rendering): Record<string, string> {
  const { spec } = rendering.get('Deployment', `tally-${process}`).spec?.template ?? {};
  const [container] = spec?.containers ?? [];
  return container ? environmentOf(container, rendering) : expect.fail(`${process} has no container`);
}

const egressOf = (process: string, rendering: Rendering) =>
  rendering.get('NetworkPolicy', `tally-${process}`).spec?.egress ?? [];

test('without a collector no pod hears of traces, and none may send any', async () => {
  const rendering = await render();
  for (const process of ['api', 'worker'] as const) {
    const names = Object.keys(environment(process, rendering)).filter((name) => name.startsWith('OTEL_'));
    expect(names).toEqual([]);
    expect(egressOf(process, rendering)).toHaveLength(4);
  }
});

test.each([
  ['http://collector.observability:4318', 4318],
  ['https://traces.example.com', 443],
  ['http://10.1.2.3/otlp', 80],
  ['http://[fd00::1]:4318/', 4318],
])('API and worker send traces to %s, and the network lets them', async (endpoint, port) => {
  const tracesTo = [{ ipBlock: { cidr: '10.0.0.0/8' } }];
  const rendering = await render({
    values: { tracing: { endpoint, ratio: 0.01 }, networkPolicy: { tracesTo } },
  });
  expect(await faultsOf(rendering.all)).toBe('');
  for (const process of ['api', 'worker'] as const) {
    expect(readVariables(PROCESSES[process], environment(process, rendering))).toMatchObject({
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: 0.01,
    });
    expect(egressOf(process, rendering).at(-1)).toEqual({ to: tracesTo, ports: [{ port }] });
  }
  const anywhere = await render({ values: { tracing: { endpoint } } });
  expect(egressOf('api', anywhere).at(-1)).toEqual({ ports: [{ port }] });
});

test.each([{ endpoint: 'collector:4317' }, { endpoint: 'http://me:secret@collector' }, { ratio: 2 }])(
  'what the processes would refuse, or all could read, is refused: %j',
  async (tracing) => {
    await expect(render({ values: { tracing } })).rejects.toThrow('/tracing/');
  },
);
