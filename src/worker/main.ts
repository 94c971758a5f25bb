import { createAdmin } from '../shared/admin.js';
import { SECOND } from '../shared/duration.js';
import { HttpServer } from '../shared/http-server.js';
import { Influx } from '../shared/influx.js';
import { runProcess } from '../shared/process.js';
import { Batcher } from './batcher.js';
import { systemClock } from './clock.js';
import { readConfig } from './config.js';
import { Consumer } from './consumer.js';
import { drain } from './drain.js';
import { InfluxWatch } from './influx-watch.js';
import { WorkerMetrics } from './metrics.js';
import { Quarantine } from './quarantine.js';
import { settleWith } from './settle.js';
import { Store } from './store.js';

/** Batches on their way to InfluxDB at once. */
const WRITERS = 8;

/** What another worker had in hand before has waited already; it gathers only this long. */
const REDELIVERED_WAIT_MS = SECOND / 4;

await runProcess(async ({ env, start }) => {
  const config = readConfig(env);
  const { about, lifecycle, log } = start(config, config.SHUTDOWN_TIMEOUT);
  const redis = { url: config.REDIS_URL, prefix: config.QUEUE_PREFIX, log };

  // Opened in this order, closed in reverse.
  using influx = new Influx(config);
  await using quarantine = new Quarantine(redis);
  const metrics = new WorkerMetrics(() => batcher.pendingLines);
  const watch = new InfluxWatch(influx, log);
  const store = new Store({
    post: (lines) => influx.write(lines),
    onAnswer: (verdict, answer) => {
      watch.see(verdict, answer);
      metrics.influxAnswered(verdict);
    },
  });
  const batcher = new Batcher({
    size: config.BATCH_SIZE,
    writers: WRITERS,
    write: settleWith({ store, quarantine, onSettled: metrics.batchSettled }),
    clock: systemClock,
  });
  await using consumer = new Consumer({
    ...redis,
    instance: about.instance,
    settle: (chunk, redelivered) =>
      batcher.add(chunk, redelivered ? REDELIVERED_WAIT_MS : config.BATCH_INTERVAL),
    keepUnreadable: (chunk, line) =>
      quarantine.keep([{ chunk, line, status: 0, reason: 'not a chunk this version can read' }]),
  });
  const { registry } = metrics;
  const { sickness, hindrance } = consumer;
  await using admin = new HttpServer(createAdmin({ about, lifecycle, registry, sickness, hindrance }));
  const adminPort = await admin.listen(config.HOST, config.ADMIN_PORT);
  consumer.start();
  lifecycle.ready();
  log.info({ ...about, adminPort }, 'ready');

  await lifecycle.untilStop();
  const unaccounted = await drain({ consumer, batcher, timeoutMs: config.SHUTDOWN_TIMEOUT });
  return { ...metrics.totals, handedBack: consumer.handedBack, unaccounted };
});
