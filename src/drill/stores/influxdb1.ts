import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { httpAnswers } from './answers.js';
import { findInfluxd } from './influxdb-binaries.js';
import type { Recipe } from './own-store.js';
import { ServerProcess } from './server-process.js';
import type { Environment } from './store.js';
import { TemporaryFolder } from './temporary-folder.js';

/** InfluxDB 1.x; `undefined` when this machine has none. Its database is not made: `tally setup` does that. */
export async function localInfluxDB1(environment: Environment): Promise<Recipe | undefined> {
  const command = await findInfluxd(1, environment);
  if (command === undefined) return undefined;
  return {
    name: 'influxdb',
    origin: command,
    folder: () => TemporaryFolder.create('influxdb1', environment),
    prepare: async ({ port, folder }) => {
      const url = `http://127.0.0.1:${port}`;
      const configFile = join(folder.path, 'influxdb.conf');
      await writeFile(configFile, configuration(port, folder.path));
      const runner = new ServerProcess({
        command,
        args: ['run', '-config', configFile],
        folder,
        environment: { HOME: folder.path },
        stopSignal: 'SIGINT',
        quitSignal: 'SIGKILL',
      });
      return {
        url,
        environment: { INFLUX_URL: url, INFLUX_TOKEN: '', INFLUX_ORG: '', INFLUX_BUCKET: 'tally' },
        runner,
        answers: () => httpAnswers(`${url}/ping`),
      };
    },
  };
}

/** JSON strings are TOML strings. Only HTTP listens on a known port; 0 is unlimited. */
function configuration(port: number, folder: string): string {
  const inFolder = (name: string) => JSON.stringify(join(folder, name));
  return `
reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
dir = ${inFolder('meta')}
[data]
dir = ${inFolder('data')}
wal-dir = ${inFolder('wal')}
query-log-enabled = false
max-series-per-database = 0
max-values-per-tag = 0
[monitor]
store-enabled = false
[continuous_queries]
enabled = false
[http]
bind-address = "127.0.0.1:${port}"
log-enabled = false
[logging]
level = "warn"
`;
}
