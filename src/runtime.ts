/** The composition root: what a process is made of, from its settings. Only api/main, worker/main and dev/ call it. */
import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnection } from '@temporalio/worker';
import { createActivities } from './activities';
import type { Activities } from './activities';
import { capabilitiesOf, createChannelRegistry } from './channels/registry';
import type { Config } from './config/config';
import type { Logger } from './observability/logger';
import { createAccountDirectory } from './stores/account-directory';
import type { AccountDirectory } from './stores/account-directory';
import { createDatabase } from './stores/postgres';
import type { Database } from './stores/postgres';
import { createSecretBox } from './stores/secret-box';
import type { SecretBox } from './stores/secret-box';
import { createPreAuthGateway } from './temporal/pre-auth-gateway';
import type { PreAuthGateway } from './temporal/pre-auth-gateway';

export interface Foundation {
  readonly config: Config;
  readonly log: Logger;
  readonly db: Database;
  readonly box: SecretBox;
  readonly accounts: AccountDirectory;
}

export function createFoundation(config: Config, log: Logger): Foundation {
  const db = createDatabase(config, (error) =>
    log.warn({ err: error }, 'an idle database connection was lost'),
  );
  const box = createSecretBox(config.HOLDFAST_ENCRYPTION_KEYS);
  const channels = createChannelRegistry({ stripeApiBase: config.STRIPE_API_BASE });
  const accounts = createAccountDirectory(db, box, (account) => channels.adapterFor(account));
  return { config, log, db, box, accounts };
}

/** Address, namespace, TLS and key of Temporal, from TEMPORAL_* and the TOML profile. */
export function temporalSettings() {
  const { connectionOptions, namespace } = loadClientConnectConfig();
  return { connectionOptions, namespace: namespace ?? 'default' };
}

/** A client that connects when it is first used: the API starts, and takes holds, without Temporal. */
export function createLazyTemporalClient(): { client: Client; connection: Connection } {
  const { connectionOptions, namespace } = temporalSettings();
  const { address, tls, apiKey, metadata } = connectionOptions;
  const connection = Connection.lazy({
    ...(address !== undefined ? { address } : {}),
    ...(tls !== undefined ? { tls } : {}),
    ...(typeof apiKey === 'string' ? { apiKey } : {}),
    ...(metadata !== undefined ? { metadata } : {}),
  });
  return { connection, client: new Client({ connection, namespace }) };
}

export function createGateway(foundation: Foundation, client: Client): PreAuthGateway {
  return createPreAuthGateway(client, foundation.config.PAYMENTS_TASK_QUEUE);
}

export function createWorkerActivities(
  foundation: Foundation,
  connection: NativeConnection,
  namespace: string,
): Activities {
  const { config, log, db, box, accounts } = foundation;
  return createActivities({
    db,
    box,
    log,
    adapterOf: async (accountId) => {
      const adapter = await accounts(accountId);
      if (adapter === undefined) throw new Error(`there is no channel account ${accountId}`);
      return adapter;
    },
    idempotencyHorizonMs: (channel) => capabilitiesOf(channel).idempotencyHorizonSeconds * 1000,
    workflows: createGateway(foundation, new Client({ connection, namespace })),
    exchangeTimeoutMs: config.CHANNEL_TIMEOUT * 1000,
    slowExchangeTimeoutMs: config.CHANNEL_SLOW_TIMEOUT * 1000,
    proofGapMs: config.SETTLE_PROOF_GAP * 1000,
    proofAfterSendMs: config.SETTLE_PROOF_AFTER_SEND * 1000,
    defaultMaxRetries: config.WEBHOOK_MAX_RETRIES,
    now: () => Date.now(),
  });
}
