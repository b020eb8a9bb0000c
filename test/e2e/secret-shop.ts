/** A merchant at all four channels who uses every kind of secret there is, and writes down each of them. */
import { randomBytes, randomUUID } from 'node:crypto';
import { approveAtPayPal, payAtAlipay } from '../../dev/demo/customers';
import type { Payment } from '../../dev/demo/payment-client';
import { Receiver } from '../../dev/demo/receiver';
import { startAlipaySandbox } from '../../dev/alipay-sandbox/server';
import { startBtcpaySandbox } from '../../dev/btcpay-sandbox/server';
import { DEFAULT_WEBHOOK_ID, startPayPalSandbox } from '../../dev/paypal-sandbox/server';
import { freePort } from '../../dev/stack/ports';
import { signed } from '../api/signing/rig';
import { eventually, SECRETS, startSystem } from './harness';
import type { System } from './harness';
import { holdOf, newNumber } from './merchant-client';
import type { MerchantClient } from './merchant-client';
import { PaymentClient, paymentOf } from './payment-client';
import type { PaymentView } from './payment-client';
import { RefundClient } from './refund-client';

const random = (prefix: string) => `${prefix}${randomBytes(18).toString('hex')}`;
const RECEIVER_TOKEN = random('receiver-');

/** Of one customer, in all fields that take such things. */
const PERSONAL = {
  'the e-mail': `guest-${randomUUID()}@example.com`,
  'the name': `Ann Guest ${randomUUID()}`,
  'the phone number': `+49 151 ${randomUUID()}`,
  'the card number': `4242 4242 4242 ${randomUUID()}`,
  'the IP address': `2001:db8:${randomBytes(2).toString('hex')}:a${randomBytes(1).toString('hex')}::7a1`,
  'the way back': `session-${randomUUID()}`,
};
const personal = {
  customer_email: PERSONAL['the e-mail'],
  description: `Room of ${PERSONAL['the name']}`,
  metadata: { phone: PERSONAL['the phone number'], card: PERSONAL['the card number'] },
  customer_ip: PERSONAL['the IP address'],
};
/** Where pages of channels send the customer. */
const back = { return_url: `https://shop.example/back?of=${PERSONAL['the way back']}` };

export class SecretShop {
  readonly secrets = new Map<string, string>(Object.entries(PERSONAL));
  /** Of holds and payments. */
  readonly numbers: string[] = [];
  readonly metrics: string[] = [];
  system!: System;
  private receiverUrl = '';
  private btcpayUrl = '';
  private readonly stops: (() => unknown)[] = [];
  private readonly receiver = new Receiver(({ path }) => (path.startsWith('/bad') ? 500 : 200));

  static async open(): Promise<SecretShop> {
    const shop = new SecretShop();
    try {
      await shop.start();
      return shop;
    } catch (error) {
      await shop.close();
      throw error;
    }
  }

  /** Everything that writes something, at every channel. */
  async liveThrough(): Promise<void> {
    await this.addEndpoints();
    await Promise.all([this.holds(), this.stripePayment(), this.otherChannels(), this.refusals()]);
    await this.signing();
    await this.operators();
    await eventually(
      'all events are processed, and one delivery is given up',
      async () => {
        const [row] = await this.system.rows<{ open: number; failed: number }>(
          `SELECT (SELECT count(*)::int FROM channel_events WHERE state = 'stored') AS open,
             (SELECT count(*)::int FROM webhook_notifications WHERE status = 'failed') AS failed`,
        );
        return row;
      },
      (row) => row?.open === 0 && row.failed > 0,
    );
  }

  async close(): Promise<void> {
    await this.system?.stop();
    for (const stop of this.stops) await stop();
  }

  private get client(): MerchantClient {
    return this.system.client();
  }

  private get payments(): PaymentClient {
    return new PaymentClient(this.client, this.system.sandbox.url);
  }

