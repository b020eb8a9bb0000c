/** The sandbox refuses what Alipay refuses, tells what Alipay tells, and forgets nothing. Driven by the official SDK. */
import { createSign } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { signNotification, toBeijing } from '../../dev/alipay-sandbox/signing';
import { startAlipaySandbox } from '../../dev/alipay-sandbox/server';
import type { AlipaySandbox } from '../../dev/alipay-sandbox/server';
import { createAlipayAdapter } from '../../src/channels/alipay/adapter';
import type { AlipayAdapter } from '../../src/channels/alipay/adapter';
import { readNumber } from '../../src/channels/alipay/numbers';
import { AlipaySdk } from '../../src/channels/alipay/sdk';
import { InvalidEventSignature } from '../../src/domain/channel';
import type { InboundEvent } from '../../src/domain/channel';
import { alipayAccount, alipayControl, newIdentity, openAlipay, tradeInHand } from './alipay-harness';
import type { AlipayControl } from './alipay-harness';
import { paymentOf } from './channel-payment.harness';
import { until } from './sandbox-control';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'alipay-sandbox-'));
let sandbox: AlipaySandbox;
let control: AlipayControl;
let adapter: AlipayAdapter;

async function start(): Promise<void> {
  sandbox = await startAlipaySandbox({ dataDir: folder });
  control = alipayControl(sandbox.url);
}
beforeAll(start);
beforeEach(() => control.post('reset'));
afterEach(() => adapter?.close());
afterAll(async () => {
  await sandbox.stop();
  fs.rmSync(folder, { recursive: true });
});

const exchange = { timeoutMs: 5_000 };
const request = { paymentNo: 'PY1', orderNo: 'O1', amount: 40_000, currency: 'CNY' };

/** The official SDK with its own HTTP: an independent witness of signatures and forms. */
function officialSdk(): AlipaySdk {
  const {
    app_id: appId,
    app_private_key: privateKey,
    alipay_public_key: alipayPublicKey,
  } = sandbox.credentials;
  const keys = {
    privateKey: privateKey.trim(),
    keyType: 'PKCS8' as const,
    alipayPublicKey: alipayPublicKey.trim(),
  };
  return new AlipaySdk({ appId, ...keys, gateway: `${sandbox.url}/gateway.do` });
}
function exec(method: string, bizContent: Record<string, unknown>, more: Record<string, unknown> = {}) {
  const timestamp = toBeijing(Date.now());
  return officialSdk().exec(method, { timestamp, ...more, bizContent }, { validateSign: true });
}
const qrOrder = (more: object = {}) => ({
  out_trade_no: 'T1',
  total_amount: '1.00',
  subject: 'Tea',
  ...more,
});

describe('the gateway', () => {
  test('answers the official SDK, signed', async () => {
    expect(await exec('alipay.trade.precreate', qrOrder())).toMatchObject({
      code: '10000',
      outTradeNo: 'T1',
    });
    // As with Alipay itself, a code that nobody has scanned is no trade yet.
    expect(await exec('alipay.trade.query', { out_trade_no: 'T1' })).toMatchObject({
      code: '40004',
      subCode: 'ACQ.TRADE_NOT_EXIST',
    });
  });

  test.each([
    ['an unknown field', qrOrder({ buyer: 'me' }), 'ACQ.INVALID_PARAMETER'],
    ['an amount with three decimals', qrOrder({ total_amount: '1.000' }), 'ACQ.INVALID_PARAMETER'],
    ['an amount of nothing', qrOrder({ total_amount: '0.00' }), 'ACQ.TOTAL_FEE_EXCEED'],
    ['a number with other characters', qrOrder({ out_trade_no: 'T-1' }), 'ACQ.INVALID_PARAMETER'],
    ['a missing title', { out_trade_no: 'T1', total_amount: '1.00' }, 'ACQ.INVALID_PARAMETER'],
    ['another currency', qrOrder({ trans_currency: 'USD' }), 'ACQ.CURRENCY_NOT_SUPPORT'],
    ['another seller', qrOrder({ seller_id: '2088' }), 'ACQ.INVALID_RECEIVE_ACCOUNT'],
    ['a product that is not signed', qrOrder({ product_code: 'X' }), 'ACQ.ACCESS_FORBIDDEN'],
    [
      'a time that is over',
      qrOrder({ time_expire: '2020-01-01 00:00:00' }),
      'ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR',
    ],
  ])('refuses %s', async (_what, bizContent, subCode) => {
    expect(await exec('alipay.trade.precreate', bizContent)).toMatchObject({ code: '40004', subCode });
  });

  test('refuses another time, an unknown method, and a page sent by a server', async () => {
    const old = { timestamp: '2020-01-01 00:00:00' };
    const codes = [
      await exec('alipay.trade.precreate', qrOrder(), old),
      await exec('alipay.trade.nothing', {}),
      await exec('alipay.trade.page.pay', qrOrder({ product_code: 'FAST_INSTANT_TRADE_PAY' })),
    ].map(({ subCode }) => subCode as unknown);
    expect(codes).toEqual(['isv.invalid-timestamp', 'isv.invalid-method', 'isv.invalid-method']);
  });

  test('two applications may use one number', async () => {
    const other = await control.post('apps', { app_id: '2021000000000001' });
    const account = alipayAccount(other as unknown as AlipaySandbox['credentials']);
    adapter = createAlipayAdapter(account, sandbox.url);
    const mine = openAlipay(sandbox);
    const call = newIdentity()('create/1');
    const full = { ...request, expiresAtUnixSeconds: Math.floor(Date.now() / 1000) + 60 };
    await mine.createPayment(full, call, exchange);
    await adapter.createPayment(full, call, exchange);
    expect((await control.books()).trades).toHaveLength(2);
    mine.close();
  });
});

