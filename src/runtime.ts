/** The composition root: what a process is made of, from its settings. Only api/main, worker/main and dev/ call it. */
import type { Client } from '@temporalio/client';
import type { MetricMeter } from '@temporalio/common';
import type { Redis } from 'ioredis';
import { createActivities } from './activities';
import { createOperatorCall } from './activities/attention';
import type { Activities } from './activities';
import { createWebhookActivities } from './activities/webhook-index';
import type { WebhookActivities } from './activities/webhook-index';
import { createWatched, WATCHED_OPERATIONS } from './channels/watched';
import { createChannelRegistry, holdHorizonSecondsOf, paymentCapabilitiesOf } from './channels/registry';
import type { ChannelRegistryOptions } from './channels/registry';
import type { Config } from './config/config';
import type { Logger } from './observability/logger';
import type { Tracing } from './observability/tracing';
import {
  createChannelMetrics,
  createMoneyMetrics,
  createWebhookMetrics,
} from './observability/worker-metrics';
import { createRedis } from './redis/client';
import { createNoteFailed } from './redis/failed-webhooks';
import { CHANNELS } from './domain/channel';
import { markedFor } from './domain/commands';
import { DEFAULT_HEALTH_LIMITS } from './domain/routing/health';
import { createChannelCache } from './redis/channel-cache';
import { createProbes } from './redis/probes';
import { createSubscriber } from './redis/subscriber';
import { createSuccessRates } from './redis/success-rates';
import { createRouter } from './routing/router';
import { loadRoutingConfig, readRoutingVersion } from './stores/routing-config';
import type { Router, RouterDeps } from './routing/router';
import { createAccountDirectory } from './stores/account-directory';
import type { OpenAccountDirectory } from './stores/account-directory';
import { createOutboxBell, listenToOutbox } from './stores/outbox-bell';
import { createDatabase } from './stores/postgres';
import type { Database } from './stores/postgres';
import { createSecretBox } from './stores/secret-box';
import type { SecretBox } from './stores/secret-box';
import { leaseForRetry } from './stores/webhook-lanes';
import { isRetrying } from './stores/webhook-upkeep';
import { createCommandGateway } from './temporal/command-gateway';
import type { CommandGateway } from './temporal/command-gateway';
import { createObjectGateway } from './temporal/object-gateway';
import type { ObjectGateway } from './temporal/object-gateway';
import { createWebhookGateway } from './temporal/webhook-gateway';
import type { WebhookGateway } from './temporal/webhook-gateway';
import { sendAttempt } from './webhooks/attempt';
import { countingAttempts, countingDelivered, countingFailed } from './webhooks/counted';
import { createGuardedAgent } from './webhooks/guarded-agent';
import { createRecorder } from './webhooks/relay/recorder';
import { createRelay } from './webhooks/relay/relay';
import type { Relay } from './webhooks/relay/relay';
import { urlPolicyOf } from './webhooks/ssrf-guard';

export { assertSchemaFits } from './stores/schema-version';

export { createLazyTemporalClient, temporalSettings } from './temporal/client';

export interface Foundation {
  readonly config: Config;
  readonly log: Logger;
  readonly db: Database;
  readonly box: SecretBox;
  readonly accounts: OpenAccountDirectory;
}

export function createFoundation(config: Config, log: Logger): Foundation {
  const db = createDatabase(config, (error) =>
    log.warn({ err: error }, 'an idle database connection was lost'),
  );
  const box = createSecretBox(config.HOLDFAST_ENCRYPTION_KEYS);
  const channels = createChannelRegistry(channelOptions(config));
  const accounts = createAccountDirectory(db, box, (account) => channels.adapterFor(account));
  return { config, log, db, box, accounts };
}

function channelOptions(config: Config): ChannelRegistryOptions {
  const publicUrl = config.API_PUBLIC_URL.replace(/\/$/, '');
  return {
    stripeApiBase: config.STRIPE_API_BASE,
    paypalApiBase: config.PAYPAL_API_BASE,
    alipayGateway: config.ALIPAY_GATEWAY,
    btcpayApiBase: config.BTCPAY_API_BASE,
    alipayNotifyUrl: (accountId) =>
      publicUrl === '' ? '' : `${publicUrl}/api/v1/channels/alipay/${accountId}/events`,
    // The address of a BTCPay Server is a merchant's word, as that of a webhook is.
    guardedDispatcher: createGuardedAgent({ urlPolicy: urlPolicyOf(config) }),
  };
}

