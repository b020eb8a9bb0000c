/**
 * A whole Holdfast for one test file: a database, a task queue and a Stripe sandbox of its own, API and worker as
 * processes of their own, on the servers that the run shares (PostgreSQL, Redis, Temporal; test/setup starts them).
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { Pool, QueryResultRow } from 'pg';
import { callApi, createDemoMerchant } from '../../dev/demo-client';
import type { DemoMerchant } from '../../dev/demo-client';
import { startService } from '../../dev/stack/node-services';
import { payloadConverter } from '../../dev/stack/payloads';
import { freePort } from '../../dev/stack/ports';
import type { Server } from '../../dev/stack/processes';
import { sandboxEnvironment, SANDBOX_SECRET_KEY, SANDBOX_WEBHOOK_SECRET } from '../../dev/stack/settings';
import { startStripeSandbox } from '../../dev/stripe-sandbox/server';
import { createDatabase } from '../../src/stores/postgres';
import { createTestDatabase } from '../setup/test-database';
import type { TestDatabase } from '../setup/test-database';
import { MerchantClient } from './merchant-client';
import { SandboxControl } from './sandbox-control';

/** Full size in `npm run soak`; a smaller size of the same code otherwise. */
export const SOAK = process.env['HOLDFAST_SOAK'] === '1';

export interface SystemOptions {
  /** Settings that win over the harness's own, for every process. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly apiCount?: number;
  readonly workerCount?: number;
  /** Processes that deliver webhooks (relay and retries); default none: the notifications stay in the outbox. */
  readonly webhooksCount?: number;
  /** `process`: it can be killed and keeps its state over a restart. Default `inProcess`. */
  readonly sandbox?: 'inProcess' | 'process';
  /** Secret keys of the sandbox, one account each; the platform's account has the first. */
  readonly stripeKeys?: readonly string[];
}

/** Durations that let a test see in seconds what takes minutes in production. */
const SHORT_DURATIONS = {
  PRE_AUTH_MIN_EXPIRES_IN: '1',
  // Every run asks Temporal for every live object: at one second, that was a quarter of the processors' time in the suites.
  PICKUP_INTERVAL: '2',
  SETTLE_PROOF_GAP: '1',
  SETTLE_PROOF_AFTER_SEND: '2',
  CHANNEL_TIMEOUT: '2',
  CHANNEL_SLOW_TIMEOUT: '6',
};

const DATABASE_POOL = 5;

export { eventually } from './eventually';

export type SeededMerchant = DemoMerchant;

/** @throws Error when a server the run shares is missing, or a process does not come up */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const system = new System(options, await createTestDatabase());
  try {
    await system.start();
    return system;
  } catch (error) {
    await system.stop();
    throw error;
  }
}

export class System {
  readonly taskQueue = `payments-${randomBytes(6).toString('hex')}`;
  readonly webhooksTaskQueue = `webhooks-${randomBytes(6).toString('hex')}`;
  readonly apis: Server[] = [];
  readonly workers: Server[] = [];
  readonly webhooks: Server[] = [];
  /** Present when the sandbox is a process. */
  sandboxServer: Server | undefined;
  readonly adminKey = `hf_admin_${randomBytes(18).toString('base64url')}`;
  /** The settings of every process. */
  readonly environment: Record<string, string | undefined>;
  readonly db: Pool;
  temporal!: Client;
  sandbox!: SandboxControl;
  merchant!: SeededMerchant;
  /** The platform's Stripe account, used by every merchant without one. */
  accountId!: string;
  private connection: Connection | undefined;
  private stopSandbox: () => Promise<void> = () => Promise.resolve();
  private counter = 0;

  constructor(
    private readonly options: SystemOptions,
    private readonly database: TestDatabase,
  ) {
    this.environment = {
      ...database.environment,
      NODE_ENV: 'test',
      LOG_LEVEL: 'info',
      API_HOST: '127.0.0.1',
      ...SHORT_DURATIONS,
      PAYMENTS_TASK_QUEUE: this.taskQueue,
      WEBHOOKS_TASK_QUEUE: this.webhooksTaskQueue,
      HOLDFAST_ADMIN_KEY: this.adminKey,
      HOLDFAST_ENCRYPTION_KEYS: `test:${randomBytes(32).toString('base64')}`,
      WEBHOOK_ALLOWED_CIDRS: '',
      ...options.environment,
    };
    this.db = createDatabase({ ...database.config, DB_POOL_SIZE: DATABASE_POOL }, () => undefined);
  }

