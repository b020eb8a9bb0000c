/** A Holdfast whose merchant takes payments and holds at PayPal, and what only a test may do to PayPal. */
import type { Books } from '../../dev/paypal-sandbox/books';
import { DEFAULT_WEBHOOK_ID, startPayPalSandbox } from '../../dev/paypal-sandbox/server';
import type { PayPalSandbox } from '../../dev/paypal-sandbox/server';
import { startSystem } from './harness';
import type { System } from './harness';

export const HOUR_MS = 3_600_000;

/** Starts both, with PayPal's account and its events connected. @throws Error */
export async function startPayPalShop(): Promise<PayPalShop> {
  const paypal = await startPayPalSandbox();
  const environment = { PAYPAL_API_BASE: paypal.url, PAYMENT_MIN_EXPIRES_IN: '1' };
  const shop = new PayPalShop(await startSystem({ environment }), paypal);
  await shop.connect();
  return shop;
}

export class PayPalShop {
  constructor(
    readonly system: System,
    private readonly paypal: PayPalSandbox,
  ) {}

  async connect(): Promise<void> {
    const { data, status, message } = await this.system.admin<{ id: string }>('channel-accounts', {
      body: {
        ...{ channel: 'paypal', world: 'test', name: 'PayPal' },
        credentials: {
          ...{ client_id: this.paypal.clientId, client_secret: this.paypal.clientSecret },
          webhook_id: DEFAULT_WEBHOOK_ID,
        },
      },
    });
    if (status !== 201) throw new Error(`the account was refused: ${status} ${message}`);
    const url = `${this.system.apiUrl}/api/v1/channels/paypal/${data.id}/events`;
    await this.control('webhook-endpoint', { url, webhook_id: DEFAULT_WEBHOOK_ID });
  }

  async stop(): Promise<void> {
    await this.system.stop();
    await this.paypal.stop();
  }

  /** What only a test may do to the sandbox. */
  async control(path: string, body: object = {}): Promise<void> {
    const response = await fetch(`${this.paypal.url}/_control/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  }

  /** PayPal's clock, ahead of ours by this much. */
  setAhead(ms: number): Promise<void> {
    return this.control('config', { clockOffsetMs: ms });
  }

  /** PayPal again as it should be: its time is ours, its events come, nothing is declined. */
  async restore(): Promise<void> {
    await fetch(`${this.paypal.url}/_control/faults`, { method: 'DELETE' });
    await this.control('events-mode', { pause: false });
    await this.control('config', { clockOffsetMs: 0, reauthorizations: 'granted' });
  }

  /** @param workflowId of the payment or hold whose next call it befalls */
  fault(workflowId: string, operation: string, kind: string, more: object = {}): Promise<void> {
    return this.control('faults', { match: { operation, holdfast_id: workflowId }, fault: kind, ...more });
  }

  async books(workflowId: string): Promise<Books> {
    const query = `holdfast_id=${encodeURIComponent(workflowId)}`;
    return (await (await fetch(`${this.paypal.url}/_books?${query}`)).json()) as Books;
  }

  /** Our calls of the object, in order: operation and what became of it. */
  async callsOf(no: string): Promise<string[]> {
    const rows = await this.system.rows<{ operation: string; state: string }>(
      'SELECT operation, state FROM channel_calls WHERE object_no = $1 ORDER BY created_at, n',
      [no],
    );
    return rows.map(({ operation, state }) => `${operation} ${state}`);
  }
}

/** What was executed of an operation, not counting answers that were given again. */
export const executed = ({ calls }: Books, name: string) =>
  calls.filter(({ operation, executed: did, replayed }) => operation === name && did && !replayed);