/** The workflows of all objects, to be asked by the API. */
export function createGateway(foundation: Foundation, client: Client): CommandGateway {
  return createCommandGateway(client, foundation.config.PAYMENTS_TASK_QUEUE, (object, command) =>
    foundation.box.seal('', markedFor(object, command)),
  );
}

/** The workflows of all objects, to be started, woken and told. */
export function createObjectWorkflows(foundation: Foundation, client: Client): ObjectGateway {
  return createObjectGateway(client, foundation.config.PAYMENTS_TASK_QUEUE);
}

/** Where orders go, as this process sees it. */
export function createRouterOf(
  { config, log, db }: Foundation,
  redis: Redis,
  onDecision?: RouterDeps['onDecision'],
): Router {
  const policy = {
    mode: config.ROUTING_STRATEGY,
    learning: config.ROUTING_LEARNING,
    explorationShare: config.ROUTING_EXPLORATION,
  };
  return createRouter({
    ...{ log, policy, limits: DEFAULT_HEALTH_LIMITS, onDecision },
    cache: createChannelCache(redis, config.REDIS_KEY_PREFIX),
    probes: createProbes(redis, config.REDIS_KEY_PREFIX),
    rates: createSuccessRates(redis, config.REDIS_KEY_PREFIX),
    subscriber: createSubscriber(redis),
    loadConfig: () => loadRoutingConfig(db),
    readVersion: () => readRoutingVersion(db),
    now: () => Date.now(),
    random: () => Math.random(),
  });
}

/** What the payments role serves. */
export function createPaymentParts(
  foundation: Foundation,
  client: Client,
  meter: MetricMeter,
  tracing: Tracing | undefined,
): { activities: Activities; close(): Promise<void> } {
  const redis = createRedis(foundation.config, foundation.log);
  redis.connect().catch(() => undefined); // it says so itself and keeps trying
  const router = createRouterOf(foundation, redis);
  router.start();
  return {
    activities: createWorkerActivities(foundation, client, { meter, tracing }, router),
    async close() {
      await router.stop();
      redis.disconnect();
      await foundation.db.end();
    },
  };
}

function createWorkerActivities(
  foundation: Foundation,
  client: Client,
  { meter, tracing }: { readonly meter: MetricMeter; readonly tracing: Tracing | undefined },
  router: Router,
): Activities {
  const { config, log, db, box, accounts } = foundation;
  const channelMetrics = createChannelMetrics(meter, { channels: CHANNELS, operations: WATCHED_OPERATIONS });
  const watches = [channelMetrics, ...(tracing === undefined ? [] : [tracing.channels])];
  const watched = createWatched(watches);
  const countPaid = createMoneyMetrics(meter);
  return createActivities({
    db,
    box,
    log,
    adapterOf: async (accountId) => {
      const adapter = await accounts(accountId);
      if (adapter === undefined) throw new Error(`there is no channel account ${accountId}`);
      return watched(adapter);
    },
    idempotencyHorizonMs: (channel) => holdHorizonSecondsOf(channel) * 1000,
    paymentCapabilities: (channel) => paymentCapabilitiesOf(channel),
    workflows: createObjectWorkflows(foundation, client),
    exchangeTimeoutMs: config.CHANNEL_TIMEOUT * 1000,
    slowExchangeTimeoutMs: config.CHANNEL_SLOW_TIMEOUT * 1000,
    proofGapMs: config.SETTLE_PROOF_GAP * 1000,
    proofAfterSendMs: config.SETTLE_PROOF_AFTER_SEND * 1000,
    callOperator: createOperatorCall(log, meter),
    observe: (outcome) => router.observe(outcome),
    notePaid: (paid) => countPaid({ ...paid, ...router.feesOf(paid) }),
    isOutOfService: (channel) => router.isOutOfService(channel),
    defaultMaxRetries: config.WEBHOOK_MAX_RETRIES,
    ringOutbox: createOutboxBell(db),
    now: () => Date.now(),
  });
}

/** The workflows of webhook retries. `eager`: the client stands on the connection of a worker in this process. */
export function createWebhookWorkflows(
  { config, log, db }: Foundation,
  client: Client,
  eager: boolean,
): WebhookGateway {
  const taskQueue = config.WEBHOOKS_TASK_QUEUE;
  return createWebhookGateway(client, log, { taskQueue, eager, isRetrying: (id) => isRetrying(db, id) });
}

