import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { httpAnswers } from './answers.js';
import { runCommand } from './command.js';
import { findInfluxd } from './influxdb-binaries.js';
import type { Recipe } from './own-store.js';
import { ServerProcess } from './server-process.js';
import { StoreError, type Environment } from './store.js';
import { TemporaryFolder } from './temporary-folder.js';

/** InfluxDB 2.x, set up with organization and bucket `tally`; `undefined` when this machine has none. */
export async function localInfluxDB2(environment: Environment): Promise<Recipe | undefined> {
  const command = await findInfluxd(2, environment);
  if (command === undefined) return undefined;
  return {
    name: 'influxdb',
    origin: command,
    folder: () => TemporaryFolder.create('influxdb2', environment),
    prepare: async ({ port, folder }) => {
      const url = `http://127.0.0.1:${port}`;
      const token = randomBytes(24).toString('hex');
      const runner = new ServerProcess({
        command,
        args: await flags(command, port, folder.path),
        folder,
        environment: { HOME: folder.path },
        // On SIGTERM it ends at once, without closing its files.
        stopSignal: 'SIGINT',
        quitSignal: 'SIGKILL',
      });
      return {
        url,
        environment: { INFLUX_URL: url, INFLUX_TOKEN: token, INFLUX_ORG: 'tally', INFLUX_BUCKET: 'tally' },
        runner,
        answers: () => httpAnswers(`${url}/health`),
        initialise: () => onboard(url, token),
      };
    },
  };
}

async function flags(command: string, port: number, folder: string): Promise<string[]> {
  const { output } = await runCommand(command, ['--help'], { environment: { HOME: folder }, cwd: folder });
  const optional = ['--reporting-disabled', '--ui-disabled'].filter((flag) => output.includes(flag));
  return [
    `--http-bind-address=127.0.0.1:${port}`,
    `--bolt-path=${join(folder, 'influxd.bolt')}`,
    `--sqlite-path=${join(folder, 'influxd.sqlite')}`,
    `--engine-path=${join(folder, 'engine')}`,
    '--log-level=warn',
    ...optional,
  ];
}

async function onboard(url: string, token: string): Promise<void> {
  const response = await fetch(`${url}/api/v2/setup`, {
    method: 'POST',
    body: JSON.stringify({
      username: 'tally',
      password: randomBytes(12).toString('hex'),
      org: 'tally',
      bucket: 'tally',
      token,
    }),
  });
  const said = await response.text();
  if (response.status !== 201)
    throw new StoreError('START', `InfluxDB refused its setup: ${response.status} ${said}`);
}
