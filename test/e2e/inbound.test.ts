/** Events of all four channels: each verified by its own method, stored once, understood by reading the object again. */
import { createHmac, randomUUID } from 'node:crypto';
import { startAlipaySandbox } from '../../dev/alipay-sandbox/server';
import type { AlipaySandbox } from '../../dev/alipay-sandbox/server';
import { signNotification } from '../../dev/alipay-sandbox/signing';
import { newKeyPair } from '../../dev/alipay-sandbox/state';
import { startBtcpaySandbox } from '../../dev/btcpay-sandbox/server';
import type { BtcpaySandbox } from '../../dev/btcpay-sandbox/server';
import { DEFAULT_WEBHOOK_ID, startPayPalSandbox } from '../../dev/paypal-sandbox/server';
import type { PayPalSandbox } from '../../dev/paypal-sandbox/server';
import { countAllRows, eventTypesOf } from './checks';
import { eventually, SECRETS, startSystem } from './harness';
import type { System } from './harness';
import { PaymentClient } from './payment-client';
import type { PaymentView } from './payment-client';

type Channel = 'stripe' | 'paypal' | 'alipay' | 'crypto';

let system: System;
let payments: PaymentClient;
let paypal: PayPalSandbox;
let alipay: AlipaySandbox;
let btcpay: BtcpaySandbox;
const accounts = {} as Record<Channel, string>;

const MiB = 1024 * 1024;

beforeAll(async () => {
  [paypal, alipay, btcpay] = await Promise.all([
    startPayPalSandbox(),
    startAlipaySandbox(),
    startBtcpaySandbox(),
  ]);
  const environment = {
    PAYPAL_API_BASE: paypal.url,
    ALIPAY_GATEWAY: alipay.url,
    BTCPAY_API_BASE: btcpay.url,
    ...{ PAYMENT_MIN_EXPIRES_IN: '1' },
  };
  system = await startSystem({ environment, workerCount: 0 });
  await system.startWorker({ API_PUBLIC_URL: system.apiUrl });
  payments = new PaymentClient(system.client(), system.sandbox.url);
  accounts.stripe = system.accountId;
  accounts.paypal = await setUp('paypal', {
    ...{ client_id: paypal.clientId, client_secret: paypal.clientSecret },
    webhook_id: DEFAULT_WEBHOOK_ID,
  });
  accounts.alipay = await setUp('alipay', { ...alipay.credentials });
  accounts.crypto = await setUp('crypto', coins(btcpay.storeId, btcpay.webhookSecret));
  await control(paypal.url, 'webhook-endpoint', {
    url: eventsUrl('paypal'),
    webhook_id: DEFAULT_WEBHOOK_ID,
  });
  await control(btcpay.url, 'webhooks', { url: eventsUrl('crypto') });
});
afterAll(async () => {
  await system?.stop();
  await Promise.all([paypal, alipay, btcpay].map((sandbox) => sandbox?.stop()));
});

const coins = (storeId: string, webhookSecret: string) => ({
  ...{ base_url: 'https://btcpay.example', store_id: storeId, api_key: btcpay.apiKey },
  webhook_secret: webhookSecret,
});

async function setUp(channel: Channel, credentials: object, merchantId?: string): Promise<string> {
  const owner = merchantId === undefined ? {} : { merchant_id: merchantId };
  const body = { channel, world: 'test', name: channel, credentials, ...owner };
  const { data, status, message } = await system.admin<{ id: string }>('channel-accounts', { body });
  if (status !== 201) throw new Error(`${channel}: ${status} ${message}`);
  return data.id;
}

const eventsUrl = (channel: Channel, account = accounts[channel]) =>
  `${system.apiUrl}/api/v1/channels/${channel}/${account}/events`;

