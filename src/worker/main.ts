import { createAdmin } from '../shared/admin.js';
import type { Chunk } from '../shared/chunk.js';
import { SECOND } from '../shared/duration.js';
import { HeartbeatSender } from '../shared/heartbeats/heartbeat-sender.js';
import { openHeartbeats } from '../shared/heartbeats/heartbeats.js';
import { HttpServer } from '../shared/http/http-server.js';
import { Influx } from '../shared/influx.js';
import { Postgres } from '../shared/postgres.js';
import { runProcess } from '../shared/process.js';
import { exportProcess } from '../shared/process-metrics.js';
import { Batcher } from './batcher.js';
import { systemClock } from './clock.js';
import { CatchUp } from './catch-up.js';
import { readConfig } from './config.js';
import { Consumer } from './consumer.js';
import { drain } from './drain.js';
import { InfluxWatch } from './influx-watch.js';
import { LedgerLink } from './ledger-link.js';
import { LedgerWatch } from './ledger-watch.js';
import { Marker } from './marker.js';
import { WorkerMetrics } from './metrics.js';
import { Quarantine } from './quarantine.js';
import { exportQueue } from './queue-metrics.js';
import { QueueView } from './queue-view.js';
import { Relay } from './relay.js';
import { settleWith } from './settle.js';
import { Store } from './store.js';
import { StrayShards } from './stray-shards.js';
import { traceWorker } from './tracing.js';

/** Batches on their way to InfluxDB at once. What several writes share, such as a sync to disk, InfluxDB does once. */
const WRITERS = 32;

/** What another worker had in hand before, or the queue did not deliver, has waited already; it gathers only this long. */
const LATE_WAIT_MS = SECOND / 4;

await runProcess(async ({ env, start }) => {
  const config = readConfig(env);
  const { about, lifecycle, log, tracer } = await start('worker', config, config.SHUTDOWN_TIMEOUT);
  const tracing = await traceWorker(tracer, config);
  const redis = {
    queue: { url: config.REDIS_URL, prefix: config.QUEUE_PREFIX },
    shards: config.QUEUE_SHARDS,
    log,
  };

  // Opened in this order, closed in reverse.
  using influx = new Influx(config);
  const database = { url: config.DATABASE_URL, application: about.instance, log };
  await using postgres = new Postgres(database);
  using link = new LedgerLink(postgres, log);
  await using queue = new QueueView(redis);
  await using quarantine = new Quarantine({ ...redis, link });
  const metrics = new WorkerMetrics(() => batcher.pendingLines);
  const watch = new InfluxWatch(influx, log);
  const store = new Store({
    post: (lines) => influx.write(lines),
    onAnswer: (verdict, answer, lines) => {
      watch.see(verdict, answer);
      metrics.influxAnswered(verdict);
      tracing.answered(verdict, answer, lines);
    },
  });
  const write = settleWith({
    ...{ store, quarantine },
    onSettled: (batch) => {
      metrics.batchSettled(batch);
      tracing.settled(batch);
    },
  });
  const batcher = new Batcher({
    size: config.BATCH_SIZE,
    writers: WRITERS,
    write: (batch, signal) => tracing.write(batch, () => write(batch, signal)),
    clock: systemClock,
  });
  const marker = new Marker(link);
  const settle = async (chunk: Chunk, waitMs: number) => {
    const settlement = await batcher.add(chunk, waitMs);
    if (settlement === 'abandoned') return settlement;
    metrics.chunkSettled(chunk);
    return (await tracing.mark(chunk, () => marker.mark(chunk))) ? settlement : 'unrecorded';
  };
  await using consumer = new Consumer({
    ...redis,
    instance: about.instance,
    settle: (chunk, redelivered) =>
      tracing.process(chunk, redelivered, () =>
        settle(chunk, redelivered ? LATE_WAIT_MS : config.BATCH_INTERVAL),
      ),
    keepUnreadable: (line) => quarantine.keep([line]),
  });
  await using relay = new Relay({
    link,
    queue,
    relayAfterMs: config.RELAY_AFTER,
    settle: (chunk) => tracing.relay(chunk, () => settle(chunk, LATE_WAIT_MS)),
    keepUnreadable: (line) => quarantine.keep([line]),
    log,
  });
  await using catchUp = new CatchUp({ queue, quarantine, link, log });
  using strays = new StrayShards({ queue, consumer, log });
  const { registry } = metrics;
  exportQueue(registry, queue);
  const stores = async () => [
    ...(await queue.health()),
    { store: 'ledger', away: link.away },
    { store: 'influxdb', away: watch.away },
  ];
  exportProcess(registry, { ...{ process: 'worker', about, lifecycle }, stores });
  await using ledgerWatch = new LedgerWatch({
    ...{ url: config.DATABASE_URL, application: about.instance, influx, bucket: config, registry, log },
    retentionMs: config.LEDGER_RETENTION,
  });
  await using heartbeats = openHeartbeats({ queue: redis.queue, database, log });
  await using _sender = new HeartbeatSender({ about, lifecycle, heartbeats, work: metrics.work, stores });
  const { sickness, hindrance } = consumer;
  await using admin = new HttpServer(createAdmin({ about, lifecycle, registry, sickness, hindrance }));
  const adminPort = await admin.listen(config.HOST, config.ADMIN_PORT);
  consumer.start();
  relay.start();
  catchUp.start();
  strays.start();
  ledgerWatch.start();
  lifecycle.ready();
  log.info({ ...about, adminPort }, 'ready');

  await lifecycle.untilStop();
  const left = await drain({ consumer, relay, batcher, timeoutMs: config.SHUTDOWN_TIMEOUT });
  return { ...metrics.totals, handedBack: consumer.handedBack, ...left };
});