  get apiUrl(): string {
    return urlOf(this.apis[0]);
  }

  async start(): Promise<void> {
    await this.startSandbox();
    await settleAll([
      ...times(this.options.apiCount ?? 1, () => this.startApi()),
      ...times(this.options.workerCount ?? 1, () => this.startWorker()),
      ...times(this.options.webhooksCount ?? 0, () => this.startWebhooks()),
      this.connectTemporal(),
    ]);
    this.merchant = await createDemoMerchant(this.apiUrl, this.adminKey, 'Grand Hotel');
    this.accountId = await this.createAccount({ secretKey: this.stripeKeys[0] ?? SANDBOX_SECRET_KEY });
  }

  /** Starts one more API process, with settings of its own. @returns it; its address is `urlOf(server)` */
  async startApi(own: Readonly<Record<string, string>> = {}): Promise<Server> {
    const server = await this.startChild('api', 'API_PORT', own);
    this.apis.push(server);
    return server;
  }

  async startWorker(own: Readonly<Record<string, string>> = {}): Promise<Server> {
    const server = await this.startChild('worker', 'WORKER_HEALTH_PORT', own);
    this.workers.push(server);
    return server;
  }

  /** Starts one more process that delivers webhooks. */
  async startWebhooks(own: Readonly<Record<string, string>> = {}): Promise<Server> {
    const server = await this.startChild('webhooks', 'WORKER_HEALTH_PORT', own);
    this.webhooks.push(server);
    return server;
  }

  async stop(): Promise<void> {
    await settleAll(this.apis.map((server) => server.stop()));
    await settleAll([...this.workers, ...this.webhooks].map((server) => server.stop()));
    await this.deleteSchedules();
    await this.stopSandbox();
    await this.connection?.close();
    await this.db.end();
    await this.database.drop();
  }

  /** What the processes of one kind have logged so far. */
  logs(kind: 'api' | 'worker' | 'webhooks'): string {
    const servers = { api: this.apis, worker: this.workers, webhooks: this.webhooks }[kind];
    return servers
      .map(({ logFile }) => (logFile === undefined ? '' : readFileSync(logFile, 'utf8')))
      .join('');
  }

  /** A client that speaks for a merchant, to the first API unless told otherwise. */
  client(merchant: Pick<SeededMerchant, 'apiKey'> = this.merchant, api?: Server) {
    return new MerchantClient(urlOf(api ?? this.apis[0]), merchant.apiKey);
  }

  /** A merchant with a key of its test world. */
  createMerchant(name: string): Promise<SeededMerchant> {
    return createDemoMerchant(this.apiUrl, this.adminKey, name);
  }

  /** What the platform's operator does over the admin API. */
  admin<T>(path: string, call: { method?: 'POST'; body?: unknown } = {}) {
    return callApi<T>(this.apiUrl, this.adminKey, `/api/v1/admin/${path}`, call);
  }

  /** Sets up a Stripe account and sends the sandbox's events of its key there. @returns the account's id */
  async createAccount(account: {
    secretKey: string;
    merchantId?: string;
    world?: 'live' | 'test';
    multipleCaptures?: boolean;
  }): Promise<string> {
    const { secretKey, merchantId, world = 'test', multipleCaptures } = account;
    const { status, data, message } = await this.admin<{ id: string }>('channel-accounts', {
      body: {
        ...{ channel: 'stripe', world, name: 'Account' },
        ...(merchantId !== undefined && { merchant_id: merchantId }),
        ...(multipleCaptures !== undefined && { contract: { multipleCaptures } }),
        credentials: { secret_key: secretKey, webhook_secret: SANDBOX_WEBHOOK_SECRET },
      },
    });
    if (status !== 201) throw new Error(`the account was refused: ${status} ${message}`);
    const url = `${this.apiUrl}/api/v1/channels/stripe/${data.id}/events`;
    await this.sandbox.post('webhook-endpoint', { url, secret_key: secretKey });
    return data.id;
  }

