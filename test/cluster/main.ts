import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parseDuration } from '../../src/shared/duration.js';

const HELP = `npm run test:cluster -- [--rounds N] [--chaos D] [--rate N] [--keep]

Installs Tally in the cluster that KUBECONFIG names, in a namespace of its own, deploys it, breaks it and removes it.
docs/cluster.md tells what it needs.

Options:
  --rounds N   how often all kinds of deploys follow each other under load (default 5)
  --chaos D    how long pods die at random (default 5m)
  --rate N     requests a second (default 100)
  --keep       leave the namespace afterwards

TALLY_IMAGE names the image of Tally (default: tally with the version of this tree).`;

const TOOLS = [
  { name: 'kubectl', args: ['version', '--client'], where: 'https://kubernetes.io/docs/tasks/tools/' },
  { name: 'helm', args: ['version'], where: 'https://helm.sh/docs/intro/install/' },
  {
    name: 'kubectl',
    args: ['get', '--raw', '/readyz'],
    where: 'KUBECONFIG must name a cluster that answers, such as one of `kind create cluster`',
  },
];

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    chaos: { type: 'string', default: '5m' },
    rate: { type: 'string', default: '100' },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean' },
  },
});

const faults = [
  ...(['rounds', 'rate'] as const).flatMap((name) =>
    /^[1-9]\d*$/.test(values[name]) ? [] : `--${name}: "${values[name]}" is no number of at least 1`,
  ),
  ...(parseDuration(values.chaos) === undefined
    ? [`--chaos: "${values.chaos}" is no duration such as 5m`]
    : []),
];

if (values.help) process.stdout.write(`${HELP}\n`);
else if (faults.length > 0) fail(faults);
else {
  const missing = TOOLS.flatMap(({ name, args, where }) => {
    const { status, error, stderr } = spawnSync(name, args, { encoding: 'utf8' });
    if (status === 0) return [];
    return `${name} ${args.join(' ')}: ${error ? error.message : stderr.trim()}\n  ${where}`;
  });
  if (missing.length > 0) fail(missing);
  else run();
}

function fail(reasons: readonly string[]): void {
  process.stderr.write(`${reasons.join('\n')}\n`);
  process.exitCode = 1;
}

function run(): void {
  const { status } = spawnSync(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/cluster/vitest.config.ts'],
    {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      stdio: 'inherit',
      env: {
        ...process.env,
        TALLY_CLUSTER_ROUNDS: values.rounds,
        TALLY_CLUSTER_CHAOS: values.chaos,
        TALLY_CLUSTER_RATE: values.rate,
        TALLY_CLUSTER_KEEP: String(values.keep),
      },
    },
  );
  process.exitCode = status ?? 1;
}
