import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { CHART, helm, OLDEST_KUBERNETES } from './helm.js';
import type { Kind, Kinds } from './kinds.js';

export const NAMESPACE = 'counting';

/** The shapes that the chart is tested in. */
export const SHAPES = ['default', 'production', 'tiny'] as const;
export type Shape = (typeof SHAPES)[number];

interface Options {
  readonly shape?: Shape;
  /** On top of the shape. */
  readonly values?: object;
  readonly release?: string;
  readonly args?: readonly string[];
  readonly chart?: string;
  readonly env?: NodeJS.ProcessEnv;
}

type Manifest = Kinds[Kind];

/** What the chart makes of values. */
export class Rendering {
  constructor(readonly all: readonly Manifest[]) {}

  of<K extends Kind>(kind: K): readonly Kinds[K][] {
    return this.all.filter((manifest): manifest is Kinds[K] => manifest.kind === kind);
  }

  get<K extends Kind>(kind: K, name: string): Kinds[K] {
    const manifest = this.of(kind).find(({ metadata }) => metadata?.name === name);
    if (!manifest) throw new Error(`there is no ${kind} ${name}`);
    return manifest;
  }
}

/** Renders the chart. @throws what Helm said of the values. */
export async function render({ release = 'tally', ...options }: Options = {}): Promise<Rendering> {
  const { args = [], chart = CHART, env } = options;
  const text = await withValues(options, (files) =>
    helm(
      [
        'template',
        release,
        chart,
        '--namespace',
        NAMESPACE,
        '--kube-version',
        OLDEST_KUBERNETES,
        ...files,
        ...args,
      ],
      env,
    ),
  );
  return new Rendering(
    parseAllDocuments(text).map((document) => {
      if (document.errors.length > 0) throw new Error(`${document.errors[0]?.message}\n${text}`);
      return document.toJS() as Manifest;
    }),
  );
}

/** Gives an action the options for Helm that say which values. */
async function withValues<T>(
  { shape = 'default', values }: Options,
  action: (args: readonly string[]) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'tally-chart-'));
  try {
    const file = join(folder, 'values.yaml');
    await writeFile(file, stringify(values ?? {}));
    return await action(['--values', join(CHART, `ci/${shape}-values.yaml`), '--values', file]);
  } finally {
    await rm(folder, { recursive: true });
  }
}
