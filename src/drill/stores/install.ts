import { onPath, runCommand } from './command.js';
import { lastLines } from './runner.js';
import { StoreError, type Environment } from './store.js';

/** How Debian's packages can be installed here; `undefined` when they cannot. */
export type Privilege = 'root' | 'sudo';

export async function installPrivilege(environment: Environment): Promise<Privilege | undefined> {
  if (onPath('apt-get', environment) === undefined) return undefined;
  if (process.getuid?.() === 0) return 'root';
  const { ok } = await runCommand('sudo', ['-n', 'true'], { environment });
  return ok ? 'sudo' : undefined;
}

/**
 * The command that installs Debian's packages. The lock lets several processes of ours install at the same time:
 * apt's own lock does not cover `apt-get update`.
 */
function installCommand(packages: readonly string[], privilege: Privilege): readonly string[] {
  const script =
    'export DEBIAN_FRONTEND=noninteractive; ' +
    `apt-get update && apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends ${packages.join(' ')}`;
  return [...(privilege === 'sudo' ? ['sudo', '-n'] : []), 'flock', '/var/cache/apt', 'sh', '-c', script];
}

/** @throws {StoreError} `INSTALL`, with the last lines of what apt said. */
export async function installPackages(
  packages: readonly string[],
  privilege: Privilege,
  environment: Environment,
): Promise<void> {
  const [command = '', ...args] = installCommand(packages, privilege);
  const { ok, output } = await runCommand(command, args, { environment });
  if (!ok) throw new StoreError('INSTALL', `installing ${packages.join(' ')} failed:\n${lastLines(output)}`);
}