  private async start(): Promise<void> {
    const paypal = await startPayPalSandbox({ clients: `${random('client-')}:${random('paypal-')}` });
    const alipay = await startAlipaySandbox();
    const webhookSecret = random('btcpay-hooks-');
    const btcpay = await startBtcpaySandbox({ apiKey: random('btcpay-'), webhookSecret });
    const receiverPort = await freePort();
    await this.receiver.listen(receiverPort);
    this.stops.push(...[paypal, alipay, btcpay].map((one) => () => one.stop()), () => this.receiver.close());
    for (let i = 0; i < 3; i += 1) this.metrics.push(`127.0.0.1:${await freePort()}`);
    const [ofApi = '', ofPayments = '', ofWebhooks = ''] = this.metrics;
    this.system = await startSystem({
      workerCount: 0,
      environment: {
        ...{ LOG_LEVEL: 'debug', API_METRICS_ADDRESS: ofApi, WEBHOOK_ALLOWED_CIDRS: '127.0.0.0/8' },
        ...{ PAYPAL_API_BASE: paypal.url, ALIPAY_GATEWAY: alipay.url, BTCPAY_API_BASE: btcpay.url },
        ...{ WEBHOOK_INITIAL_BACKOFF: '0.2', WEBHOOK_MAX_BACKOFF: '0.2', PAYMENT_MIN_EXPIRES_IN: '1' },
      },
    });
    const { system } = this;
    await Promise.all([
      system.startWorker({ API_PUBLIC_URL: system.apiUrl, WORKER_METRICS_ADDRESS: ofPayments }),
      system.startWebhooks({ WORKER_METRICS_ADDRESS: ofWebhooks }),
    ]);
    await this.addAccounts(paypal, alipay, btcpay);
    const {
      HOLDFAST_ENCRYPTION_KEYS = '',
      HOLDFAST_PAYLOAD_KEYS = '',
      DB_PASSWORD = '',
    } = system.environment;
    const keyOf = (ring: string) => ring.split(':')[1] ?? '';
    const known = {
      ...{ 'the API key': system.merchant.apiKey, 'the admin key': system.adminKey },
      ...{ "the merchant's webhook secret": system.merchant.webhookSecret },
      ...{ "Stripe's key": SECRETS.stripeKey, "Stripe's webhook secret": SECRETS.webhookSecret },
      ...{ "PayPal's client_secret": paypal.clientSecret },
      ...{ "Alipay's private key": innerOf(alipay.credentials.app_private_key) },
      ...{ "BTCPay's key": btcpay.apiKey, "BTCPay's webhook secret": btcpay.webhookSecret },
      ...{ 'the key at rest': keyOf(HOLDFAST_ENCRYPTION_KEYS) },
      ...{ 'the payload key': keyOf(HOLDFAST_PAYLOAD_KEYS), 'an Idempotency-Key': random('key-') },
      ...{ "the token in the merchant's address": RECEIVER_TOKEN },
      // Too common a word to be looked for.
      ...(DB_PASSWORD.length > 12 && { "the database's password": DB_PASSWORD }),
    };
    for (const [name, value] of Object.entries(known)) this.keep(name, value);
    this.receiverUrl = `http://127.0.0.1:${receiverPort}`;
  }

  private async addAccounts(
    paypal: Awaited<ReturnType<typeof startPayPalSandbox>>,
    alipay: Awaited<ReturnType<typeof startAlipaySandbox>>,
    btcpay: Awaited<ReturnType<typeof startBtcpaySandbox>>,
  ): Promise<void> {
    const add = async (channel: string, sandboxUrl: string, path: string, account: object, hook: object) => {
      const body = { channel, world: 'test', name: 'Account', ...account };
      const { data, status, message } = await this.system.admin<{ id: string }>('channel-accounts', { body });
      if (status !== 201) throw new Error(`the account of ${channel} was refused: ${message}`);
      const url = `${this.system.apiUrl}/api/v1/channels/${channel}/${data.id}/events`;
      const told = JSON.stringify({ url, ...hook });
      await fetch(`${sandboxUrl}/_control/${path}`, { method: 'POST', body: told });
    };
    const ofPayPal = { client_id: paypal.clientId, client_secret: paypal.clientSecret };
    const webhook = { webhook_id: DEFAULT_WEBHOOK_ID };
    await add('paypal', paypal.url, 'webhook-endpoint', { credentials: { ...ofPayPal, ...webhook } }, webhook);
    const contract = { preAuth: true };
    await add('alipay', alipay.url, 'webhook-endpoint', { credentials: { ...alipay.credentials }, contract }, {});
    const ofStore = { base_url: 'https://btcpay.example/', store_id: btcpay.storeId, api_key: btcpay.apiKey };
    const credentials = { ...ofStore, webhook_secret: btcpay.webhookSecret };
    await add('crypto', btcpay.url, 'webhooks', { credentials }, {});
    this.btcpayUrl = btcpay.url;
  } // prettier-ignore

  private keep(name: string, value: unknown): void {
    if (typeof value !== 'string' || value.length < 12) throw new Error(`${name} is no secret: ${String(value)}`);
    this.secrets.set(name, value);
  } // prettier-ignore

  private async made<T>(path: string, json: object = {}): Promise<T> {
    const { data, status, message } = await this.client.call<T>(path, { json });
    if (status >= 300) throw new Error(`${path}: ${status} ${message}`);
    return data;
  }

  /** One that takes everything and one that fails until it is given up; their secrets replaced once. */
  private async addEndpoints(): Promise<void> {
    for (const path of ['good', 'bad']) {
      const wish = { url: `${this.receiverUrl}/${path}?token=${RECEIVER_TOKEN}`, max_retries: 1 };
      const endpoint = await this.made<{ id: string; secret: string }>('/api/v1/webhook-endpoints', wish);
      const again = await this.made<{ secret: string }>(
        `/api/v1/webhook-endpoints/${endpoint.id}/rotate-secret`,
      );
      this.keep(`the first secret of the ${path} endpoint`, endpoint.secret);
      this.keep(`the second secret of the ${path} endpoint`, again.secret);
    }
    const { secret } = await this.made<{ secret: string }>('/api/v1/webhook-secret/rotate');
    this.keep('the new default webhook secret', secret);
  }

