import { readFileSync } from 'node:fs';

export interface Version {
  readonly version: string;
  /** The commit the image was built from (`TALLY_COMMIT`), or `unknown`. */
  readonly commit: string;
}

/** The package's version, and the commit that the build recorded. */
export function readVersion(env: NodeJS.ProcessEnv): Version {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const { version } = manifest as { version: string };
  return { version, commit: env['TALLY_COMMIT'] || 'unknown' };
}
