/** A BTCPay Server beside the system, an account there, and the customers who pay what, when and as much as they like. */
import { startBtcpaySandbox } from '../../dev/btcpay-sandbox/server';
import type { BtcpaySandbox } from '../../dev/btcpay-sandbox/server';
import { eventually } from './eventually';
import { startSystem } from './harness';
import type { System } from './harness';
import { PaymentClient } from './payment-client';
import type { PaymentView } from './payment-client';

export interface LatePaymentView {
  readonly id: string;
  readonly payment_no?: string;
  readonly pre_auth_no?: string;
  readonly kind: string;
  readonly amount: number;
  readonly currency: string;
  readonly state: string;
  readonly refund_no?: string;
}

export class CryptoShop {
  private constructor(
    readonly system: System,
    readonly btcpay: BtcpaySandbox,
    readonly accountId: string,
  ) {}

  /** @param environment settings of the processes, besides those that payments of a few seconds need */
  static async open(environment: Readonly<Record<string, string>> = {}): Promise<CryptoShop> {
    const btcpay = await startBtcpaySandbox();
    const own = { BTCPAY_API_BASE: btcpay.url, PAYMENT_MIN_EXPIRES_IN: '1', ...environment };
    const system = await startSystem({ environment: own });
    const { data, status, message } = await system.admin<{ id: string }>('channel-accounts', {
      body: {
        ...{ channel: 'crypto', world: 'test', name: 'Coins' },
        credentials: {
          ...{ base_url: 'https://btcpay.example/', store_id: btcpay.storeId },
          ...{ api_key: btcpay.apiKey, webhook_secret: btcpay.webhookSecret },
        },
      },
    });
    if (status !== 201) throw new Error(`the crypto account was refused: ${status} ${message}`);
    const shop = new CryptoShop(system, btcpay, data.id);
    await shop.control('webhooks', { url: shop.eventsUrl });
    return shop;
  }

  get eventsUrl(): string {
    return `${this.system.apiUrl}/api/v1/channels/crypto/${this.accountId}/events`;
  }

  get payments(): PaymentClient {
    return new PaymentClient(this.system.client(), this.system.sandbox.url);
  }

  /** What only a test may do to the server. */
  async control<T>(path: string, body: object = {}): Promise<T> {
    const response = await fetch(`${this.btcpay.url}/_control/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as T;
    if (!response.ok) throw new Error(`${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  /** The customer pays on chain. @param amount in the payment's currency; what is due when absent */
  pay(payment: PaymentView, amount?: string): Promise<unknown> {
    const how = { confirmed: true, ...(amount !== undefined && { amount }) };
    return this.control(`invoices/${payment.channel_payment_no ?? ''}/pay`, how);
  }

  late(query = ''): Promise<{ items: LatePaymentView[]; next_cursor: string | null }> {
    return this.system
      .client()
      .call<{ items: LatePaymentView[]; next_cursor: string | null }>(`/api/v1/late-payments${query}`)
      .then(({ data }) => data);
  }

  /** Waits until the payment has this many rows of late money, oldest first. */
  async lateOf(paymentNo: string, count = 1): Promise<LatePaymentView[]> {
    const { items } = await eventually(
      `${paymentNo} has ${count} rows of late money`,
      () => this.late(`?object_no=${paymentNo}`),
      (page) => page.items.length >= count,
    );
    return [...items].reverse();
  }

  /** What the merchant is told, in order: type, amount and what else is in it. */
  eventsOf(
    no: string,
  ): Promise<{ type: string; sequence: number; status: string; data: Record<string, unknown> }[]> {
    return this.system.rows(
      'SELECT type, sequence, status, data FROM payment_events WHERE object_no = $1 AND sequence > 0 ORDER BY sequence',
      [no],
    );
  }

  async close(): Promise<void> {
    await this.system.stop();
    await this.btcpay.stop();
  }
}
