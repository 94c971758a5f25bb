import { randomBytes } from 'node:crypto';
import { engineAnswers } from './containers.js';
import { installPackages, installPrivilege } from './install.js';
import type { Source, Way } from './sources.js';
import { StoreError, type Environment } from './store.js';

export interface Search {
  readonly environment: Environment;
  /** Whether stores that the environment names (`REDIS_URL`, …) count. */
  readonly external: boolean;
  /** Told what was found, and what is being installed. */
  readonly report: (line: string) => void;
}

type Found = Map<Source, Way>;

/**
 * Finds each source: in the environment, on this machine, as a container, and at last by installing Debian's packages.
 *
 * @throws {StoreError} `MISSING` names what is not to be had, and the commands that bring it; `INSTALL`.
 */
export async function findStores(sources: readonly Source[], search: Search): Promise<Found> {
  const found: Found = new Map();
  const steps = [named, existing, contained, installed];
  for (const step of steps) {
    const missing = sources.filter((source) => !found.has(source));
    if (missing.length > 0) await step(missing, found, search);
  }
  const missing = sources.filter((source) => !found.has(source));
  if (missing.length > 0) throw new StoreError('MISSING', instructions(missing));
  for (const [{ label }, { origin }] of found) search.report(`${label}: ${origin}`);
  return found;
}

type Step = (missing: readonly Source[], found: Found, search: Search) => Promise<void>;

const named: Step = async (missing, found, { environment, external }) => {
  if (!external) return;
  const suffix = randomBytes(4).toString('hex');
  await note(missing, found, (source) => source.external(environment, suffix));
};

const existing: Step = async (missing, found, { environment }) => {
  const suffix = randomBytes(4).toString('hex');
  await note(
    missing,
    found,
    async (source) => (await source.local(environment)) ?? source.existing?.(environment, suffix),
  );
};

const contained: Step = async (missing, found, { environment }) => {
  if (!missing.some((source) => source.contained) || !(await engineAnswers(environment))) return;
  await note(missing, found, (source) => Promise.resolve(source.contained?.(environment)));
};

const installed: Step = async (missing, found, { environment, report }) => {
  const packages = missing.flatMap(({ debianPackage }) => debianPackage ?? []);
  // All or nothing: packages that do not make the set complete are not worth changing the machine for.
  if (packages.length < missing.length) return;
  const privilege = await installPrivilege(environment);
  if (privilege === undefined) return;
  report(`Installing Debian's packages ${packages.join(', ')}${privilege === 'sudo' ? ' with sudo' : ''}`);
  await installPackages(packages, privilege, environment);
  await note(missing, found, (source) => source.local(environment));
};

async function note(
  missing: readonly Source[],
  found: Found,
  look: (source: Source) => Promise<Way | undefined>,
): Promise<void> {
  const ways = await Promise.all(missing.map(async (source) => ({ source, way: await look(source) })));
  for (const { source, way } of ways) if (way !== undefined) found.set(source, way);
}

function instructions(missing: readonly Source[]): string {
  const packages = missing.flatMap(({ debianPackage }) => debianPackage ?? []);
  const unpackaged = missing.filter(({ debianPackage }) => debianPackage === undefined);
  return [
    `Not found on this machine: ${missing.map(({ label }) => label).join(', ')}. To get what is missing:`,
    ...(packages.length > 0 ? [`  Debian:  sudo apt-get install ${packages.join(' ')}`] : []),
    ...unpackaged.map(({ label }) => `  Debian has no package of ${label}.`),
    `  macOS:   brew install ${missing.map(({ brewFormula }) => brewFormula).join(' ')}`,
    `  or start Docker, or set ${missing.map(({ variable }) => variable).join(', ')}.`,
  ].join('\n');
}
