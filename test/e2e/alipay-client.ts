/** An Alipay beside the system, an account there whose contract allows holds, and the customer with the app in hand. */
import { randomUUID } from 'node:crypto';
import type { Hold } from '../../dev/demo-client';
import type { Books } from '../../dev/alipay-sandbox/books';
import { startAlipaySandbox } from '../../dev/alipay-sandbox/server';
import type { AlipaySandbox } from '../../dev/alipay-sandbox/server';
import { signNotification } from '../../dev/alipay-sandbox/signing';
import { readNumber } from '../../src/channels/alipay/numbers';
import { eventually } from './eventually';
import { startSystem } from './harness';
import type { System } from './harness';
import type { MerchantClient } from './merchant-client';
import { PaymentClient } from './payment-client';
import type { PaymentView } from './payment-client';

export class AlipayShop {
  private constructor(
    readonly system: System,
    readonly alipay: AlipaySandbox,
    readonly accountId: string,
  ) {}

  static async open(environment: Readonly<Record<string, string>> = {}): Promise<AlipayShop> {
    const alipay = await startAlipaySandbox();
    const own = {
      ...{ ALIPAY_GATEWAY: alipay.url, PAYMENT_MIN_EXPIRES_IN: '1' },
      // Few objects, and most tests wait for the pick-up.
      PICKUP_INTERVAL: '1',
      ...environment,
    };
    const system = await startSystem({ environment: own, workerCount: 0 });
    // Each order names where its notifications go, and that is the API's address.
    await system.startWorker({ API_PUBLIC_URL: system.apiUrl });
    const { data, status, message } = await system.admin<{ id: string }>('channel-accounts', {
      body: {
        ...{ channel: 'alipay', world: 'test', name: 'Alipay', contract: { preAuth: true } },
        credentials: { ...alipay.credentials },
      },
    });
    if (status !== 201) throw new Error(`the Alipay account was refused: ${status} ${message}`);
    return new AlipayShop(system, alipay, data.id);
  }

  get merchant(): MerchantClient {
    return this.system.client();
  }

  get payments(): PaymentClient {
    return new PaymentClient(this.merchant, '');
  }

  /** What only a test or the customer may do. */
  async control<T>(path: string, body: object = {}): Promise<T> {
    const url = `${this.alipay.url}/_control/${path}`;
    const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
    const answer = (await response.json()) as T;
    if (!response.ok) throw new Error(`${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  async books(): Promise<Books> {
    return (await (await fetch(`${this.alipay.url}/_books`)).json()) as Books;
  }

  /** A payment of 500.00 CNY that was paid. */
  async paid(): Promise<PaymentView> {
    const payment = await this.payments.open({ channel: 'alipay', currency: 'CNY' });
    const { content } = payment.next_action as { content?: string };
    await this.control('pay', { qr_code: content });
    return this.payments.waitFor(payment.payment_no, 'success');
  }

  openHold(fields: object = {}): Promise<Hold> {
    return this.merchant.open({ channel: 'alipay', currency: 'CNY', ...fields });
  }

  /** The customer uses the order string. */
  freeze(hold: Hold): Promise<unknown> {
    return this.control('freeze', { order_string: hold.client_secret ?? '' });
  }

  async refundByHand(outTradeNo: string, amount?: number): Promise<void> {
    await this.control('refund-by-dashboard', { out_trade_no: outTradeNo, ...(amount && { amount }) });
  }

  /** A notification with Alipay's own signature, whatever it says. */
  async notify(fields: Readonly<Record<string, string>>): Promise<void> {
    const { app_id: appId, seller_id: sellerId } = this.alipay.credentials;
    const common = { notify_id: randomUUID(), notify_type: 'trade_status_sync' };
    const params = { ...common, app_id: appId, seller_id: sellerId, ...fields };
    const body = new URLSearchParams(signNotification(params, this.alipay.signingKey)).toString();
    const url = `${this.system.apiUrl}/api/v1/channels/alipay/${this.accountId}/events`;
    const response = await fetch(url, { method: 'POST', body });
    const text = await response.text();
    if (text !== 'success') throw new Error(`the notification was refused: ${response.status} ${text}`);
  }

  /** Waits until so many events of this object, by its number at Alipay, have come and all are processed. */
  async processed(channelNo: string, count: number): Promise<void> {
    await eventually(
      `${count} events of ${channelNo} are processed`,
      () =>
        this.system.rows<{ state: string }>('SELECT state FROM channel_events WHERE object_id = $1', [
          channelNo,
        ]),
      (rows) => rows.length >= count && rows.every(({ state }) => state === 'processed'),
    );
  }

  async close(): Promise<void> {
    await this.system.stop();
    await this.alipay.stop();
  }
}

/** The number under which Alipay has it. */
export const outNoOf = (channelNo: string | null): string => readNumber(channelNo ?? '').outNo;
