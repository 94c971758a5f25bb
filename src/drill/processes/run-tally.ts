import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The command as it was built, wherever this file itself runs from. */
const TALLY = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));

/**
 * Runs a command of `tally` as a user would. Resolves with its words.
 *
 * @throws {Error} when its exit code is not 0.
 */
export async function runTally(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const child = spawn(process.execPath, [TALLY, ...args], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let words = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => (words += data.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`tally ${args.join(' ')} ended with ${code}: ${words}`);
  return words;
}
