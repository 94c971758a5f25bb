import { execFile } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const CHART = fileURLToPath(new URL('../../charts/tally', import.meta.url));

/** What brings Helm from nothing but the Go module proxy. `.ci/run` says the same. */
const INSTALL_HELM = 'go install helm.sh/helm/v3/cmd/helm@v3.19.0';

/** The oldest Kubernetes that the chart takes. */
export const OLDEST_KUBERNETES = '1.29.0';

const OURS = join(
  process.env['GOBIN'] ?? join(process.env['GOPATH'] ?? join(homedir(), 'go'), 'bin'),
  'helm',
);

let found: Promise<string> | undefined;

/**
 * Runs Helm 3, of the machine or else built now, which takes minutes. Resolves with its standard output.
 *
 * @throws what Helm said, when its exit code is not 0.
 */
export async function helm(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  found ??= findHelm();
  const program = await found;
  try {
    // A cluster that this machine happens to know is nobody's business.
    const ours = { ...process.env, KUBECONFIG: '/dev/null', ...env };
    return (await run(program, args, { env: ours, maxBuffer: 32 * 1024 * 1024 })).stdout;
  } catch (error) {
    const { stderr, stdout } = error as { stderr?: string; stdout?: string };
    throw new Error(stderr === undefined ? String(error) : `${stderr}${stdout ?? ''}`, { cause: error });
  }
}

async function findHelm(): Promise<string> {
  for (const program of ['helm', OURS]) if (await isHelm3(program)) return program;
  const [go = '', ...args] = INSTALL_HELM.split(' ');
  try {
    await run(go, args);
  } catch (error) {
    throw new Error(`Helm 3 is needed here. With Go on the machine: ${INSTALL_HELM}`, { cause: error });
  }
  return OURS;
}

async function isHelm3(program: string): Promise<boolean> {
  return run(program, ['version', '--short']).then(
    ({ stdout }) => stdout.startsWith('v3.'),
    () => false,
  );
}
