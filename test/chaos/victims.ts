/**
 * A whole Holdfast whose every process may be killed: PostgreSQL, Redis, Temporal, the Stripe sandbox, the API and the
 * worker are this test file's own, in a folder and on ports of their own.
 */
import { Client, Connection } from '@temporalio/client';
import type { Pool, QueryResultRow } from 'pg';
import { createDemoMerchant, createStripeAccount, registerSandboxEvents } from '../../dev/demo-client';
import type { DemoMerchant } from '../../dev/demo-client';
import { temporaryDataDir } from '../../dev/stack/paths';
import { payloadConverter } from '../../dev/stack/payloads';
import { logTail } from '../../dev/stack/processes';
import type { Server } from '../../dev/stack/processes';
import { SANDBOX_SECRET_KEY, SANDBOX_WEBHOOK_SECRET } from '../../dev/stack/settings';
import { startStack } from '../../dev/stack/stack';
import type { Stack } from '../../dev/stack/stack';
import { createDatabase } from '../../src/stores/postgres';
import { SandboxControl } from '../e2e/sandbox-control';
import type { CallRow, ClaimRow, EventRow, HoldRow, NotificationRow } from './check-books';

/** Full size in `npm run soak`; a smaller size of the same code otherwise. */
export const SOAK = process.env['HOLDFAST_SOAK'] === '1';

/** What a run's chance is made of: HOLDFAST_SEED repeats one. */
export const SEED = Number(process.env['HOLDFAST_SEED'] ?? 20_261_123);

/** Nothing listens there: what counts is that a notification was written. */
const NOTIFY_ORIGIN = 'http://127.0.0.1:9';

/** Seconds instead of minutes; a caller is answered 202 before a killed server is back. */
const SHORT_DURATIONS = {
  LOG_LEVEL: 'info',
  API_WAIT_TIMEOUT: '3',
  PRE_AUTH_MIN_EXPIRES_IN: '1',
  PICKUP_INTERVAL: '2',
  SETTLE_PROOF_GAP: '1',
  SETTLE_PROOF_AFTER_SEND: '2',
  CHANNEL_TIMEOUT: '2',
  CHANNEL_SLOW_TIMEOUT: '6',
};

const BRING_UP_TRIES = 3;

export async function startVictims(): Promise<Victims> {
  const deaths: string[] = [];
  const stack = await startStack({
    dataDir: temporaryDataDir('chaos'),
    ports: 'free',
    temporary: true,
    headlessUi: true,
    environment: SHORT_DURATIONS,
    onUnexpectedExit: ({ name, logFile }, how) => deaths.push(`${name} (${how}):\n${logTail(logFile)}`),
  });
  const victims = new Victims(stack, deaths);
  try {
    await victims.prepare();
    return victims;
  } catch (error) {
    await victims.stop();
    throw error;
  }
}

export class Victims {
  readonly db: Pool;
  readonly sandbox: SandboxControl;
  readonly apiUrl: string;
  readonly notifyUrl = `${NOTIFY_ORIGIN}/holds`;
  merchant!: DemoMerchant;

  /** @param deaths the processes that ended although nobody had killed them, with the end of their logs */
  constructor(
    readonly stack: Stack,
    readonly deaths: readonly string[],
  ) {
    const { environment, ports } = stack;
    this.apiUrl = `http://127.0.0.1:${ports.api}`;
    this.sandbox = new SandboxControl(environment['STRIPE_API_BASE'] ?? '');
    const text = (name: string) => environment[name] ?? '';
    this.db = createDatabase(
      {
        DB_HOST: text('DB_HOST'),
        DB_PORT: Number(text('DB_PORT')),
        DB_USER: text('DB_USER'),
        DB_PASSWORD: text('DB_PASSWORD'),
        DB_NAME: text('DB_NAME'),
        DB_SSL: false,
        DB_POOL_SIZE: 5,
      },
      () => undefined, // it was killed: that is what this is about
    );
  }

  get api(): Server {
    return first(this.stack.apis);
  }
  get worker(): Server {
    return first(this.stack.workers);
  }

  async prepare(): Promise<void> {
    const adminKey = this.stack.environment['HOLDFAST_ADMIN_KEY'] ?? '';
    this.merchant = await createDemoMerchant(this.apiUrl, adminKey, 'Grand Hotel');
    const accountId = await createStripeAccount(this.apiUrl, adminKey, {
      name: 'Platform',
      secretKey: SANDBOX_SECRET_KEY,
      webhookSecret: SANDBOX_WEBHOOK_SECRET,
    });
    await registerSandboxEvents(this.sandbox.url, this.apiUrl, accountId ?? '');
  }

  async stop(): Promise<void> {
    await this.db.end();
    await this.stack.stop();
  }

  /** Starts servers again, all at once where several are down: the API and the worker come up in any order. */
  async bringUp(...servers: readonly Server[]): Promise<void> {
    await Promise.all(servers.map((server) => again(BRING_UP_TRIES, () => server.restart())));
  }

  holdfastId(preAuthNo: string): string {
    return `pre-auth/${this.merchant.merchantId}/${preAuthNo}`;
  }

  async rows<R extends QueryResultRow>(text: string, values: unknown[] = []): Promise<R[]> {
    return (await this.db.query<R>(text, values)).rows;
  }

  /** Everything that PostgreSQL knows of the merchant's holds. */
  async records() {
    const [holds, calls, events, notifications, claims, endpoints] = await Promise.all([
      this.rows<HoldRow>('SELECT * FROM pre_auths'),
      this.rows<CallRow>('SELECT * FROM channel_calls'),
      this.rows<EventRow>('SELECT * FROM payment_events'),
      this.rows<NotificationRow>('SELECT * FROM webhook_notifications'),
      this.rows<ClaimRow>('SELECT * FROM order_claims'),
      this.rows<{ id: string }>('SELECT id FROM webhook_endpoints'),
    ]);
    return { holds, calls, events, notifications, claims, endpoints: endpoints.map(({ id }) => id) };
  }

  /** Asks Temporal, over a connection of its own: one that was opened before it was killed may be broken. */
  async withTemporal<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const { environment } = this.stack;
    const { TEMPORAL_ADDRESS: address = '', TEMPORAL_NAMESPACE: namespace = 'default' } = environment;
    const connection = await Connection.connect({ address });
    try {
      return await work(new Client({ connection, namespace, dataConverter: payloadConverter(environment) }));
    } finally {
      await connection.close();
    }
  }

  /** How many requests of this operation the channel has carried out for a hold. */
  async carriedOut(preAuthNo: string, operation: string): Promise<number> {
    const { calls } = await this.sandbox.books(this.holdfastId(preAuthNo));
    return calls.filter((call) => call.operation === operation && call.executed).length;
  }
}

function first(servers: readonly Server[]): Server {
  const [server] = servers;
  if (server === undefined) throw new Error('there is no such process');
  return server;
}

async function again<T>(times: number, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (times <= 1) throw error;
    return again(times - 1, work);
  }
}