  private async newHold(fields: object = {}) {
    const hold = await this.client.open({ ...holdOf(), ...personal, ...fields });
    this.keep(`client_secret of ${hold.pre_auth_no}`, hold.client_secret);
    this.numbers.push(hold.pre_auth_no);
    return hold;
  }

  /** A capture, a decline, a cancel, an expiry, lost answers. */
  private async holds(): Promise<void> {
    const { client, system } = this;
    const captured = await this.newHold();
    await client.confirm(system.sandbox.url, captured);
    await client.capture(captured.pre_auth_no, { amount: 100 }, this.secrets.get('an Idempotency-Key'));
    const declined = await this.newHold();
    await client.confirm(system.sandbox.url, declined, 'pm_card_captureDeclined');
    await client.capture(declined.pre_auth_no);
    await system.workflow(declined.pre_auth_no).signal('cancel', { by: 'ops' });
    const expiring = await this.newHold({ expires_in: 2 });
    for (const fault of ['timeout_after', 'error_after', 'error_before'] as const) {
      await system.sandbox.fault('create', fault);
      await this.newHold();
    }
    await client.waitFor(declined.pre_auth_no, 'canceled', 'succeeded');
    await client.waitFor(expiring.pre_auth_no, 'expired');
  }

  private async newPayment(fields: object): Promise<PaymentView & Payment> {
    const payment = (await this.payments.open({ ...personal, ...fields })) as PaymentView & Payment;
    this.numbers.push(payment.payment_no);
    return payment;
  }

  private async stripePayment(): Promise<void> {
    const payment = await this.newPayment({});
    this.keep(`client_secret of ${payment.payment_no}`, payment.client_secret);
    await this.payments.pay(payment);
    await this.payments.waitFor(payment.payment_no, 'success');
    const refunds = new RefundClient(this.client, this.system.sandbox.url);
    await refunds.refund({ kind: 'payment', no: payment.payment_no }, { amount: 100 });
  }

  private async otherChannels(): Promise<void> {
    const paypal = await this.newPayment({ channel: 'paypal', ...back });
    await approveAtPayPal(paypal);
    const alipay = await this.newPayment({ channel: 'alipay', currency: 'CNY', ...back });
    this.keep('the page of an Alipay payment', alipay.next_action?.url);
    await payAtAlipay(alipay);
    const crypto = await this.newPayment({ channel: 'crypto' });
    const pay = `${this.btcpayUrl}/_control/invoices/${crypto.channel_payment_no ?? ''}/pay`;
    await fetch(pay, { method: 'POST', body: JSON.stringify({ confirmed: true }) });
    for (const { payment_no: no } of [paypal, alipay, crypto]) await this.payments.waitFor(no, 'success');
  }

  /** Bodies, addresses and keys that are refused are in nobody's log. */
  private async refusals(): Promise<void> {
    const { client } = this;
    await client.create({ ...holdOf(), ...personal, amount: -1 });
    await client.create({ ...holdOf(), ...personal, channel: PERSONAL['the name'] });
    await client.call('/api/v1/payments', {
      body: JSON.stringify(paymentOf({ ...personal, ...back })).slice(0, -1),
    });
    await client.call('/api/v1/pre-auth/x', { headers: { authorization: `Bearer ${client.apiKey}x` } });
    await client.call(`/api/v1/payments?order_no=${encodeURIComponent(PERSONAL['the e-mail'])}`);
  }

  /** A merchant of its own, whose requests are signed from now on. */
  private async signing(): Promise<void> {
    const path = '/api/v1/request-signing';
    const { apiKey: key } = await this.system.createMerchant('Signing');
    const client = this.system.client({ apiKey: key });
    const { data } = await client.call<{ secret: string }>(`${path}/rotate`, { json: {} });
    this.keep('the signing secret', data.secret);
    this.keep("the signing merchant's API key", key);
    const body = JSON.stringify({ mode: 'required' });
    const timestamp = Math.floor(Date.now() / 1000);
    const wish = { method: 'PUT', target: path, body, key, secret: data.secret, timestamp };
    const { status } = await client.call(path, { method: 'PUT', body, headers: { ...signed(wish).headers } });
    if (status !== 200) throw new Error(`the signed request was refused: ${status}`);
  }

  private async operators(): Promise<void> {
    const body = { name: newNumber('operator'), role: 'viewer' };
    const { data } = await this.system.admin<{ key: string }>('keys', { body });
    this.keep("an operator's key", data.key);
  }
}

/** The middle of a PEM or of its bare text: one line, so that it is found however it is broken. */
function innerOf(key: string): string {
  const text = key.replace(/-----[^-]+-----/g, '').replaceAll('\n', '');
  return text.slice(Math.floor(text.length / 2)).slice(0, 40);
}
