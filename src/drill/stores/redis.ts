import { redisAnswers } from './answers.js';
import { onPath } from './command.js';
import type { Recipe } from './own-store.js';
import { ServerProcess } from './server-process.js';
import type { Environment } from './store.js';
import { TemporaryFolder } from './temporary-folder.js';

/** What durability asks of Redis: nothing evicted, every second on disk. */
export const REDIS_OPTIONS: readonly string[] = Object.entries({
  '--appendonly': 'yes',
  '--appendfsync': 'everysec',
  '--maxmemory-policy': 'noeviction',
  '--save': '',
}).flat();

/** Redis from a `redis-server` on `PATH`, with further options of its own; `undefined` when there is none. */
export function localRedis(environment: Environment, options: readonly string[] = []): Recipe | undefined {
  const command = onPath('redis-server', environment);
  if (command === undefined) return undefined;
  return {
    name: 'redis',
    origin: command,
    folder: () => TemporaryFolder.create('redis', environment),
    prepare: ({ port, folder }) => {
      const url = `redis://127.0.0.1:${port}`;
      const runner = new ServerProcess({
        command,
        args: [
          '--port',
          String(port),
          '--bind',
          '127.0.0.1',
          '--dir',
          folder.path,
          ...REDIS_OPTIONS,
          ...options,
        ],
        folder,
        environment: {},
        stopSignal: 'SIGTERM',
        quitSignal: 'SIGKILL',
      });
      return Promise.resolve({
        url,
        environment: { REDIS_URL: url },
        runner,
        answers: () => redisAnswers(url),
      });
    },
  };
}
