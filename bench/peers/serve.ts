import type * as AdminModule from '../../src/shared/admin.js';
import type * as AppModule from '../../src/api/app.js';
import type * as ConfigModule from '../../src/api/config.js';
import type * as DrainModule from '../../src/api/drain.js';
import type * as HttpServerModule from '../../src/shared/http/http-server.js';
import type * as MetricsModule from '../../src/api/metrics.js';
import type * as OperationModule from '../../src/shared/operation.js';
import type * as ProcessModule from '../../src/shared/process.js';
import type { Calculation } from '../../src/api/recorder.js';
import type { Operation } from '../../src/shared/operation.js';
import { built } from './built.js';

const { createAdmin } = await built<typeof AdminModule>('shared/admin.js');
const { createApp } = await built<typeof AppModule>('api/app.js');
const { readConfig } = await built<typeof ConfigModule>('api/config.js');
const { drain } = await built<typeof DrainModule>('api/drain.js');
const { HttpServer } = await built<typeof HttpServerModule>('shared/http/http-server.js');
const { ApiMetrics } = await built<typeof MetricsModule>('api/metrics.js');
const { monotonicNanoseconds } = await built<typeof OperationModule>('shared/operation.js');
const { runProcess } = await built<typeof ProcessModule>('shared/process.js');

/** What a peer does with an operation before its request is answered. */
export type Keep = (operation: Operation) => Promise<void>;

/** Tally's API with another way to keep operations: same app, same server, same metrics, same life. */
export async function serve(open: (redisUrl: string) => { keep: Keep; close: () => Promise<void> }) {
  await runProcess(async ({ env, start }) => {
    const config = readConfig(env);
    const drainMs = config.SHUTDOWN_DELAY + config.SHUTDOWN_TIMEOUT;
    const { about, lifecycle, log } = await start('api', config, drainMs);
    const { keep, close } = open(config.REDIS_URL);
    const metrics = new ApiMetrics({ waiting: () => 0, inFlight: () => server.inFlight });
    const nextAt = monotonicNanoseconds();
    const recorder = {
      record: async (calculation: Calculation): Promise<Operation> => {
        const operation = { at: nextAt(), instance: about.instance, ...calculation };
        await keep(operation);
        return operation;
      },
    };
    await using server = new HttpServer(
      createApp({ recorder, about, lifecycle, log, sumDelayMs: 0, onAnswer: metrics.requestAnswered }),
    );
    const { registry } = metrics;
    const none = async () => undefined;
    await using admin = new HttpServer(
      createAdmin({ about, lifecycle, registry, sickness: none, hindrance: none }),
    );
    const adminPort = await admin.listen(config.HOST, config.ADMIN_PORT);
    const port = await server.listen(config.HOST, config.PORT);
    lifecycle.ready();
    log.info({ port, adminPort }, 'ready');
    const cause = await lifecycle.untilStop();
    const unaccounted = await drain({ server, cause, delayMs: 0, timeoutMs: config.SHUTDOWN_TIMEOUT });
    await close();
    return { unaccounted };
  });
}
