/** The sandbox is strict and keeps its books; the client gives nothing away and knows what was not sent. */
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { startBtcpaySandbox } from '../../dev/btcpay-sandbox/server';
import type { BtcpaySandbox } from '../../dev/btcpay-sandbox/server';
import type { CallIdentity, InboundEvent } from '../../src/domain/channel';
import { btcpayControl, cryptoAccount, openCrypto } from './crypto-harness';
import type { BtcpayControl, CryptoTarget } from './crypto-harness';
import { createCryptoAdapter } from '../../src/channels/crypto/adapter';
import { faultOf, paymentOf } from './channel-payment.harness';
import { until } from './sandbox-control';

const EXCHANGE = { timeoutMs: 5_000 };

let sandbox: BtcpaySandbox;
let control: BtcpayControl;

beforeAll(async () => {
  sandbox = await startBtcpaySandbox();
  control = btcpayControl(sandbox.url);
});
afterEach(() => control.post('reset'));
afterAll(() => sandbox.stop());

const newCall = (): CallIdentity => ({
  idempotencyKey: randomUUID(),
  holdfastId: `payment/test/${randomUUID()}`,
  holdfastCall: 'create/1',
});

const request = () => ({
  paymentNo: 'PY1',
  orderNo: 'O1',
  amount: 50_000,
  currency: 'USD',
  expiresAtUnixSeconds: Math.floor(Date.now() / 1000) + 90,
  returnUrl: 'https://shop.example/back',
});

async function createAt(target: CryptoTarget, apiBase = '', timeoutMs = EXCHANGE.timeoutMs) {
  const adapter = createCryptoAdapter(cryptoAccount(target), apiBase);
  try {
    return (await adapter.createPayment(request(), newCall(), { timeoutMs })).answer;
  } finally {
    adapter.close();
  }
}

