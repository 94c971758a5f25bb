import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const VERSION = '4.32.5';

const CONFIGURATION = fileURLToPath(new URL('schemathesis.toml', import.meta.url));

/**
 * Schemathesis from PyPI, installed beside nothing else. Resolves with its program.
 *
 * @throws {Error} where there is no Python 3.11 or newer with `venv`, or no PyPI.
 */
export async function installSchemathesis(): Promise<string> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const home = join(cache, `tally-schemathesis-${VERSION}`);
  const program = join(home, 'bin', 'schemathesis');
  if (existsSync(program)) return program;
  await run('python3', ['-m', 'venv', '--clear', home]);
  await run(join(home, 'bin', 'pip'), ['install', '--quiet', `schemathesis==${VERSION}`]);
  return program;
}

/** Asks the API whatever its description allows, and more. Resolves with whether all its answers were as described. */
export async function runSchemathesis(
  program: string,
  origin: string,
  options: readonly string[],
): Promise<boolean> {
  const args = ['--config-file', CONFIGURATION, 'run', `${origin}/openapi.json`, ...options];
  const notes = await mkdtemp(join(tmpdir(), 'tally-schemathesis-'));
  try {
    return (await exitCode(program, args, notes)) === 0;
  } finally {
    await rm(notes, { recursive: true });
  }
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const code = await exitCode(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}`);
}

async function exitCode(program: string, args: readonly string[], cwd?: string): Promise<number | null> {
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
  const [code] = (await once(child, 'close')) as [number | null];
  return code;
}
