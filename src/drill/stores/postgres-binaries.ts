import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isExecutable, onPath, runCommand } from './command.js';
import type { Environment } from './store.js';

/** Where servers lie outside of `PATH`, one folder per major version: Debian, Homebrew on Apple and on Intel. */
const VERSIONED = [
  { parent: '/usr/lib/postgresql', folder: /^\d+$/ },
  { parent: '/opt/homebrew/opt', folder: /^postgresql@\d+$/ },
  { parent: '/usr/local/opt', folder: /^postgresql@\d+$/ },
];

/** The folder of the newest `initdb` and `postgres` that lie together. */
export async function findPostgres(environment: Environment): Promise<string | undefined> {
  for (const { parent, folder } of VERSIONED) {
    const versions = (await readdir(parent).catch(() => [])).filter((name) => folder.test(name));
    const newestFirst = versions.sort((a, b) => majorVersion(b) - majorVersion(a));
    const bin = newestFirst.map((version) => join(parent, version, 'bin')).find(hasServer);
    if (bin !== undefined) return bin;
  }
  const configured = await runCommand('pg_config', ['--bindir'], { environment });
  const initdb = onPath('initdb', environment);
  const candidates = [
    ...(configured.ok ? [configured.output.trim()] : []),
    ...(initdb === undefined ? [] : [dirname(initdb)]),
  ];
  return candidates.find(hasServer);
}

function hasServer(bin: string): boolean {
  return ['initdb', 'postgres'].every((name) => isExecutable(join(bin, name)));
}

function majorVersion(folder: string): number {
  return Number(/\d+$/.exec(folder)?.[0] ?? 0);
}
