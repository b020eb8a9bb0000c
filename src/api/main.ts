/** The API process. Takes holds as long as PostgreSQL is there; ends when what it has begun is answered. */
import { loadConfig } from '../config/config';
import { createLogger } from '../observability/logger';
import { createPipelining, createRedis } from '../redis/client';
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
import { expressMessages } from './express-messages';
import { createLimits } from './limits/limits';
import { createApiServer } from './server-limits';

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

  const ringOutbox = createOutboxBell(foundation.db);
  const limitsRedis = createPipelining(redis);
  limitsRedis.connect().catch(() => undefined);
  const limits = createLimits({ ...foundation, redis: limitsRedis, ringOutbox });
  limits.start();

  const webhookWorkflows = createWebhookWorkflows(foundation, temporal.client, false);
  const app = buildApp({
    ...foundation,
    webhookWorkflows,
    noteFailed: createNoteFailed(redis, log),
    gateway: createGateway(foundation, temporal.client),
    workflows: createObjectWorkflows(foundation, temporal.client),
    ...{ ringOutbox, router, countryOfIp, limits },
    checks: {
      postgres: () => foundation.db.query('SELECT 1'),
      temporal: () => temporal.connection.healthService.check({}),
      redis: () => redis.ping(),
    },
  });
  const server = createApiServer(app, expressMessages(app));
  server.http.listen(config.API_PORT, config.API_HOST, () =>
    log.info({ host: config.API_HOST, port: config.API_PORT }, 'API listening'),
  );
  server.http.once('error', (error) => {
    log.fatal({ err: error }, 'the API cannot listen');
    process.exitCode = 1;
    void closeAll();
  });

  const closeAll = async () => {
    await webhookWorkflows.close(WAKE_LIMIT_MS);
    await temporal.connection.close();
    await router.stop();
    await limits.stop();
    redis.disconnect();
    limitsRedis.disconnect();
    await foundation.db.end();
  };
  const stop = async () => {
    await server.drain(DRAIN_LIMIT_MS);
    await closeAll();
    log.info('API stopped');
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop());
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
