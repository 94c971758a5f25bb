import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { PrometheusConfig } from './prometheus.js';

export const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly datasource: object;
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly datasource: object;
  readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>;
  readonly fieldConfig: { readonly defaults: Readonly<Record<string, unknown>> };
  readonly targets: readonly Target[];
}

interface Variable {
  readonly name: string;
  readonly type: string;
  readonly query: string;
  readonly allValue?: string;
}

export interface Dashboard {
  readonly title: string;
  readonly uid: string;
  readonly schemaVersion: number;
  readonly templating: { readonly list: readonly Variable[] };
  readonly panels: readonly Panel[];
}

interface Rules {
  readonly groups: readonly {
    readonly name: string;
    readonly rules: readonly { readonly alert?: string; readonly record?: string; readonly expr: string }[];
  }[];
}

export const dashboard = JSON.parse(read('charts/tally/files/dashboard.json')) as Dashboard;

export const rules = (parse(read('charts/tally/files/rules.yaml')) as Rules).groups.flatMap(
  ({ rules: ofGroup }) => ofGroup,
);

export const prometheusConfig = parse(read('observe/prometheus.yml')) as PrometheusConfig;

/** A query of the dashboard as Grafana sends it: every namespace, and a range of four scrapes. */
export const asked = (expr: string) =>
  expr.replaceAll('$namespace', '.*').replaceAll('$__rate_interval', '4s');

/** Names of Tally's metrics in queries, without what a histogram adds to them; not those of recordings. */
export const metricsIn = (text: string) =>
  [...new Set(text.match(/(?<![\w:])tally_\w+/g))].map((name) => name.replace(/_(bucket|sum|count)$/, ''));