/** What the webhooks role serves. */
export function createWebhookParts(
  foundation: Foundation,
  client: Client,
  meter: MetricMeter,
): { activities: WebhookActivities; close(): Promise<void> } {
  const { config, log, db, box } = foundation;
  const parts = deliveryParts(foundation, client, true, meter);
  const { lanes, workflows, recorder, send } = parts;
  const activities = createWebhookActivities({
    ...{ db, log, send },
    leaseForRetry: (notificationId, evenIfEarly) =>
      leaseForRetry(db, box, lanes, notificationId, evenIfEarly),
    // The workflow that asks goes on by the answer: it is not started or woken besides.
    record: async (lease, result) => (await recorder.record([{ lease, result }], false))[0],
    noteFailed: parts.noteFailed,
    ensureWorkflow: (row) => workflows.ensure(row),
    wake: (notificationIds) => workflows.wake(notificationIds),
    overdueSeconds: config.WEBHOOK_OVERDUE,
    retentionDays: config.WEBHOOK_RETENTION_DAYS,
    now: () => Date.now(),
  });
  return { activities, close: () => parts.close() };
}

const RELAY_STOP_GRACE_MS = 8_000;

/** What the relay role serves. */
export function createRelayParts(
  foundation: Foundation,
  client: Client,
  eager: boolean,
  meter: MetricMeter,
): { relay: Relay; close(): Promise<void> } {
  const { config, log, db, box } = foundation;
  const parts = deliveryParts(foundation, client, eager, meter);
  const { lanes, recorder, send } = parts;
  const relay = createRelay({
    ...{ db, box, log, send, recorder },
    settings: { ...lanes, maxInFlight: config.WEBHOOK_MAX_IN_FLIGHT },
    listen: (onNews) => Promise.resolve(listenToOutbox(config, log, onNews)),
    stopGraceMs: RELAY_STOP_GRACE_MS,
    now: () => Date.now(),
  });
  return { relay, close: () => parts.close() };
}

/** What relay and retries deliver with. Each role has its own, on its own database pool. */
function deliveryParts(foundation: Foundation, client: Client, eager: boolean, meter: MetricMeter) {
  const { config, log, db } = foundation;
  const redis = createRedis(config, log);
  redis.connect().catch(() => undefined); // it says so itself and keeps trying
  const urlPolicy = urlPolicyOf(config);
  const agent = createGuardedAgent({ urlPolicy });
  const attempt = { agent, urlPolicy, timeoutMs: config.WEBHOOK_TIMEOUT * 1000, now: () => Date.now() };
  const workflows = createWebhookWorkflows(foundation, client, eager);
  const metrics = createWebhookMetrics(meter);
  const noteFailed = countingFailed(createNoteFailed(redis, log), metrics);
  const recorder = createRecorder({
    ...{ db, log, workflows, noteFailed },
    settings: recorderSettings(config),
    random: () => Math.random(),
  });
  return {
    ...{ workflows, noteFailed, recorder: countingDelivered(recorder, metrics) },
    lanes: {
      maxInFlightPerEndpoint: config.WEBHOOK_MAX_IN_FLIGHT_PER_ENDPOINT,
      leaseSeconds: config.WEBHOOK_TIMEOUT + config.WEBHOOK_LEASE_MARGIN,
      probeIntervalSeconds: config.WEBHOOK_PROBE_INTERVAL,
    },
    send: countingAttempts((job) => sendAttempt(job, attempt), metrics),
    async close() {
      await workflows.close(WORKFLOW_CALLS_GRACE_MS);
      // What is still under way was left to its lease.
      await agent.destroy();
      redis.disconnect();
      await db.end();
    },
  };
}

const WORKFLOW_CALLS_GRACE_MS = 2_000;

function recorderSettings(config: Config) {
  return {
    initialBackoffMs: config.WEBHOOK_INITIAL_BACKOFF * 1000,
    maxBackoffMs: config.WEBHOOK_MAX_BACKOFF * 1000,
    jitter: config.WEBHOOK_JITTER,
    maxInFlightPerEndpoint: config.WEBHOOK_MAX_IN_FLIGHT_PER_ENDPOINT,
    maxInRetryPerEndpoint: config.WEBHOOK_MAX_IN_RETRY_PER_ENDPOINT,
    gateWindowMs: config.WEBHOOK_GATE_WINDOW * 1000,
    disableAfterMs: config.WEBHOOK_DISABLE_AFTER * 1000,
    defaultMaxRetries: config.WEBHOOK_MAX_RETRIES,
  };
}
