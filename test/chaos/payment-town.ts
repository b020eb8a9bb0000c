/** A whole Holdfast beside four channels, a merchant, and the customers of each channel. */
import { setTimeout as sleep } from 'node:timers/promises';
import { startAlipaySandbox } from '../../dev/alipay-sandbox/server';
import type { Books as AlipayBooks } from '../../dev/alipay-sandbox/books';
import { FAULT_KINDS as ALIPAY_FAULTS } from '../../dev/alipay-sandbox/faults';
import { startBtcpaySandbox } from '../../dev/btcpay-sandbox/server';
import type { Books as BtcpayBooks } from '../../dev/btcpay-sandbox/books';
import { FAULT_KINDS as BTCPAY_FAULTS } from '../../dev/btcpay-sandbox/faults';
import { DEFAULT_WEBHOOK_ID, startPayPalSandbox } from '../../dev/paypal-sandbox/server';
import type { Books as PaypalBooks } from '../../dev/paypal-sandbox/books';
import { FAULT_KINDS as PAYPAL_FAULTS } from '../../dev/paypal-sandbox/faults';
import type { BooksWithRefunds } from '../../dev/stripe-sandbox/books';
import { FAULT_KINDS as STRIPE_FAULTS } from '../../dev/stripe-sandbox/faults';
import { startSystem } from '../e2e/harness';
import type { System } from '../e2e/harness';
import { eventually } from '../e2e/eventually';
import { PaymentClient, PAYMENT_SETTINGS } from '../e2e/payment-client';
import type { PaymentView } from '../e2e/payment-client';
import { checkPaymentBooks } from './payment-books';
import type { BookedPayment, PaymentEvidence } from './payment-books';

export const CHANNELS = ['stripe', 'paypal', 'alipay', 'crypto'] as const;
export type Channel = (typeof CHANNELS)[number];
/** Where a fault strikes: the call that makes it, takes the money (or reads of it), closes it, gives the money back. */
export const STEPS = ['create', 'completion', 'cancel', 'refund'] as const;
export type Step = (typeof STEPS)[number];

export const CURRENCY: Readonly<Record<Channel, string>> = {
  stripe: 'USD',
  paypal: 'USD',
  alipay: 'CNY',
  crypto: 'USD',
};

const OPERATIONS: Readonly<Record<Channel, Readonly<Record<Step, string>>>> = {
  stripe: { create: 'create', completion: 'retrieve', cancel: 'cancel', refund: 'refund' },
  paypal: {
    ...{ create: 'create_order', completion: 'capture_order' },
    ...{ cancel: 'patch_order', refund: 'refund_capture' },
  },
  alipay: {
    ...{ create: 'trade.precreate', completion: 'trade.query' },
    ...{ cancel: 'trade.close', refund: 'trade.refund' },
  },
  crypto: { create: 'create', completion: 'get', cancel: 'mark', refund: 'refund' },
};

export const FAULTS: Readonly<Record<Channel, readonly string[]>> = {
  stripe: STRIPE_FAULTS,
  paypal: PAYPAL_FAULTS,
  alipay: ALIPAY_FAULTS,
  crypto: BTCPAY_FAULTS,
};

/** Beyond CHANNEL_TIMEOUT, so that the first try ends without an answer. */
const SLOW_MS = 3_000;
const REQUEST_TIMEOUT_MS = 20_000;
const CENTS_PER_UNIT = 100;

interface Sandbox {
  readonly url: string;
  stop(): Promise<void>;
}

export class PaymentTown {
  private constructor(
    readonly system: System,
    private readonly others: readonly Sandbox[],
    private readonly urls: Readonly<Record<Channel, string>>,
  ) {}

