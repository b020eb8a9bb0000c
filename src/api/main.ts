/** The API process. Takes holds as long as PostgreSQL is there; ends when what it has begun is answered. */
import type { Server } from 'node:http';
import { loadConfig } from '../config/config';
import { createLogger } from '../observability/logger';
import { createRedis } from '../redis/client';
import { createNoteFailed } from '../redis/failed-webhooks';
import {
  createFoundation,
  createGateway,
  createLazyTemporalClient,
  createObjectWorkflows,
  createRouterOf,
  createWebhookWorkflows,
} from '../runtime';
import { openCountryDatabase } from '../routing/country';
import { createOutboxBell } from '../stores/outbox-bell';
import { buildApp } from './build-app';

const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
const DRAIN_LIMIT_MS = 20_000;
const WAKE_LIMIT_MS = 2_000;

async function main(): Promise<void> {
  const config = loadConfig();
  const log = createLogger('api', config.LOG_LEVEL);
  const foundation = createFoundation(config, log);
  const temporal = createLazyTemporalClient();
  const redis = createRedis(config, log);
  redis.connect().catch(() => undefined); // it says so itself and keeps trying

  const countryOfIp = await openCountryDatabase(config.GEOIP_DATABASE);
  const router = createRouterOf(foundation, redis);
  router.start();

  const webhookWorkflows = createWebhookWorkflows(foundation, temporal.client, false);
  const app = buildApp({
    ...foundation,
    webhookWorkflows,
    noteFailed: createNoteFailed(redis, log),
    gateway: createGateway(foundation, temporal.client),
    workflows: createObjectWorkflows(foundation, temporal.client),
    ringOutbox: createOutboxBell(foundation.db),
    ...{ router, countryOfIp },
    checks: {
      postgres: () => foundation.db.query('SELECT 1'),
      temporal: () => temporal.connection.healthService.check({}),
      redis: () => redis.ping(),
    },
  });
  const server = app.listen(config.API_PORT, config.API_HOST, (error) => {
    if (error === undefined)
      return log.info({ host: config.API_HOST, port: config.API_PORT }, 'API listening');
    log.fatal({ err: error }, 'the API cannot listen');
    process.exitCode = 1;
    void closeAll();
  });
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;

  const closeAll = async () => {
    await webhookWorkflows.close(WAKE_LIMIT_MS);
    await temporal.connection.close();
    await router.stop();
    redis.disconnect();
    await foundation.db.end();
  };
  const stop = async () => {
    await drain(server);
    await closeAll();
    log.info('API stopped');
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop());
}

/** Takes no new request, finishes those under way, and cuts what takes too long. */
async function drain(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), DRAIN_LIMIT_MS);
  await closed;
  clearTimeout(cut);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
