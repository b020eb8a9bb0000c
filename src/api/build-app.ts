/** The API of a process, from its parts: which routes there are, and what each of them is given. */
import type { Express } from 'express';
import type { Config } from '../config/config';
import type { Logger } from '../observability/logger';
import type { Tracing } from '../observability/tracing';
import type { OpenAccountDirectory } from '../stores/account-directory';
import type { Database } from '../stores/postgres';
import type { SecretBox } from '../stores/secret-box';
import type { CommandGateway } from '../temporal/command-gateway';
import type { ObjectGateway } from '../temporal/object-gateway';
import { urlPolicyOf } from '../webhooks/ssrf-guard';
import { createApp } from './app';
import { createAuthenticate } from './auth';
import { openApiDocument } from './openapi';
import { createOperators } from './operators';
import type { Route } from './route';
import { adminRoutes } from './routes/admin';
import { erasureRoutes } from './routes/admin-erasure';
import { feesReportRoute } from './routes/admin-fees-report';
import { adminAuditRoute } from './routes/admin-audit';
import { adminKeyRoutes } from './routes/admin-keys';
import { adminLimitsRoutes } from './routes/admin-limits';
import { reconciliationRoutes } from './routes/admin-reconciliation';
import { adminRoutingRoutes } from './routes/admin-routing';
import { routingAuditRoute } from './routes/admin-routing-audit';
import { adminSwitchRoutes } from './routes/admin-switches';
import { channelEventRoutes } from './routes/channel-events';
import { disputeRoutes } from './routes/disputes';
import { docsRoutes } from './routes/docs';
import type { Limits } from './limits/limits';
import { healthRoutes, openApiRoute } from './routes/health';
import type { HealthChecks } from './routes/health';
import { latePaymentRoutes } from './routes/late-payments';
import { paymentRoutes } from './routes/payments';
import { preAuthRoutes } from './routes/pre-auth';
import { requestSigningRoutes } from './routes/request-signing';
import { routingRoutes } from './routes/routing';
import { refundRoutes } from './routes/refunds';
import { settlementRoutes } from './routes/settlement';
import { webhookEndpointRoutes } from './routes/webhook-endpoints';
import { webhookNotificationRoutes } from './routes/webhook-notifications';
import { createSignatureCheck } from './signing/check';
import { createTellRouters } from './routing/deps';
import type { CountryResolver } from '../routing/country';
import type { Router } from '../routing/router';
import type { WebhookApiDeps, WebhookWorkflows } from './webhooks/deps';

export const API_VERSION = '0.1.0';

export interface ApiParts {
  readonly config: Config;
  readonly log: Logger;
  readonly db: Database;
  readonly box: SecretBox;
  readonly accounts: OpenAccountDirectory;
  readonly gateway: CommandGateway;
  /** The workflows of all objects: they are told that a channel has news of them. */
  readonly workflows: Pick<ObjectGateway, 'resync' | 'ensure'>;
  readonly webhookWorkflows: WebhookWorkflows;
  readonly noteFailed: WebhookApiDeps['noteFailed'];
  /** Tells the relays that the outbox has something new. */
  readonly ringOutbox: () => void;
  readonly router: Router;
  readonly countryOfIp: CountryResolver;
  readonly checks: HealthChecks;
  readonly limits: Limits;
  readonly tracing?: Tracing | undefined;
}

function apiRoutes(parts: ApiParts): Route[] {
  const { config, log, db, box, accounts, gateway, workflows, router, countryOfIp, limits } = parts;
  const waitTimeoutMs = config.API_WAIT_TIMEOUT * 1000;
  const webhookUrlPolicy = urlPolicyOf(config);
  const minExpiresInSeconds = config.PRE_AUTH_MIN_EXPIRES_IN;
  const tellRouters = createTellRouters(() => parts.router.changed(), log);
  const webhooks = {
    ...{
      db,
      box,
      log,
      webhookUrlPolicy,
      webhookWorkflows: parts.webhookWorkflows,
      noteFailed: parts.noteFailed,
      ringOutbox: parts.ringOutbox,
    },
    defaultMaxRetries: config.WEBHOOK_MAX_RETRIES,
  };
  const documented = [
    ...preAuthRoutes({
      ...{ db, box, log, gateway, waitTimeoutMs, minExpiresInSeconds, webhookUrlPolicy, router, countryOfIp },
    }),
    ...paymentRoutes({
      ...{ db, box, log, gateway, waitTimeoutMs, webhookUrlPolicy, router, countryOfIp },
      expiresInSeconds: config.PAYMENT_EXPIRES_IN,
      minExpiresInSeconds: config.PAYMENT_MIN_EXPIRES_IN,
    }),
    ...routingRoutes({ router, countryOfIp }),
    ...refundRoutes({ db, box, log, gateway, waitTimeoutMs, webhookUrlPolicy }),
    ...webhookEndpointRoutes(webhooks),
    ...webhookNotificationRoutes(webhooks),
    ...channelEventRoutes({ db, box, log, workflows, accounts }),
    ...latePaymentRoutes({ db, log, workflows }),
    ...disputeRoutes({ db }),
    ...adminRoutes({ db, box, webhookUrlPolicy, tellRouters }),
    ...adminRoutingRoutes({ db, tellRouters }),
    routingAuditRoute({ db }),
    ...adminSwitchRoutes({ db, tellRouters }),
    ...adminKeyRoutes({ db }),
    adminAuditRoute({ db }),
    ...adminLimitsRoutes({ db, ...limits, nowMs: () => Date.now() }),
    ...requestSigningRoutes({ db, box }),
    ...erasureRoutes({ db, box }),
    feesReportRoute({ db }),
    ...reconciliationRoutes({ db }),
    ...settlementRoutes({ db }),
    ...healthRoutes(parts.checks),
  ];
  return [...documented, ...docsRoutes(), openApiRoute(() => openApiDocument(documented, API_VERSION))];
}

export function buildApp(parts: ApiParts): Express {
  const { config, log, db, box } = parts;
  return createApp({
    routes: apiRoutes(parts),
    logger: log,
    authenticate: createAuthenticate({ db, adminKey: config.HOLDFAST_ADMIN_KEY }),
    idempotency: { db, box, waitTimeoutMs: config.API_WAIT_TIMEOUT * 1000 },
    checkSignature: createSignatureCheck({ db, box, log }),
    limits: parts.limits.rateLimit,
    operators: createOperators({ db, log }),
    observer: parts.limits.observer,
    tracing: parts.tracing,
  });
}
