/** The API of a process, from its parts: which routes there are, and what each of them is given. */
import type { Express } from 'express';
import type { Config } from '../config/config';
import type { Logger } from '../observability/logger';
import type { AccountDirectory } from '../stores/account-directory';
import type { Database } from '../stores/postgres';
import type { SecretBox } from '../stores/secret-box';
import type { PreAuthGateway } from '../temporal/pre-auth-gateway';
import { urlPolicyOf } from '../webhooks/ssrf-guard';
import { createApp } from './app';
import { createAuthenticate } from './auth';
import { openApiDocument } from './openapi';
import type { Route } from './route';
import { adminRoutes } from './routes/admin';
import { channelEventRoutes } from './routes/channel-events';
import { healthRoutes, openApiRoute } from './routes/health';
import type { HealthChecks } from './routes/health';
import { preAuthRoutes } from './routes/pre-auth';
import { webhookEndpointRoutes } from './routes/webhook-endpoints';
import { webhookNotificationRoutes } from './routes/webhook-notifications';
import type { WebhookWorkflows } from './webhooks/deps';

export const API_VERSION = '0.1.0';

export interface ApiParts {
  readonly config: Config;
  readonly log: Logger;
  readonly db: Database;
  readonly box: SecretBox;
  readonly accounts: AccountDirectory;
  readonly gateway: PreAuthGateway;
  readonly webhookWorkflows: WebhookWorkflows;
  /** Tells the relays that the outbox has something new. */
  readonly ringOutbox: () => void;
  readonly checks: HealthChecks;
}

export function apiRoutes(parts: ApiParts): Route[] {
  const { config, log, db, box, accounts, gateway } = parts;
  const waitTimeoutMs = config.API_WAIT_TIMEOUT * 1000;
  const webhookUrlPolicy = urlPolicyOf(config);
  const minExpiresInSeconds = config.PRE_AUTH_MIN_EXPIRES_IN;
  const webhooks = {
    ...{
      db,
      box,
      log,
      webhookUrlPolicy,
      webhookWorkflows: parts.webhookWorkflows,
      ringOutbox: parts.ringOutbox,
    },
    defaultMaxRetries: config.WEBHOOK_MAX_RETRIES,
  };
  const documented = [
    ...preAuthRoutes({ db, box, log, gateway, waitTimeoutMs, minExpiresInSeconds, webhookUrlPolicy }),
    ...webhookEndpointRoutes(webhooks),
    ...webhookNotificationRoutes(webhooks),
    ...channelEventRoutes({ db, box, log, gateway, accounts }),
    ...adminRoutes({ db, box }),
    ...healthRoutes(parts.checks),
  ];
  return [...documented, openApiRoute(() => openApiDocument(documented, API_VERSION))];
}

export function buildApp(parts: ApiParts): Express {
  const { config, log, db, box } = parts;
  return createApp({
    routes: apiRoutes(parts),
    logger: log,
    authenticate: createAuthenticate({ db, adminKey: config.HOLDFAST_ADMIN_KEY }),
    idempotency: { db, box, waitTimeoutMs: config.API_WAIT_TIMEOUT * 1000 },
  });
}