describe('the wire', () => {
  const api = async (method: string, address: string, body?: object, key = sandbox.apiKey) => {
    const response = await fetch(`${sandbox.url}/api/v1/${address}`, {
      method,
      headers: { authorization: `token ${key}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  };
  const store = () => `stores/${sandbox.storeId}`;
  const good = { amount: '5.00', currency: 'USD' };

  test('an invoice carries what we sent, and ends when the payment does', async () => {
    const answer = await createAt(sandbox);
    const shown = await api('GET', `${store()}/invoices/${paymentOf(answer).channelPaymentNo}`);
    expect(shown.body).toMatchObject({
      amount: '500.00',
      currency: 'USD',
      metadata: {
        orderId: expect.stringMatching(/^HF-[0-9a-f]{40}$/) as string,
        payment_no: 'PY1',
        order_no: 'O1',
      },
      checkout: { expirationMinutes: 2, paymentTolerance: 0, redirectURL: 'https://shop.example/back' },
    });
  });

  test.each([
    ['no amount', { currency: 'USD' }, 422, [{ path: 'Amount' }]],
    ['a number that is no decimal string', { ...good, amount: 5 }, 422, [{ path: 'Amount' }]],
    ['an unknown field', { ...good, ammount: '5' }, 422, [{ path: 'ammount' }]],
    ['an unknown option', { ...good, checkout: { expiry: 5 } }, 422, [{ path: 'checkout.expiry' }]],
    [
      'half a minute',
      { ...good, checkout: { expirationMinutes: 0.5 } },
      422,
      [{ path: 'Checkout.Expiration' }],
    ],
    ['a currency without a rate', { ...good, currency: 'XYZ' }, 400, { code: 'generic-error' }],
  ])('a create with %s is refused', async (_name, body, status, expected) => {
    expect(await api('POST', `${store()}/invoices`, body)).toMatchObject({ status, body: expected });
  });

  test('refunds and marks are refused in the wrong state', async () => {
    const { id } = (await api('POST', `${store()}/invoices`, good)).body as { id: string };
    const refund = { refundVariant: 'Custom', customAmount: '5.00', customCurrency: 'USD' };
    expect(await api('POST', `${store()}/invoices/${id}/refund`, refund)).toMatchObject({
      status: 400,
      body: { code: 'non-refundable' },
    });
    await control.post(`invoices/${id}/pay`, { confirmed: true });
    expect(await api('POST', `${store()}/invoices/${id}/status`, { status: 'Invalid' })).toMatchObject({
      status: 422,
      body: [{ path: 'Status' }],
    });
    const wrong = [
      { customAmount: '0' },
      { customCurrency: 'XYZ' },
      { refundVariant: 'All' },
      { name: 'x'.repeat(51) },
    ];
    for (const part of wrong) {
      const answer = await api('POST', `${store()}/invoices/${id}/refund`, { ...refund, ...part });
      expect({ part, status: answer.status }).toEqual({ part, status: 422 });
    }
  });

  test('keys: none, one that may only look, one of another store', async () => {
    await control.post('api-keys', { key: 'looks', permissions: ['btcpay.store.canviewinvoices'] });
    await control.post('api-keys', {
      key: 'elsewhere',
      store_id: 'Other',
      permissions: ['btcpay.store.canmodifyinvoices'],
    });
    expect(await api('GET', `${store()}/invoices`, undefined, 'nobody')).toMatchObject({
      status: 401,
      body: { code: 'unauthenticated' },
    });
    expect((await api('GET', `${store()}/invoices`, undefined, 'looks')).status).toBe(200);
    const missing = {
      status: 403,
      body: { code: 'missing-permission', missingPermission: 'btcpay.store.cancreateinvoice' },
    };
    expect(await api('POST', `${store()}/invoices`, good, 'looks')).toMatchObject(missing);
    expect(await api('POST', `${store()}/invoices`, good, 'elsewhere')).toMatchObject(missing);
    expect(await createAt({ ...sandbox, apiKey: 'looks' })).toMatchObject({
      code: 'account_invalid',
      providerCode: 'missing-permission',
    });
  });

  test('404s have their codes', async () => {
    expect(await api('GET', `${store()}/invoices/none`)).toMatchObject({
      status: 404,
      body: { code: 'invoice-not-found' },
    });
    expect(await api('GET', 'pull-payments/none/payouts')).toMatchObject({
      status: 404,
      body: { code: 'pullpayment-not-found' },
    });
  });
});

describe('the client', () => {
  test.each([
    '',
    'nonsense',
    'ftp://btcpay.example',
    'https://user:word@btcpay.example',
    'https://btcpay.example/?a=b',
  ])('no key is sent to %j', async (url) => {
    expect(await createAt({ ...sandbox, url })).toMatchObject({
      code: 'account_invalid',
      providerCode: 'base-url-invalid',
    });
  });

  test('a server below a path, and one address for all accounts', async () => {
    const seen: string[] = [];
    const proxy = http.createServer((incoming, response) => {
      seen.push(incoming.url ?? '');
      response.writeHead(404).end('no JSON');
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/btcpay`;
    expect(await createAt({ ...sandbox, url })).toMatchObject({
      code: 'account_invalid',
      providerCode: 'http_404',
    });
    expect(seen[0]).toMatch(/^\/btcpay\/api\/v1\/stores\//);
    expect((await createAt({ ...sandbox, url }, sandbox.url)).kind).toBe('pending');
    await new Promise((resolve) => proxy.close(resolve));
  });

  test('nobody there: not sent, and the fault says neither key nor address', async () => {
    const fault = await faultOf(createAt({ ...sandbox, url: 'http://127.0.0.1:1' }));
    expect(fault).toMatchObject({ execution: 'not_sent', reason: 'look_up:ECONNREFUSED' });
    expect(JSON.stringify(fault) + String(fault)).not.toMatch(/127\.0\.0\.1|btcpay_sandbox/);
  });

  test('no time left: not sent', async () => {
    expect(await faultOf(createAt(sandbox, '', 0))).toMatchObject({ execution: 'not_sent' });
  });

  test('holds are not supported, and no refund of one is', async () => {
    const adapter = openCrypto(sandbox);
    const call = newCall();
    await expect(adapter.queryPreAuth('x', EXCHANGE)).rejects.toMatchObject({
      code: 'PRE_AUTH_NOT_SUPPORTED',
    });
    const target = { kind: 'pre_auth' as const, channelNo: 'x', amount: 1, currency: 'USD' };
    const refund = adapter.createRefund(
      { refundNo: 'R', target, amount: 1, currency: 'USD' },
      call,
      EXCHANGE,
    );
    await expect(refund).rejects.toMatchObject({ execution: 'not_sent' });
    adapter.close();
  });
});

async function startReceiver(statuses: number[]) {
  const received: { body: Buffer; headers: Record<string, string | undefined> }[] = [];
  const server = http.createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      received.push({ body: Buffer.concat(chunks), headers: incoming.headers as Record<string, string> });
      response.writeHead(statuses.shift() ?? 200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { url, received, close };
}

test('events are signed, redelivered until acknowledged under one id, and name payment and refund', async () => {
  const adapter = openCrypto(sandbox);
  const receiver = await startReceiver([500]);
  await control.post('webhooks', { url: receiver.url });
  const call = newCall();
  const { answer } = await adapter.createPayment(request(), call, EXCHANGE);
  const id = paymentOf(answer).channelPaymentNo;
  const parsed = () =>
    receiver.received.map(({ body, headers }) => adapter.parseInboundEvent(body, headers) as InboundEvent);
  const [first, second] = await until(parsed, (events) => events.length === 2);
  expect(first).toEqual({
    eventId: second?.eventId,
    type: 'InvoiceCreated',
    subject: 'payment',
    objectId: id,
    holdfastId: call.holdfastId,
  });
  const deliveries = receiver.received.map(
    ({ body }) => JSON.parse(body.toString()) as { deliveryId: string },
  );
  expect(deliveries[0]?.deliveryId).not.toBe(deliveries[1]?.deliveryId);
  expect(deliveries[1]).toMatchObject({ isRedelivery: true, originalDeliveryId: deliveries[0]?.deliveryId });

  await control.post('events-mode', { duplicate: true });
  await control.post(`invoices/${id}/pay`, { confirmed: true });
  const events = await until(parsed, (all) => all.length === 2 + 4 * 2);
  expect(new Set(events.map(({ eventId }) => eventId)).size).toBe(1 + 4);

  await control.post('events-mode', { duplicate: false });
  const target = { kind: 'payment' as const, channelNo: id, amount: 50_000, currency: 'USD' };
  const refund = { refundNo: 'RF1', target, amount: 50_000, currency: 'USD' };
  await adapter.createRefund(refund, { ...call, holdfastCall: 'refund/1' }, EXCHANGE);
  const [{ channelRefundNo = '' } = {}] = await adapter.listRefunds(target, EXCHANGE);
  await control.post(`pull-payments/${channelRefundNo}/claim`);
  const all = await until(parsed, (seen) => seen.some(({ type }) => type === 'PayoutCreated'));
  expect(all.at(-1)).toMatchObject({ type: 'PayoutCreated', subject: 'refund', objectId: channelRefundNo });
  adapter.close();
  await receiver.close();
});

test('everything is there again after a restart, what was not delivered too', async () => {
  const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'btcpay-sandbox-'));
  const receiver = await startReceiver([]);
  const before = await startBtcpaySandbox({ dataDir });
  await btcpayControl(before.url).post('webhooks', { url: receiver.url });
  await btcpayControl(before.url).post('events-mode', { pause: true });
  const id = paymentOf(await createAt(before)).channelPaymentNo;
  await btcpayControl(before.url).post(`invoices/${id}/pay`, { confirmed: true });
  await before.stop();
  expect(receiver.received).toEqual([]);
  const after = await startBtcpaySandbox({ dataDir });
  const adapter = openCrypto(after);
  expect(await adapter.queryPayment(id, EXCHANGE)).toMatchObject({ status: 'succeeded', amountPaid: 50_000 });
  await until(
    () => receiver.received.length,
    (count) => count >= 5,
  );
  adapter.close();
  await after.stop();
  await receiver.close();
  fs.rmSync(dataDir, { recursive: true });
});