  static async open(environment: Readonly<Record<string, string>> = {}): Promise<PaymentTown> {
    const [paypal, alipay, btcpay] = await Promise.all([
      startPayPalSandbox(),
      startAlipaySandbox(),
      startBtcpaySandbox(),
    ]);
    const own = {
      ...PAYMENT_SETTINGS,
      // It must have looked again before what was settled is looked at for the last time.
      PICKUP_INTERVAL: '1',
      ...{ PAYPAL_API_BASE: paypal.url, ALIPAY_GATEWAY: alipay.url, BTCPAY_API_BASE: btcpay.url },
      ...environment,
    };
    // The worker is told where Alipay's notifications go, which is known once the API is there.
    const system = await startSystem({ environment: own, sandbox: 'process', workerCount: 0 });
    await system.startWorker({ API_PUBLIC_URL: system.apiUrl });
    const urls = { stripe: system.sandbox.url, paypal: paypal.url, alipay: alipay.url, crypto: btcpay.url };
    const town = new PaymentTown(system, [paypal, alipay, btcpay], urls);
    const paypalUrl = await town.openAccount('paypal', {
      ...{ client_id: paypal.clientId, client_secret: paypal.clientSecret },
      webhook_id: DEFAULT_WEBHOOK_ID,
    });
    await town.control('paypal', 'webhook-endpoint', { url: paypalUrl, webhook_id: DEFAULT_WEBHOOK_ID });
    await town.openAccount('alipay', { ...alipay.credentials });
    const cryptoUrl = await town.openAccount('crypto', {
      ...{ base_url: 'https://btcpay.example', store_id: btcpay.storeId, api_key: btcpay.apiKey },
      webhook_secret: btcpay.webhookSecret,
    });
    await town.control('crypto', 'webhooks', { url: cryptoUrl });
    return town;
  }

  /** @returns where its events go */
  private async openAccount(channel: Channel, credentials: object): Promise<string> {
    const body = { channel, world: 'test', name: channel, credentials };
    const { data, status, message } = await this.system.admin<{ id: string }>('channel-accounts', { body });
    if (status !== 201) throw new Error(`${channel}: ${status} ${message}`);
    return `${this.system.apiUrl}/api/v1/channels/${channel}/${data.id}/events`;
  }

  get payments(): PaymentClient {
    return new PaymentClient(this.system.client(), this.urls.stripe);
  }

