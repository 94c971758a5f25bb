import { installPackages, installPrivilege } from '../../src/drill/stores/install.js';
import { findBrowser } from './browser.js';

/**
 * Installs Debian's Chromium where there is no browser of its kind and that may be done; where not, its tests say how to
 * get one.
 *
 * @throws {StoreError} `INSTALL`.
 */
export async function installChromium(report: (line: string) => void): Promise<void> {
  if (findBrowser() !== undefined) return;
  const privilege = await installPrivilege(process.env);
  if (privilege === undefined) return;
  report(`Installing Debian's package chromium${privilege === 'sudo' ? ' with sudo' : ''}`);
  await installPackages(['chromium'], privilege, process.env);
}