test('state and keys survive a restart', async () => {
  adapter = openAlipay(sandbox);
  const full = { ...request, expiresAtUnixSeconds: Math.floor(Date.now() / 1000) + 60 };
  const created = await adapter.createPayment(full, newIdentity()('create/1'), exchange);
  await control.post('pay', tradeInHand(created.customer));
  const before = await control.books();
  const { credentials } = sandbox;
  await sandbox.stop();
  await start();
  expect(sandbox.credentials).toEqual(credentials);
  expect(await control.books()).toEqual(before);
});

describe('notifications', () => {
  interface Received {
    readonly body: Buffer;
  }
  const received: Received[] = [];
  const answers: string[] = [];
  let receiver: http.Server;
  let url: string;

  beforeAll(async () => {
    receiver = http.createServer((incoming, response) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        received.push({ body: Buffer.concat(chunks) });
        response.end(answers.shift() ?? 'success');
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/events`;
  });
  beforeEach(() => {
    received.length = 0;
    adapter = openAlipay(sandbox, undefined, { notifyUrl: url });
  });
  afterAll(() => receiver.close());

  const parsed = () => received.map(({ body }) => adapter.parseInboundEvent(body, {}) as InboundEvent);
  async function payOne(identity = newIdentity()) {
    const full = { ...request, expiresAtUnixSeconds: Math.floor(Date.now() / 1000) + 600 };
    const created = await adapter.createPayment(full, identity('create/1'), exchange);
    await control.post('pay', tradeInHand(created.customer));
    return paymentOf(created.answer).channelPaymentNo;
  }

  test('name the payment by its own number and identity, and a refund by its number', async () => {
    const identity = newIdentity();
    const id = await payOne(identity);
    const target = { kind: 'payment' as const, channelNo: id, currency: 'CNY', amount: 40_000 };
    const refund = { refundNo: 'RF1', target, amount: 100, currency: 'CNY' };
    await adapter.createRefund(refund, newIdentity('refund')('refund/1'), exchange);
    await until(
      () => received.length,
      (count) => count === 2,
    );
    const { holdfastId } = identity('x');
    expect(parsed()).toMatchObject([
      { type: 'trade_status_sync.TRADE_SUCCESS', subject: 'payment', objectId: id, holdfastId },
      { type: 'trade_status_sync.TRADE_SUCCESS.refund', subject: 'refund', objectId: id, holdfastId },
    ]);
    expect(parsed()[1]?.channelRefundNo).toMatch(/^HFR/);
  });

  test('name the hold, for its freeze, its captures and its release', async () => {
    const hold = newIdentity('pre-auth');
    const numbers = { preAuthNo: 'PA1', orderNo: 'O1', amount: 5_000, currency: 'CNY' };
    const { customer, answer } = await adapter.createPreAuth(numbers, hold('create/1'), exchange);
    const channelPreAuthNo = answer.kind === 'declined' ? '' : answer.snapshot.channelPreAuthNo;
    await control.post('freeze', { order_string: customer.clientSecret });
    const capture = { channelPreAuthNo, amount: 1_000, currency: 'CNY', final: true };
    await adapter.capturePreAuth(capture, hold('capture/1'), exchange);
    await until(
      () => received.length,
      (count) => count === 2,
    );
    expect(parsed()).toMatchObject([
      { type: 'fund_auth_freeze.SUCCESS', subject: 'pre_auth', objectId: channelPreAuthNo },
      { type: 'trade_status_sync.TRADE_SUCCESS', subject: 'pre_auth', objectId: channelPreAuthNo },
    ]);
  });

  test('are repeated until they are answered with `success`, always with one id', async () => {
    answers.push('ok', '<html>', adapter.acknowledgement.body);
    await payOne();
    await until(
      () => received.length,
      (count) => count === 3,
    );
    expect(new Set(parsed().map(({ eventId }) => eventId)).size).toBe(1);
  });

  test('come twice and in another order when they are told to', async () => {
    await control.post('events-mode', { duplicate: true, reorder: true });
    const ids = [await payOne(), await payOne()];
    await until(
      () => received.length,
      (count) => count === 4,
    );
    expect(parsed().map(({ objectId }) => objectId)).toEqual([ids[1], ids[1], ids[0], ids[0]]);
  });

  test('of a refund made by hand name its number, and where they do not it is that of the trade', async () => {
    const id = await payOne();
    const { outNo } = readNumber(id);
    await control.post('refund-by-dashboard', { out_trade_no: outNo, amount: 5_000 });
    await control.post('refund-by-dashboard', { out_trade_no: outNo });
    await until(
      () => received.length,
      (count) => count === 3,
    );
    const refunds = (await control.books()).trades[0]?.refunds ?? [];
    expect(refunds.map(({ amount }) => amount)).toEqual([5_000, 35_000]);
    const named = parsed().flatMap(({ channelRefundNo }) => channelRefundNo ?? []);
    expect(named.sort()).toEqual(refunds.map(({ no }) => no).sort());
    const { app_id: appId, seller_id: sellerId } = sandbox.credentials;
    const bare = { app_id: appId, seller_id: sellerId, notify_type: 'trade_status_sync', gmt_refund: 'then' };
    const form = { ...bare, notify_id: 'n1', out_trade_no: outNo, trade_no: '2026', refund_fee: '1.00' };
    const body = new URLSearchParams(signNotification(form, sandbox.signingKey)).toString();
    const event = adapter.parseInboundEvent(Buffer.from(body), {});
    expect(event).toMatchObject({ subject: 'refund', objectId: '2026', channelRefundNo: outNo });
  });

  test('for another application or seller are refused, although Alipay signed them', () => {
    const { app_id: appId, seller_id: sellerId } = sandbox.credentials;
    const params = {
      notify_id: 'n1',
      notify_type: 'trade_status_sync',
      out_trade_no: 'T1',
      trade_status: 'X',
    };
    const parse = (more: Record<string, string>, sign = signNotification) => {
      const form = new URLSearchParams(sign({ ...params, ...more }, sandbox.signingKey));
      return adapter.parseInboundEvent(Buffer.from(form.toString()), {});
    };
    expect(parse({ app_id: appId, seller_id: sellerId })).toMatchObject({ eventId: 'n1', objectId: 'T1' });
    expect(() => parse({ app_id: '2021', seller_id: sellerId })).toThrow(InvalidEventSignature);
    expect(() => parse({ app_id: appId, seller_id: '2088' })).toThrow(InvalidEventSignature);
    expect(() => parse({})).toThrow(InvalidEventSignature);
    // Only RSA2 is believed: Alipay's key can also sign by SHA-1, and then it is worth no more than SHA-1.
    const weak: typeof signNotification = (all, key) => {
      const full: Record<string, string> = { ...all, sign_type: 'RSA' };
      const text = Object.keys(full)
        .sort()
        .map((name) => `${name}=${full[name] ?? ''}`)
        .join('&');
      return { ...full, sign: createSign('RSA-SHA1').update(text).sign(key, 'base64') };
    };
    expect(() => parse({ app_id: appId, seller_id: sellerId }, weak)).toThrow(InvalidEventSignature);
  });
});
