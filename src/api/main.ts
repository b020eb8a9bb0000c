/** The API process. Takes holds as long as PostgreSQL is there; ends when what it has begun is answered. */
import type { Server } from 'node:http';
import { loadConfig } from '../config/config';
import type { Config } from '../config/config';
import { CHANNELS } from '../domain/channel';
import { createGatewayMetrics } from '../observability/gateway-metrics';
import { createLogger } from '../observability/logger';
import type { Logger } from '../observability/logger';
import { startTracing, TRACES_LOST } from '../observability/tracing';
import { createMetricsServer, listenOptions } from '../observability/metrics-server';
import { createPipelining, createRedis } from '../redis/client';
import { createNoteFailed } from '../redis/failed-webhooks';
import {
  assertSchemaFits,
  createFoundation,
  createGateway,
  createLazyTemporalClient,
  createObjectWorkflows,
  createRouterOf,
  createWebhookWorkflows,
} from '../runtime';
import { openCountryDatabase } from '../routing/country';
import { createOutboxBell } from '../stores/outbox-bell';
import { readWebhookBacklog } from '../stores/webhook-backlog';
import { buildApp } from './build-app';
import { expressMessages } from './express-messages';
import { createLimits } from './limits/limits';
import { createApiServer } from './server-limits';

const DRAIN_LIMIT_MS = 20_000;
const WAKE_LIMIT_MS = 2_000;

async function main(): Promise<void> {
  const config = loadConfig();
  const tracing = startTracing(config, 'api', (problem) => log.warn(problem, TRACES_LOST));
  const log = createLogger('api', config.LOG_LEVEL, tracing?.logFields);
  await assertSchemaFits(config, log, (error) => {
    log.fatal(error.message);
    process.exitCode = 1;
    process.kill(process.pid, 'SIGTERM'); // it ends as if it had been asked to
  });
  const foundation = createFoundation(config, log);
  const temporal = createLazyTemporalClient(config, tracing);
  const redis = createRedis(config, log);
  redis.connect().catch(() => undefined); // it says so itself and keeps trying

  const countryOfIp = await openCountryDatabase(config.GEOIP_DATABASE);
  const ringOutbox = createOutboxBell(foundation.db);
  const limitsRedis = createPipelining(redis);
  limitsRedis.connect().catch(() => undefined);
  const limits = createLimits({ ...foundation, redis: limitsRedis, ringOutbox });
  limits.start();

  const metrics = createGatewayMetrics(limits.metrics.registry, {
    channels: CHANNELS,
    isOutOfService: (channel) => router.isOutOfService(channel),
    readBacklog: () => readWebhookBacklog(foundation.db),
    nowMs: () => performance.now(),
  });
  const router = createRouterOf(foundation, redis, (decision) => metrics.decided(decision));
  router.start();

  const webhookWorkflows = createWebhookWorkflows(foundation, temporal.client, false);
  const app = buildApp({
    ...foundation,
    webhookWorkflows,
    noteFailed: createNoteFailed(redis, log),
    gateway: createGateway(foundation, temporal.client),
    workflows: createObjectWorkflows(foundation, temporal.client),
    ...{ ringOutbox, router, countryOfIp, limits, tracing },
    checks: {
      postgres: () => foundation.db.query('SELECT 1'),
      temporal: () => temporal.connection.healthService.check({}),
      redis: () => redis.ping(),
    },
  });
  const server = createApiServer(app, expressMessages(app), limits.admitConnection);
  const metricsServer = createMetricsServer(limits.metrics, (error) =>
    log.warn({ err: error }, 'the metrics cannot be read'),
  );
  listen(server.http, metricsServer, config, log);

  const closeAll = async () => {
    await webhookWorkflows.close(WAKE_LIMIT_MS);
    await temporal.connection.close();
    await router.stop();
    await limits.stop();
    redis.disconnect();
    limitsRedis.disconnect();
    await foundation.db.end();
    await tracing?.close();
    metricsServer.close().closeAllConnections();
  };
  const stop = async () => {
    await server.drain(DRAIN_LIMIT_MS);
    await closeAll();
    log.info('API stopped');
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop());
}

/** A process that cannot listen where it was told to ends as if it had been asked to. */
function listen(api: Server, metrics: Server, config: Config, log: Logger): void {
  const { API_HOST: host, API_PORT: port, API_METRICS_ADDRESS: address } = config;
  for (const server of [api, metrics])
    server.once('error', (error) => {
      log.fatal({ err: error }, 'the API cannot listen');
      process.exitCode = 1;
      process.kill(process.pid, 'SIGTERM');
    });
  api.listen(port, host, () => log.info({ host, port }, 'API listening'));
  if (address === '') return;
  metrics.listen(listenOptions(address), () => log.info({ at: metrics.address() }, 'metrics are shown'));
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
