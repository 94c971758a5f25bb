import { isExecutable, onPath, runCommand } from './command.js';
import { StoreError, type Environment } from './store.js';

const HOMEBREW = ['/opt/homebrew/opt', '/usr/local/opt'];

/**
 * An `influxd` of this generation: what `TALLY_INFLUXD2` names (2.x only), else on `PATH`, else Homebrew's.
 *
 * @throws {StoreError} `MISSING` when `TALLY_INFLUXD2` names something else.
 */
export async function findInfluxd(generation: 1 | 2, environment: Environment): Promise<string | undefined> {
  const named = generation === 2 ? environment['TALLY_INFLUXD2'] : undefined;
  if (named) {
    if (isExecutable(named) && (await generationOf(named)) === 2) return named;
    throw new StoreError('MISSING', `TALLY_INFLUXD2 is not an influxd of InfluxDB 2.x: ${named}`);
  }
  const candidates = [
    onPath('influxd', environment),
    ...HOMEBREW.map((folder) => `${folder}/influxdb@${generation}/bin/influxd`),
  ];
  for (const path of candidates) {
    if (path !== undefined && isExecutable(path) && (await generationOf(path)) === generation) return path;
  }
  return undefined;
}

/** By its version or, where a build lacks that command, by a flag that only 2.x has. */
async function generationOf(influxd: string): Promise<number | undefined> {
  const environment = { HOME: '/nonexistent' };
  const { ok, output } = await runCommand(influxd, ['version'], { environment, timeoutMs: 10_000 });
  const [, major] = /InfluxDB v?(\d+)\./.exec(output) ?? [];
  if (ok && major !== undefined) return Number(major);
  return output.includes('--engine-path') ? 2 : undefined;
}
