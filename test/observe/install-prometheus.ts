import { onPath } from '../../src/drill/stores/command.js';
import { installPackages, installPrivilege } from '../../src/drill/stores/install.js';

/**
 * Installs Debian's Prometheus, with promtool, where it is missing and that may be done; where not, its tests say how to
 * get it.
 *
 * @throws {StoreError} `INSTALL`.
 */
export async function installPrometheus(report: (line: string) => void): Promise<void> {
  if (onPath('promtool', process.env) !== undefined) return;
  const privilege = await installPrivilege(process.env);
  if (privilege === undefined) return;
  report(`Installing Debian's package prometheus${privilege === 'sudo' ? ' with sudo' : ''}`);
  await installPackages(['prometheus'], privilege, process.env);
}
