import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const HELP = `npm run test:faults -- [alone | sequence] [--seed N] [--rounds N] [--influx 1|2]

Every fault alone, at full length, and a random sequence of faults that the seed decides.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    rounds: { type: 'string', default: '30' },
    influx: { type: 'string' },
    help: { type: 'boolean' },
  },
});

if (values.help) process.stdout.write(`${HELP}\n`);
else {
  process.stdout.write(`seed ${values.seed}\n`);
  const files = positionals.length > 0 ? positionals : [''];
  const { status } = spawnSync(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', ...files.map((file) => `test/faults/${file}`)],
    {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      stdio: 'inherit',
      env: {
        ...process.env,
        TALLY_FAULTS: 'full',
        TALLY_FAULTS_SEED: values.seed,
        TALLY_FAULTS_ROUNDS: values.rounds,
        ...(values.influx && { TALLY_FAULTS_INFLUX: values.influx }),
      },
    },
  );
  process.exitCode = status ?? 1;
}
