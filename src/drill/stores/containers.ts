import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SECOND } from '../../shared/duration.js';
import { httpAnswers, postgresAnswers, redisAnswers } from './answers.js';
import { runCommand } from './command.js';
import { ComposeRunner } from './compose.js';
import { IMAGES } from './images.js';
import type { Recipe } from './own-store.js';
import { REDIS_OPTIONS } from './redis.js';
import { STOP_SECONDS } from './runner.js';
import type { Environment, StoreName } from './store.js';
import { TemporaryFolder } from './temporary-folder.js';

/** What is particular to one store as a container. */
interface Container {
  readonly port: number;
  readonly volume: string;
  readonly service: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string>>;
  readonly url: string;
  answers(): Promise<boolean>;
}

const CONTAINERS: Readonly<Record<StoreName, (port: number, secret: string) => Container>> = {
  redis: (port) => {
    const url = `redis://127.0.0.1:${port}`;
    return {
      port: 6379,
      volume: '/data',
      service: { command: ['redis-server', ...REDIS_OPTIONS] },
      url,
      environment: { REDIS_URL: url },
      answers: () => redisAnswers(url),
    };
  },
  postgres: (port, secret) => {
    const url = `postgres://tally:${secret}@127.0.0.1:${port}/tally`;
    return {
      port: 5432,
      volume: '/var/lib/postgresql',
      service: {
        environment: { POSTGRES_USER: 'tally', POSTGRES_PASSWORD: secret, POSTGRES_DB: 'tally' },
        stop_signal: 'SIGINT',
      },
      url,
      environment: { DATABASE_URL: url },
      answers: () => postgresAnswers(url),
    };
  },
  influxdb: (port, secret) => {
    const url = `http://127.0.0.1:${port}`;
    return {
      port: 8086,
      volume: '/var/lib/influxdb2',
      service: {
        environment: {
          DOCKER_INFLUXDB_INIT_MODE: 'setup',
          DOCKER_INFLUXDB_INIT_USERNAME: 'tally',
          DOCKER_INFLUXDB_INIT_PASSWORD: secret,
          DOCKER_INFLUXDB_INIT_ORG: 'tally',
          DOCKER_INFLUXDB_INIT_BUCKET: 'tally',
          DOCKER_INFLUXDB_INIT_ADMIN_TOKEN: secret,
          INFLUXD_REPORTING_DISABLED: 'true',
        },
        // On SIGTERM it ends at once, without closing its files.
        stop_signal: 'SIGINT',
      },
      url,
      environment: { INFLUX_URL: url, INFLUX_TOKEN: secret, INFLUX_ORG: 'tally', INFLUX_BUCKET: 'tally' },
      answers: () => httpAnswers(`${url}/health`),
    };
  },
};

/** A store as a Docker Compose project of its own, with a volume that is deleted in the end. InfluxDB is 2.7. */
export function containedStore(name: StoreName, environment: Environment): Recipe {
  const down = ['docker', 'compose', '--file', '{}/compose.json', 'down', '--volumes', '--timeout', '0'];
  return {
    name,
    origin: `Docker image ${IMAGES[name]}`,
    folder: () => TemporaryFolder.create(name, environment, down),
    prepare: async ({ port, folder }) => {
      const container = CONTAINERS[name](port, randomBytes(24).toString('hex'));
      const project = `tally-${name}-${randomBytes(4).toString('hex')}`;
      const file = join(folder.path, 'compose.json');
      const document = composeDocument(name, project, port, container);
      // Docker takes a JSON document for YAML, which it is.
      await writeFile(file, JSON.stringify(document), { mode: 0o600 });
      return {
        url: container.url,
        environment: container.environment,
        runner: new ComposeRunner({ file, service: name, environment }),
        answers: () => container.answers(),
      };
    },
  };
}

function composeDocument(name: StoreName, project: string, port: number, container: Container) {
  return {
    name: project,
    services: {
      [name]: {
        image: IMAGES[name],
        container_name: project,
        ports: [`127.0.0.1:${port}:${container.port}`],
        // Docker's own bridge: networks are scarce, and nothing here talks to anything else.
        network_mode: 'bridge',
        stop_grace_period: `${STOP_SECONDS}s`,
        volumes: [`data:${container.volume}`],
        ...container.service,
      },
    },
    volumes: { data: {} },
  };
}

/** Whether an engine with Compose answers, and quickly. */
export async function engineAnswers(environment: Environment): Promise<boolean> {
  const options = { environment, timeoutMs: 5 * SECOND };
  const answers = await Promise.all([
    runCommand('docker', ['compose', 'version'], options),
    runCommand('docker', ['info'], options),
  ]);
  return answers.every(({ ok }) => ok);
}