  /** What only a test may do to a channel. @throws Error with the sandbox's refusal */
  async control(channel: Channel, path: string, body?: object, method = 'POST'): Promise<unknown> {
    const prefix = channel === 'stripe' ? '_sandbox' : '_control';
    const response = await fetch(`${this.urls[channel]}/${prefix}/${path}`, {
      method,
      ...(method === 'POST' && { body: JSON.stringify(body ?? {}) }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const answer: unknown = await response.json();
    if (!response.ok) throw new Error(`${channel} ${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  /** The next request of this step goes wrong. A client may repeat a reset by itself, so one alone would never be seen. */
  strike(channel: Channel, step: Step, fault: string): Promise<unknown> {
    const times = fault.startsWith('reset') ? 2 : 1;
    const match = { operation: OPERATIONS[channel][step] };
    return this.control(channel, 'faults', { match, fault, times, delayMs: SLOW_MS });
  }

  /** Everybody behaves from now on. */
  async calm(): Promise<void> {
    for (const channel of CHANNELS) {
      await this.control(channel, 'faults', undefined, 'DELETE');
      await this.control(channel, 'events-mode', { duplicate: false, reorder: false, delayMs: 0 });
    }
  }

  /** The customer pays, in full. @throws Error when the channel takes no money any more */
  pay(payment: PaymentView): Promise<unknown> {
    const no = payment.channel_payment_no ?? '';
    switch (payment.channel as Channel) {
      case 'stripe':
        return this.payments.pay(payment);
      case 'paypal':
        return this.control('paypal', `orders/${no}/approve`);
      case 'alipay':
        return this.control('alipay', 'pay', { qr_code: codeOf(payment) });
      case 'crypto':
        return this.control('crypto', `invoices/${no}/pay`, { confirmed: true });
    }
  }

  /** The customer's means is no good: declined at the channel, looked at only, or too little of it sent. */
  async payBadly(payment: PaymentView): Promise<unknown> {
    const no = payment.channel_payment_no ?? '';
    switch (payment.channel as Channel) {
      case 'stripe':
        return this.payments.pay(payment, 'pm_card_chargeDeclined').catch((error: unknown) => error);
      case 'paypal':
        return this.control('paypal', `orders/${no}/approve`, { means: 'declined' });
      case 'alipay':
        return this.control('alipay', 'open', { qr_code: codeOf(payment) });
      case 'crypto':
        await this.control('crypto', `invoices/${no}/pay`, { confirmed: true, amount: '1.00' });
        // Its own time counts in minutes; what was touched is closed by that only.
        return this.control('crypto', `invoices/${no}/expire`);
    }
  }

  /** The customer fetches a refund, where that takes one: coins are claimed and then sent. */
  async claim(channel: Channel, channelRefundNo: string): Promise<void> {
    if (channel !== 'crypto') return;
    await this.control('crypto', `pull-payments/${channelRefundNo}/claim`);
    await this.control('crypto', `pull-payments/${channelRefundNo}/complete`);
  }

  /** What the four channels' books say, in one form. */
  async books(): Promise<BookedPayment[]> {
    const [stripe, paypal, alipay, crypto] = await Promise.all([
      this.read<BooksWithRefunds>('stripe', '_sandbox/books'),
      this.read<PaypalBooks>('paypal', '_books'),
      this.read<AlipayBooks>('alipay', '_books'),
      this.read<BtcpayBooks>('crypto', '_books'),
    ]);
    return [...fromStripe(stripe), ...fromPaypal(paypal), ...fromAlipay(alipay), ...fromBtcpay(crypto)];
  }

  /**
   * Waits until all is well and stays so when the last events have come.
   * @returns what there is, also when it does not become so in time
   */
  async settledEvidence(
    accepted: readonly string[],
    withinMs: number,
    aftermathMs: number,
  ): Promise<PaymentEvidence> {
    await eventually(
      'our rows and the four books agree',
      async () => checkPaymentBooks(await this.evidence(accepted)),
      (wrong) => wrong.length === 0,
      withinMs,
    ).catch(() => undefined);
    await sleep(aftermathMs);
    return this.evidence(accepted);
  }

  /** @param accepted numbers of the payments that were answered 201 or 202 */
  async evidence(accepted: readonly string[]): Promise<PaymentEvidence> {
    const { system } = this;
    const [payments, refunds, late, claims, events, openCalls, books] = await Promise.all([
      system.rows<PaymentEvidence['payments'][number]>('SELECT * FROM payments'),
      system.rows<PaymentEvidence['refunds'][number]>('SELECT * FROM refunds'),
      system.rows<PaymentEvidence['late'][number]>('SELECT * FROM late_payments'),
      system.rows<PaymentEvidence['claims'][number]>('SELECT * FROM order_claims'),
      system.rows<PaymentEvidence['events'][number]>('SELECT * FROM payment_events'),
      system.rows<{ what: string }>(
        `SELECT object_no || ' ' || operation AS what FROM channel_calls WHERE state = 'open'`,
      ),
      this.books(),
    ]);
    const calls = openCalls.map(({ what }) => what);
    return { payments, refunds, late, claims, events, openCalls: calls, books, accepted };
  }

  async close(): Promise<void> {
    await this.system.stop();
    await Promise.all(this.others.map((sandbox) => sandbox.stop()));
  }

  private async read<T>(channel: Channel, path: string): Promise<T> {
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    return (await (await fetch(`${this.urls[channel]}/${path}`, { signal })).json()) as T;
  }
}

function codeOf({ next_action: action }: PaymentView): string {
  return (action as { content?: string } | undefined)?.content ?? '';
}

function fromStripe({ payment_intents: intents, refunds }: BooksWithRefunds): BookedPayment[] {
  return intents.map((intent) => ({
    channel: 'stripe',
    holdfastId: intent.metadata['holdfast_id'] ?? '',
    paid: intent.amount_received,
    refunds: refunds.filter(
      ({ payment_intent: of, status }) => of === intent.id && status !== 'failed' && status !== 'canceled',
    ),
  }));
}

function fromPaypal({ orders }: PaypalBooks): BookedPayment[] {
  return orders.map(({ custom_id: id, captured, refunds }) => ({
    channel: 'paypal',
    holdfastId: id?.split('|')[0] ?? '',
    paid: captured,
    refunds: refunds.filter(({ status }) => status !== 'FAILED'),
  }));
}

function fromAlipay({ trades }: AlipayBooks): BookedPayment[] {
  return trades.map(({ holdfast_id: holdfastId, paidMs, amount, refunds }) => ({
    channel: 'alipay',
    holdfastId,
    paid: paidMs > 0 ? amount : 0,
    refunds: refunds.map(({ no, amount: back }) => ({ id: no, amount: back })),
  }));
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : '');
const centsOf = (text: string) => Math.round(Number(text) * CENTS_PER_UNIT);

function fromBtcpay({ invoices }: BtcpayBooks): BookedPayment[] {
  return invoices.map((invoice) => ({
    channel: 'crypto',
    holdfastId: textOf(invoice.metadata['holdfast_id']),
    paid: Math.round((invoice.settled_sats / invoice.due_sats) * centsOf(invoice.amount)),
    refunds: invoice.refunds
      .filter(({ archived }) => !archived)
      .map(({ id, amount }) => ({ id, amount: centsOf(amount) })),
  }));
}
