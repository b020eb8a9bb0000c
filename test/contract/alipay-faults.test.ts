/** The adapter against an Alipay that misbehaves: what is thrown must be what the books show. */
import { FAULT_KINDS } from '../../dev/alipay-sandbox/faults';
import type { FaultKind } from '../../dev/alipay-sandbox/faults';
import { startAlipaySandbox } from '../../dev/alipay-sandbox/server';
import type { AlipaySandbox } from '../../dev/alipay-sandbox/server';
import { createAlipayAdapter } from '../../src/channels/alipay/adapter';
import type { AlipayAdapter } from '../../src/channels/alipay/adapter';
import { ChannelFault } from '../../src/domain/channel';
import type { CallIdentity } from '../../src/domain/channel';
import { alipayAccount, alipayControl, newIdentity, openAlipay, tradeInHand } from './alipay-harness';
import type { AlipayControl } from './alipay-harness';
import { paymentOf } from './channel-payment.harness';

let sandbox: AlipaySandbox;
let control: AlipayControl;
let adapter: AlipayAdapter;

beforeAll(async () => {
  sandbox = await startAlipaySandbox();
  control = alipayControl(sandbox.url);
  adapter = openAlipay(sandbox);
});
beforeEach(() => control.post('reset'));
afterAll(async () => {
  adapter.close();
  await sandbox.stop();
});

const exchange = { timeoutMs: 1_000 };
const expiresAtUnixSeconds = Math.floor(Date.now() / 1000) + 1_800;
const request = { paymentNo: 'PY1', orderNo: 'O1', amount: 40_000, currency: 'CNY', expiresAtUnixSeconds };

function create(call: CallIdentity, timeoutMs = 1_000, signal?: AbortSignal) {
  return adapter.createPayment(request, call, { timeoutMs, ...(signal === undefined ? {} : { signal }) });
}