async function control(base: string, path: string, body: object = {}): Promise<unknown> {
  const response = await fetch(`${base}/_control/${path}`, { method: 'POST', body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  return response.json();
}

/** What the customer does, at each channel. */
const CUSTOMERS: Readonly<Record<Channel, (payment: PaymentView) => Promise<unknown>>> = {
  stripe: (payment) => payments.pay(payment),
  paypal: ({ channel_payment_no: order }) => control(paypal.url, `orders/${order ?? ''}/approve`),
  alipay: ({ next_action: action }) => {
    const { url, content } = action as { url?: string; content?: string };
    return control(alipay.url, 'pay', url === undefined ? { qr_code: content } : { url });
  },
  crypto: ({ channel_payment_no: invoice }) =>
    control(btcpay.url, `invoices/${invoice ?? ''}/pay`, { confirmed: true }),
};

/** Signed events of a channel's own making; `isForged`: by somebody who has not its secret. */
const SIGNERS: Readonly<
  Record<Channel, (objectId: string, isForged: boolean) => { body: string; headers: Record<string, string> }>
> = {
  stripe: (objectId, isForged) => {
    const object = { id: objectId, object: 'payment_intent' };
    const event = {
      id: `evt_${randomUUID()}`,
      object: 'event',
      type: 'payment_intent.canceled',
      data: { object },
    };
    const body = JSON.stringify(event);
    const at = Math.floor(Date.now() / 1000);
    const secret = isForged ? 'whsec_of_somebody_else' : SECRETS.webhookSecret;
    const signature = createHmac('sha256', secret).update(`${at}.${body}`).digest('hex');
    return { body, headers: { 'stripe-signature': `t=${at},v1=${signature}` } };
  },
  paypal: (objectId, isForged) => {
    const resource = { id: objectId };
    const body = JSON.stringify({
      id: `WH-${randomUUID()}`,
      event_type: 'CHECKOUT.ORDER.COMPLETED',
      resource,
    });
    return {
      body,
      headers: paypal.signEvent(body, isForged ? 'WEBHOOKOFANOTHER' : DEFAULT_WEBHOOK_ID, Date.now()),
    };
  },
  alipay: (objectId, isForged) => {
    const { app_id: appId, seller_id: sellerId } = alipay.credentials;
    const fields = {
      ...{ notify_id: randomUUID(), notify_type: 'trade_status_sync', app_id: appId, seller_id: sellerId },
      ...{ out_trade_no: objectId, trade_status: 'TRADE_SUCCESS', total_amount: '500.00' },
    };
    const signed = signNotification(fields, isForged ? newKeyPair().privateKey : alipay.signingKey);
    return { body: new URLSearchParams(signed).toString(), headers: {} };
  },
  crypto: (objectId, isForged) => cryptoEvent(objectId, isForged ? 'of-somebody-else' : btcpay.webhookSecret),
};

function cryptoEvent(objectId: string, secret: string, storeId = btcpay.storeId) {
  const id = randomUUID();
  const names = { deliveryId: id, originalDeliveryId: id, webhookId: 'hook', storeId };
  const body = JSON.stringify({
    ...names,
    type: 'InvoiceInvalid',
    timestamp: 1,
    invoiceId: objectId,
    metadata: {},
  });
  return {
    body,
    headers: { 'btcpay-sig': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}` },
  };
}

async function deliver(
  channel: Channel,
  event: { body: string; headers: Record<string, string> },
  account?: string,
) {
  const url = eventsUrl(channel, account);
  const response = await fetch(url, { method: 'POST', headers: event.headers, body: event.body });
  return { status: response.status, text: await response.text() };
}

const storedFor = (objectId: string | null) =>
  system.rows<{ event_id: string; state: string; channel_account_id: string }>(
    'SELECT event_id, state, channel_account_id FROM channel_events WHERE object_id = $1',
    [objectId],
  );

const currencyOf = (channel: Channel) => (channel === 'alipay' ? 'CNY' : 'USD');
const CHANNELS = ['stripe', 'paypal', 'alipay', 'crypto'] as const;

describe.each(CHANNELS)('%s', (channel) => {
  const open = () => payments.open({ channel, currency: currencyOf(channel) });

  it('tells of a payment, and it is read and taken', async () => {
    const payment = await open();
    await CUSTOMERS[channel](payment);
    const paid = await payments.waitFor(payment.payment_no, 'success');
    expect(paid.amount_paid).toBe(50_000);
    const stored = await eventually(
      'its events are processed',
      () => storedFor(payment.channel_payment_no),
      (rows) => rows.length > 0 && rows.every(({ state }) => state === 'processed'),
    );
    expect(new Set(stored.map((row) => row.event_id)).size).toBe(stored.length);
    expect(await eventTypesOf(system, payment.payment_no)).toEqual(['payment.success']);
  });

  it('is not believed: what an event says is asked of the channel', async () => {
    const payment = await open();
    const event = SIGNERS[channel](payment.channel_payment_no ?? '', false);
    const first = await deliver(channel, event);
    expect(first).toEqual({ status: 200, text: channel === 'alipay' ? 'success' : '{"received":true}' });
    // The same event again is the same row.
    expect(await deliver(channel, event)).toEqual(first);
    const stored = await eventually(
      'it is processed',
      () => storedFor(payment.channel_payment_no),
      (rows) => rows.length > 0 && rows.every(({ state }) => state === 'processed'),
    );
    expect(stored.filter((row) => event.body.includes(row.event_id))).toHaveLength(1);
    expect((await payments.get(payment.payment_no)).data.status).toMatch(/^(pending|requires_action)$/);
    expect(await eventTypesOf(system, payment.payment_no)).toEqual([]);
  });

  it('forged: refused, and nothing is written', async () => {
    const payment = await open();
    const no = payment.channel_payment_no ?? '';
    const before = await countAllRows(system);
    const good = SIGNERS[channel](no, false);
    const other = no.slice(0, -1) + (no.endsWith('X') ? 'Y' : 'X');
    const tampered = { ...good, body: good.body.replace(no, other) };
    expect(tampered.body).not.toBe(good.body);
    for (const event of [SIGNERS[channel](no, true), tampered, { ...good, body: '' }]) {
      const { status, text } = await deliver(channel, event);
      expect({ status, code: (JSON.parse(text) as { code: string }).code }).toEqual({
        status: 401,
        code: 'SIGNATURE_INVALID',
      });
    }
    expect((await deliver(channel, good, randomUUID())).status).toBe(404);
    expect(await countAllRows(system)).toEqual(before);
  });

  it('at another channel’s address: there is no such account', async () => {
    const other = channel === 'stripe' ? 'crypto' : 'stripe';
    expect((await deliver(channel, SIGNERS[channel]('x', false), accounts[other])).status).toBe(404);
  });

  it('larger than 1 MiB: not read', async () => {
    const before = await countAllRows(system);
    const { headers } = SIGNERS[channel]('x', false);
    expect((await deliver(channel, { headers, body: 'x'.repeat(MiB + 1) })).status).toBe(413);
    expect(await countAllRows(system)).toEqual(before);
  });
});

it('another account’s event about our object says nothing, whatever it names', async () => {
  const payment = await payments.open({ channel: 'crypto' });
  const no = payment.channel_payment_no ?? '';
  const merchant = await system.createMerchant('Intruder');
  const secret = 'the-intruders-own-secret';
  const intruder = await setUp('crypto', coins('AnotherStore', secret), merchant.merchantId);
  await CUSTOMERS.crypto(payment);
  await payments.waitFor(payment.payment_no, 'success');
  const named = cryptoEvent(no, secret, 'AnotherStore');
  const body = named.body.replace(
    '"metadata":{}',
    `"metadata":{"holdfast_id":"payment/${system.merchant.merchantId}/${payment.payment_no}"}`,
  );
  const signed = { 'btcpay-sig': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}` };
  const before = await eventTypesOf(system, payment.payment_no);
  expect((await deliver('crypto', { body, headers: signed }, intruder)).status).toBe(200);
  const [row] = await eventually(
    'the pick-up has tried',
    () =>
      system.rows<{ state: string; attempts: number }>(
        'SELECT state, attempts FROM channel_events WHERE channel_account_id = $1',
        [intruder],
      ),
    (rows) => (rows[0]?.attempts ?? 0) > 0,
  );
  expect(row?.state).toBe('stored');
  expect(await eventTypesOf(system, payment.payment_no)).toEqual(before);
});
