import { runTally } from '../../src/drill/processes/run-tally.js';
import { openInfluxDB1, openPostgres, openRedis } from '../../src/drill/stores/open-stores.js';
import { TallyProcess } from '../../src/drill/processes/tally-process.js';
import { installSchemathesis, runSchemathesis } from './schemathesis.js';

const HELP = `npm run test:contract -- [options of \`schemathesis run\`]

Asks an API on real stores whatever its description at /openapi.json allows, and more: every answer must be as described,
and none a 5xx. Needs Python 3.11 or newer and PyPI.
`;

const options = process.argv.slice(2);
if (options.includes('--help')) process.stdout.write(HELP);
else await main();

async function main(): Promise<void> {
  const program = await installSchemathesis();
  await using redis = await openRedis();
  await using postgres = await openPostgres();
  await using influxdb = await openInfluxDB1();
  const env = {
    ...redis.environment,
    ...postgres.environment,
    ...influxdb.environment,
    INFLUX_BUCKET: 'contract',
    BATCH_INTERVAL: '500ms',
    SHUTDOWN_DELAY: '0ms',
    CHAOS_TOKEN: 'nobody-will-guess-this',
    LIVE_PAGE: 'true',
  };
  await runTally(['setup'], env);
  await using worker = await TallyProcess.start({ kind: 'worker', env });
  await using api = await TallyProcess.start({ kind: 'api', env });
  const asDescribed = await runSchemathesis(program, `http://127.0.0.1:${api.port}`, options);
  const endings = [await api.stop(), await worker.stop()];
  process.stdout.write(await runTally(['audit'], env));
  if (!asDescribed || endings.some(({ code }) => code !== 0)) process.exitCode = 1;
}