async function caught(work: Promise<unknown>): Promise<ChannelFault> {
  const error: unknown = await work.then(
    (value) => new Error(`no fault: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ChannelFault)) throw error;
  return error;
}

async function paid() {
  const identity = newIdentity();
  const created = await create(identity('create/1'));
  await control.post('pay', tradeInHand(created.customer));
  const channelNo = paymentOf(created.answer).channelPaymentNo;
  const target = { kind: 'payment' as const, channelNo, currency: 'CNY', amount: 40_000 };
  const call = newIdentity('refund')('refund/1');
  return {
    channelNo,
    refund: (amount = 10_000) =>
      adapter.createRefund({ refundNo: 'RF1', target, amount, currency: 'CNY' }, call, exchange),
    listed: () => adapter.listRefunds(target, exchange, [{ refundNo: 'RF1', ...call }]),
  };
}

/** What of each kind reached the state machine. */
const EXECUTED: ReadonlySet<FaultKind> = new Set([
  'error_after',
  'unknown_after',
  'timeout_after',
  'reset_after',
  'slow',
  'forged_answer',
]);

test.each(FAULT_KINDS)(
  'refund, %s: maybe executed, and the same call again is the one refund',
  async (fault) => {
    const { refund, listed } = await paid();
    await control.fault('trade.refund', fault, { delayMs: 1_500 });
    expect(await caught(refund())).toMatchObject({ execution: 'maybe_executed', storedAnswer: false });
    if (fault === 'slow') await new Promise((resolve) => setTimeout(resolve, 700));
    expect(await listed()).toHaveLength(EXECUTED.has(fault) ? 1 : 0);
    expect(await refund()).toMatchObject({ kind: 'done', snapshot: { status: 'succeeded', amount: 10_000 } });
    expect((await control.books()).totals['CNY']).toMatchObject({ refunded: 10_000 });
  },
);

test.each(FAULT_KINDS)('create, %s: the same call again is the one trade', async (fault) => {
  const call = newIdentity()('create/1');
  await control.fault('trade.precreate', fault, { delayMs: 1_500 });
  expect(await caught(create(call))).toMatchObject({ execution: 'maybe_executed' });
  const again = await create(call);
  await control.post('pay', tradeInHand(again.customer));
  const books = await control.books(call.holdfastId);
  expect(books.trades).toHaveLength(1);
  expect(books.totals['CNY']).toMatchObject({ paid: 40_000 });
});

test.each(['timeout_after', 'reset_before', 'unknown_before', 'forged_answer'])(
  'a read, %s, is a fault and never "does not exist"',
  async (fault) => {
    const { channelNo } = await paid();
    await control.fault('trade.query', fault);
    expect(await caught(adapter.queryPayment(channelNo, exchange))).toMatchObject({
      execution: 'maybe_executed',
    });
    expect(await adapter.queryPayment(channelNo, exchange)).toMatchObject({ status: 'succeeded' });
  },
);

test('a close whose answer was lost, then asked again, is done', async () => {
  const identity = newIdentity();
  const created = await create(identity('create/1'));
  await control.post('open', tradeInHand(created.customer));
  const close = { channelPaymentNo: paymentOf(created.answer).channelPaymentNo, currency: 'CNY' };
  await control.fault('trade.close', 'timeout_after');
  const cancel = () => adapter.cancelPayment(close, identity('cancel/1'), exchange);
  expect(await caught(cancel())).toMatchObject({ execution: 'maybe_executed' });
  expect(await cancel()).toMatchObject({ kind: 'done', snapshot: { status: 'canceled' } });
});

test('a refund whose confirmation cannot be read is not said to be not sent', async () => {
  const { refund } = await paid();
  await refund();
  await control.fault('trade.fastpay.refund.query', 'reset_before');
  expect(await caught(refund())).toMatchObject({ execution: 'maybe_executed' });
});

test('nobody listens: certainly not sent', async () => {
  const nowhere = createAlipayAdapter(alipayAccount(sandbox.credentials), 'http://127.0.0.1:9');
  const fault = await caught(nowhere.createPayment(request, newIdentity()('create/1'), exchange));
  expect(fault).toMatchObject({ execution: 'not_sent', reason: 'ECONNREFUSED' });
  nowhere.close();
});

test('the time of the exchange bounds it, and an abort ends it', async () => {
  await control.fault('trade.precreate', 'timeout_before', { times: 2 });
  const startedMs = Date.now();
  expect(await caught(create(newIdentity()('create/1'), 200))).toMatchObject({ reason: 'ETIMEDOUT' });
  expect(Date.now() - startedMs).toBeLessThan(1_000);
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 100);
  await caught(create(newIdentity()('create/1'), 10_000, abort.signal));
  expect(Date.now() - startedMs).toBeLessThan(2_000);
});

test.each([
  ['app_private_key', 'no key at all'],
  ['alipay_public_key', 'no key at all'],
  ['app_private_key', ''],
])('an unusable %s is a decline that quotes nothing', async (name, value) => {
  const account = alipayAccount({ ...sandbox.credentials, [name]: value });
  const broken = createAlipayAdapter(account, sandbox.url);
  for (const returnUrl of [undefined, 'https://shop.example/']) {
    const full = { ...request, ...(returnUrl === undefined ? {} : { returnUrl }) };
    const { answer } = await broken.createPayment(full, newIdentity()('create/1'), exchange);
    expect(answer).toEqual({
      kind: 'declined',
      code: 'account_invalid',
      providerCode: 'credentials_unusable',
    });
  }
  broken.close();
});

test('an application Alipay does not know is a decline, although nobody can sign that', async () => {
  const account = alipayAccount({ ...sandbox.credentials, app_id: '2021999999999999' });
  const stranger = createAlipayAdapter(account, sandbox.url);
  const { answer } = await stranger.createPayment(request, newIdentity()('create/1'), exchange);
  expect(answer).toMatchObject({ code: 'account_invalid', providerCode: 'isv.invalid-app-id' });
  stranger.close();
});
