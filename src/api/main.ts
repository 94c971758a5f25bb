import { SECOND } from '../shared/duration.js';
import { createAdmin } from '../shared/admin.js';
import { CertificateWatch, readCertificate } from '../shared/http/certificate.js';
import { HeartbeatSender } from '../shared/heartbeats/heartbeat-sender.js';
import { openHeartbeats } from '../shared/heartbeats/heartbeats.js';
import { HttpServer } from '../shared/http/http-server.js';
import { Influx } from '../shared/influx.js';
import { Postgres } from '../shared/postgres.js';
import { runProcess } from '../shared/process.js';
import { exportProcess } from '../shared/process-metrics.js';
import { Acceptance } from './acceptance.js';
import { createApp } from './app.js';
import { ChunkLedger } from './chunk-ledger.js';
import { readConfig } from './config.js';
import { Counts } from './counts.js';
import { answerCrash } from './crash.js';
import { drain } from './drain.js';
import { openLive } from './live/live.js';
import { ApiMetrics } from './metrics.js';
import { Operations } from './operations.js';
import { Recorder } from './recorder.js';
import { openChunkQueue } from './sharded-queue.js';
import { traceApi } from './tracing.js';

await runProcess(async ({ env, start }) => {
  const config = readConfig(env);
  const certificate = config.TLS_CERT_FILE === '' ? undefined : await readCertificate(config);
  const drainMs = config.SHUTDOWN_DELAY + config.SHUTDOWN_TIMEOUT;
  const { about, lifecycle, log, tracer } = await start('api', config, drainMs);
  const tracing = await traceApi(tracer);

  // Opened in this order, closed in reverse.
  const redis = { url: config.REDIS_URL, prefix: config.QUEUE_PREFIX };
  await using queue = openChunkQueue({
    queue: redis,
    shards: config.QUEUE_SHARDS,
    traceOf: tracing.carried,
    log,
  });
  const database = { url: config.DATABASE_URL, application: about.instance, log };
  await using postgres = new Postgres(database);
  await using ledger = new ChunkLedger({ postgres, relayAfterMs: config.RELAY_AFTER, log });
  using acceptance = new Acceptance({ stores: [queue, ledger], tracing, log });
  // Questions have connections of their own: they must not make each other wait, and never acceptance.
  using influx = new Influx(config);
  await using lookups = new Postgres({ ...database, connections: 2 });
  using operations = new Operations({ postgres: lookups, influx, log });
  await using audits = new Postgres({ ...database, connections: 2 });
  const counts = new Counts({ postgres: audits, influx, bucket: config }, log);
  const metrics = new ApiMetrics({ waiting: () => recorder.pending, inFlight: () => server.inFlight });
  const stores = async () => acceptance.health;
  exportProcess(metrics.registry, { ...{ process: 'api', about, lifecycle }, stores });
  const recorder = new Recorder({
    ...{ instance: about.instance, acceptance, tracing },
    onChunk: metrics.chunkDecided,
  });
  await using heartbeats = openHeartbeats({ queue: redis, database, log });
  await using sender = new HeartbeatSender({ about, lifecycle, heartbeats, work: metrics.work, stores });
  await using live = openLive(config, {
    ...{ instance: about.instance, lifecycle, heartbeats, sender, database, influx, log },
  });
  await using admin = new HttpServer(
    createAdmin({
      about,
      lifecycle,
      registry: metrics.registry,
      sickness: async () => undefined,
      hindrance: async () => ((await acceptance.answers()) ? undefined : 'no durable store answers'),
    }),
  );
  await using server = new HttpServer(
    createApp({
      ...{ recorder, about, lifecycle, log },
      sumDelayMs: config.SUM_DELAY,
      findOperation: operations.find,
      countSince: counts.since,
      ...(live && { live: live.routes }),
      ...(config.CHAOS_TOKEN && {
        answerCrash: answerCrash({ token: config.CHAOS_TOKEN, instance: about.instance, log }),
      }),
      onAnswer: metrics.requestAnswered,
      ...(tracing.request && { traceSum: tracing.request }),
    }),
    {
      certificate,
      // Who has been idle through the whole delay does not come back on a connection that is about to be closed.
      ...(config.SHUTDOWN_DELAY >= 2 * SECOND && {
        keepAliveSeconds: Math.floor(config.SHUTDOWN_DELAY / SECOND),
      }),
    },
  );
  using _watch =
    certificate &&
    new CertificateWatch({ files: config, certificate, onChange: (next) => server.renew(next), log });
  const adminPort = await admin.listen(config.HOST, config.ADMIN_PORT);
  if (!(await acceptance.meet())) log.warn('no durable store answers yet; sums are refused until one does');
  const port = await server.listen(config.HOST, config.PORT);
  lifecycle.ready();
  log.info({ ...about, port, adminPort }, 'ready');

  const cause = await lifecycle.untilStop();
  const cut = await drain({
    server,
    cause,
    delayMs: config.SHUTDOWN_DELAY,
    timeoutMs: config.SHUTDOWN_TIMEOUT,
  });
  if (cut > 0) log.error({ cut }, 'requests took longer than SHUTDOWN_TIMEOUT and were cut');
  return { ...metrics.totals, cut, unaccounted: recorder.pending };
});
