import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import type { Kind, Kinds } from './kinds.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * What the schemas of Kubernetes say against manifests: fields that they do not know, that are missing or of another
 * type, and values that are none of those allowed. The types of kubernetes-models are made from the schemas, and
 * TypeScript takes a literal only when it fits to the letter. No cluster and no network is asked.
 */
export async function faultsOf(manifests: readonly Kinds[Kind][]): Promise<string> {
  const cache = join(root, 'node_modules/.cache');
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, 'tally-chart-'));
  try {
    const file = join(folder, 'manifests.ts');
    const kinds = relative(folder, join(root, 'test/chart/kinds.js'));
    const constants = manifests.map(
      (manifest, n) =>
        `export const ${nameOf(manifest)}_${n}: Kinds[${JSON.stringify(manifest.kind)}] = ${JSON.stringify(manifest, null, 1)};`,
    );
    await writeFile(file, [`import type { Kinds } from '${kinds}';`, ...constants].join('\n'));
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: join(root, 'tsconfig.json'), include: [], files: [file] }),
    );
    return await typeCheck(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const nameOf = ({ kind, metadata }: Kinds[Kind]) => `${kind}_${metadata?.name ?? ''}`.replaceAll(/\W/g, '_');

async function typeCheck(folder: string): Promise<string> {
  const { bin } = parse(await readFile(join(root, 'node_modules/typescript/package.json'), 'utf8')) as {
    bin: { tsc: string };
  };
  const tsc = join(root, 'node_modules/typescript', bin.tsc);
  return run(process.execPath, [tsc, '-p', folder, '--pretty', 'false']).then(
    () => '',
    (error: { stdout?: string; stderr?: string }) => `${error.stdout ?? ''}${error.stderr ?? ''}`,
  );
}