  /** Rows of one query. */
  async rows<R extends QueryResultRow>(text: string, values: unknown[] = []): Promise<R[]> {
    return (await this.db.query<R>(text, values)).rows;
  }

  /** The Temporal workflow of a hold of the seeded merchant. */
  workflow(preAuthNo: string, merchantId = this.merchant.merchantId) {
    return this.temporal.workflow.getHandle(this.workflowId(preAuthNo, merchantId));
  }

  workflowId(preAuthNo: string, merchantId = this.merchant.merchantId): string {
    return `pre-auth/${merchantId}/${preAuthNo}`;
  }

  /** Logs and process notes stand in the run's folder: whoever cleans up after the run finds our processes there. */
  private get dataDir(): string {
    const folder = this.environment['HOLDFAST_TEST_DATA_DIR'];
    if (folder === undefined) throw new Error('the servers of the run were not started');
    return folder;
  }

  private get stripeKeys(): readonly string[] {
    return this.options.stripeKeys ?? [SANDBOX_SECRET_KEY];
  }

  private async startSandbox(): Promise<void> {
    const secretKey = this.stripeKeys.join(',');
    if (this.options.sandbox === 'process') {
      const port = await freePort();
      const environment = {
        ...this.environment,
        ...sandboxEnvironment(port, join(this.dataDir, `${this.taskQueue}-stripe`)),
        SANDBOX_SECRET_KEY: secretKey,
      };
      const options = this.serverOptions(port, environment);
      const server = await startService('sandbox', `${this.taskQueue}-sandbox`, options);
      this.sandboxServer = server;
      this.stopSandbox = () => server.stop();
      this.sandbox = new SandboxControl(urlOf(server));
    } else {
      const sandbox = await startStripeSandbox({ secretKey });
      this.stopSandbox = () => sandbox.stop();
      this.sandbox = new SandboxControl(sandbox.url);
    }
    this.environment['STRIPE_API_BASE'] = this.sandbox.url;
  }

  private async startChild(
    kind: 'api' | 'worker' | 'webhooks',
    portName: string,
    own: Readonly<Record<string, string>>,
  ): Promise<Server> {
    const name = `${this.taskQueue}-${kind}-${(this.counter += 1)}`;
    const port = await freePort();
    const environment = { ...this.environment, ...own, [portName]: String(port) };
    return startService(kind, name, this.serverOptions(port, environment));
  }

  private serverOptions(port: number, environment: Readonly<Record<string, string | undefined>>) {
    return { dataDir: this.dataDir, port, report: () => undefined, environment };
  }

  private async connectTemporal(): Promise<void> {
    const { TEMPORAL_ADDRESS: address = '', TEMPORAL_NAMESPACE: namespace = 'default' } = this.environment;
    this.connection = await Connection.connect({ address });
    const dataConverter = payloadConverter(this.environment);
    this.temporal = new Client({ connection: this.connection, namespace, dataConverter });
  }

  /** Schedules that are left would start workflows that no worker takes any more. */
  private async deleteSchedules(): Promise<void> {
    if (this.connection === undefined) return;
    const ids = ['pickup', 'reconciliation', 'retention'].map((name) => `${name}/${this.taskQueue}`);
    for (const id of [...ids, `webhook-sweep/${this.webhooksTaskQueue}`]) {
      await this.temporal.schedule
        .getHandle(id)
        .delete()
        .catch(() => undefined);
    }
  }
}

export function urlOf(server: Server | undefined): string {
  if (server === undefined) throw new Error('there is no such process');
  return `http://${server.address.host}:${server.address.port}`;
}

function times<T>(count: number, work: () => Promise<T>): Promise<T>[] {
  return Array.from({ length: count }, work);
}

/** Waits for all, also after a failure, so that what was started is known when it is stopped. */
async function settleAll(work: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** The sandbox's own secrets, for tests that look for them where they must not be. */
export const SECRETS = { stripeKey: SANDBOX_SECRET_KEY, webhookSecret: SANDBOX_WEBHOOK_SECRET };
