import { randomBytes } from 'node:crypto';
import { chown, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { postgresAnswers, runSql } from './answers.js';
import { runCommand } from './command.js';
import type { Recipe, Server } from './own-store.js';
import { findPostgres } from './postgres-binaries.js';
import { ServerProcess } from './server-process.js';
import { StoreError, type Environment } from './store.js';
import { TemporaryFolder } from './temporary-folder.js';
import { unprivilegedUser, type User } from './unprivileged-user.js';

/**
 * Postgres from the binaries of Debian, Homebrew or `PATH`; `undefined` when there are none. As root it runs as
 * `postgres`, else `nobody`: it refuses root.
 */
export async function localPostgres(environment: Environment): Promise<Recipe | undefined> {
  const bin = await findPostgres(environment);
  if (bin === undefined) return undefined;
  return {
    name: 'postgres',
    origin: join(bin, 'postgres'),
    folder: () => TemporaryFolder.create('postgres', environment),
    prepare: async (place) => {
      const user = await unprivilegedUser('postgres', environment);
      return preparePostgres({ ...place, bin, user });
    },
  };
}

interface Place {
  readonly port: number;
  readonly folder: TemporaryFolder;
  readonly bin: string;
  readonly user: User | undefined;
}

async function preparePostgres({ port, folder, bin, user }: Place): Promise<Server> {
  const password = randomBytes(12).toString('hex');
  const address = `postgres://tally:${password}@127.0.0.1:${port}`;
  const url = `${address}/tally`;
  const data = join(folder.path, 'data');
  const pidFile = join(data, 'postmaster.pid');
  if (user !== undefined) await chown(folder.path, user.uid, user.gid);
  await initialiseCluster({ bin, folder: folder.path, data, password, user });
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    // Enough for ten times the usual number of processes, as in the chart.
    max_connections: '250',
    // In the data folder instead of /dev/shm, where it would stay behind after a kill.
    dynamic_shared_memory_type: 'mmap',
  };
  const runner = new ServerProcess({
    command: join(bin, 'postgres'),
    args: ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    folder,
    environment: { LC_ALL: 'C' },
    user,
    stopSignal: 'SIGINT',
    quitSignal: 'SIGQUIT',
  });
  return {
    url,
    environment: { DATABASE_URL: url },
    runner,
    answers: () => postgresAnswers(`${address}/postgres`),
    initialise: () => runSql(`${address}/postgres`, 'create database tally'),
    // Left by a kill. Nothing of that server runs any more, but its process id may by now be somebody else's.
    beforeStart: () => rm(pidFile, { force: true }),
    sweep: () => removeSharedMemory(pidFile),
  };
}

interface Cluster {
  readonly bin: string;
  readonly folder: string;
  readonly data: string;
  readonly password: string;
  readonly user: User | undefined;
}

async function initialiseCluster({ bin, folder, data, password, user }: Cluster): Promise<void> {
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (user !== undefined) await chown(passwordFile, user.uid, user.gid);
  const { ok, output } = await runCommand(
    join(bin, 'initdb'),
    [
      `--pgdata=${data}`,
      '--username=tally',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--no-locale',
      // The server syncs what it writes; only the empty cluster need not survive a power cut.
      '--no-sync',
    ],
    { environment: { LC_ALL: 'C' }, cwd: folder, user },
  );
  if (!ok) throw new StoreError('START', `${join(bin, 'initdb')} failed:\n${output}`);
}

/** A killed Postgres leaves 56 bytes of System V shared memory; macOS has room for 32 such pieces. */
async function removeSharedMemory(pidFile: string): Promise<void> {
  const lines = (await readFile(pidFile, 'utf8').catch(() => '')).split('\n');
  const [, id] = /^\s*\d+\s+(\d+)\s*$/.exec(lines[6] ?? '') ?? [];
  if (id !== undefined) await runCommand('ipcrm', ['-m', id], { environment: { PATH: '/usr/bin:/bin' } });
}
