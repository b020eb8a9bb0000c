/** The merchant, the customers and the books of the restore drill. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { workflowIdOf } from '../../src/domain/ids';
import { readBooks } from '../demo/books';
import { Receiver } from '../demo/receiver';
import {
  callApi,
  confirmHold,
  createDemoMerchant,
  createHold,
  expectOk,
  getHold,
  waitForHold,
} from '../demo-client';
import type { DemoMerchant, Hold } from '../demo-client';
import { seedAccounts, urlsOfSandboxes } from '../seed-accounts';
import { freePort } from '../stack/ports';
import type { ProdLike } from '../stack/prod-like';
import type { Server } from '../stack/processes';
import { asSuperuser } from './base-backup';

const AMOUNT = 50_000;
const PATIENCE_MS = 90_000;
const POLL_MS = 200;

export class Town {
  /** Ids of the notifications that the merchant's server has taken. */
  readonly taken: string[] = [];
  /** What the merchant's server answers. */
  answers = 503;
  private readonly receiver = new Receiver(({ headers }) => {
    if (this.answers === 200) this.taken.push(String(headers['webhook-id']));
    return this.answers;
  });

  private constructor(
    readonly apiUrl: string,
    readonly stripeUrl: string,
    readonly merchant: DemoMerchant,
  ) {}

  static async open({ app }: ProdLike): Promise<Town> {
    const apiUrl = `http://127.0.0.1:${app.ports.api}`;
    const adminKey = app.environment['HOLDFAST_ADMIN_KEY'] ?? '';
    const merchant = await createDemoMerchant(apiUrl, adminKey, 'Drill');
    const sandboxes = urlsOfSandboxes(app.environment, app.startsSandbox);
    await seedAccounts({ apiUrl, adminKey, sandboxes, environment: {} });
    const town = new Town(apiUrl, `http://127.0.0.1:${app.ports.sandbox}`, merchant);
    const port = await freePort();
    await town.receiver.listen(port);
    const path = '/api/v1/webhook-endpoints';
    const call = { body: { url: `http://127.0.0.1:${port}/drill` }, idempotencyKey: randomUUID() };
    await expectOk(path, callApi(apiUrl, merchant.apiKey, path, call));
    return town;
  }

  close(): void {
    this.receiver.close();
  }

  /** A hold that its customer has confirmed. */
  async hold(): Promise<Hold> {
    const order = { order_no: randomUUID(), amount: AMOUNT, currency: 'USD', channel: 'stripe' };
    const hold = await createHold(this.apiUrl, this.merchant.apiKey, order);
    await confirmHold(this.stripeUrl, hold);
    return this.reaches(hold, 'requires_capture');
  }

  reaches(hold: Hold, status: string): Promise<Hold> {
    return waitForHold(this.apiUrl, this.merchant.apiKey, hold.pre_auth_no, [status], PATIENCE_MS);
  }

  /** Holdfast's status and captured amount, `unknown` where it knows no such hold. */
  async told(hold: Hold): Promise<string> {
    return getHold(this.apiUrl, this.merchant.apiKey, hold.pre_auth_no).then(
      ({ status, amount_captured: captured }) => `${status} ${captured}`,
      () => 'unknown',
    );
  }

  /** The same of the channel, and what it has executed. */
  async booked(hold: Hold): Promise<{ told: string; executed: string[] }> {
    const { payment_intents: intents, calls } = await readBooks(this.stripeUrl, this.workflowId(hold));
    const [intent] = intents;
    const executed = calls.filter((call) => call.executed).map((call) => call.operation);
    return { told: `${intent?.status ?? 'nothing'} ${intent?.amount_received ?? 0}`, executed };
  }

  workflowId(hold: Hold): string {
    return workflowIdOf({ merchantId: this.merchant.merchantId, kind: 'pre_auth', no: hold.pre_auth_no });
  }
}

/** How many notifications there are, and how many of them wait. */
export async function notifications(postgres: Server): Promise<{ all: number; waiting: number }> {
  const { rows } = await asSuperuser(postgres, 'payment_gateway', (client) =>
    client.query<{ all: string; waiting: string }>(
      `SELECT count(*) AS all, count(*) FILTER (WHERE status IN ('pending', 'retrying')) AS waiting FROM webhook_notifications`,
    ),
  );
  return { all: Number(rows[0]?.all), waiting: Number(rows[0]?.waiting) };
}

/** @returns whether it came about in time */
export async function eventually(holds: () => Promise<boolean>): Promise<boolean> {
  const deadlineMs = Date.now() + PATIENCE_MS;
  while (!(await holds().catch(() => false))) {
    if (Date.now() > deadlineMs) return false;
    await sleep(POLL_MS);
  }
  return true;
}
