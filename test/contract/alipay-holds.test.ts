/** Holds over fund authorisation: freeze in the app, trade.pay with auth_no, unfreeze. */
import { startAlipaySandbox } from '../../dev/alipay-sandbox/server';
import type { AlipaySandbox } from '../../dev/alipay-sandbox/server';
import type { AlipayAdapter } from '../../src/channels/alipay/adapter';
import { readNumber } from '../../src/channels/alipay/numbers';
import type { CallIdentity, HoldAnswer, HoldSnapshot } from '../../src/domain/channel';
import { alipayControl, newIdentity, openAlipay } from './alipay-harness';
import type { AlipayControl } from './alipay-harness';

let sandbox: AlipaySandbox;
let control: AlipayControl;
let adapter: AlipayAdapter;

beforeAll(async () => {
  sandbox = await startAlipaySandbox({ currencies: ['USD'] });
  control = alipayControl(sandbox.url);
  adapter = openAlipay(sandbox);
});
beforeEach(() => control.post('reset'));
afterAll(async () => {
  adapter.close();
  await sandbox.stop();
});

const exchange = { timeoutMs: 5_000 };
const AMOUNT = 50_000;

function snapshotOf(answer: HoldAnswer): HoldSnapshot {
  if (answer.kind === 'declined') throw new Error(`declined: ${answer.code} ${answer.providerCode}`);
  return answer.snapshot;
}

async function created(currency = 'CNY', alipay = adapter) {
  const identity = newIdentity('pre-auth');
  const request = { preAuthNo: 'PA1', orderNo: 'ORDER-1', amount: AMOUNT, currency };
  const { answer, customer } = await alipay.createPreAuth(request, identity('create/1'), exchange);
  const id = snapshotOf(answer).channelPreAuthNo;
  const order = { order_string: customer.clientSecret ?? '' };
  const capture = (amount: number, call: CallIdentity, final = true) =>
    alipay.capturePreAuth({ channelPreAuthNo: id, amount, currency, final }, call, exchange);
  const cancel = (call: CallIdentity) =>
    alipay.cancelPreAuth({ channelPreAuthNo: id, currency }, call, exchange);
  return {
    identity,
    id,
    order,
    customer,
    answer,
    capture,
    cancel,
    read: () => alipay.queryPreAuth(id, exchange),
  };
}
async function held(currency = 'CNY', alipay = adapter) {
  const hold = await created(currency, alipay);
  await control.post('freeze', hold.order);
  return hold;
}

test('without the flag in the contract there are no new holds; those that are there can be captured', async () => {
  const plain = openAlipay(sandbox, {});
  const request = { preAuthNo: 'PA1', orderNo: 'O1', amount: AMOUNT, currency: 'CNY' };
  await expect(plain.createPreAuth(request, newIdentity()('create/1'), exchange)).rejects.toMatchObject({
    code: 'PRE_AUTH_NOT_SUPPORTED',
  });
  const hold = await held();
  const capture = { channelPreAuthNo: hold.id, amount: AMOUNT, currency: 'CNY', final: true };
  expect(await plain.capturePreAuth(capture, hold.identity('capture/1'), exchange)).toMatchObject({
    kind: 'done',
  });
  plain.close();
});

test('create signs an order for the app and sends nothing', async () => {
  const { answer, customer, read } = await created();
  expect(answer).toMatchObject({ kind: 'pending', snapshot: { status: 'requires_action', amount: AMOUNT } });
  expect(customer.nextAction).toEqual({ type: 'client_secret' });
  expect((await control.books()).calls).toEqual([]);
  expect(await read()).toMatchObject({ status: 'requires_action', amountCapturable: 0 });
});

test('the customer opens, confirms, and the money is held', async () => {
  const hold = await created('USD');
  await control.post('open-auth', hold.order);
  expect(await hold.read()).toMatchObject({ status: 'requires_action', channelPreAuthNo: hold.id });
  await control.post('freeze', hold.order);
  expect(await hold.read()).toMatchObject({
    status: 'requires_capture',
    channelPreAuthNo: hold.id,
    currency: 'USD',
    amount: AMOUNT,
    amountCapturable: AMOUNT,
  });
});

test('a final capture takes its part, releases the rest, and is once whatever is asked again', async () => {
  const hold = await held();
  const first = await hold.capture(32_000, hold.identity('capture/1'));
  expect(first).toMatchObject({
    kind: 'done',
    snapshot: { status: 'succeeded', amountCaptured: 32_000, amountCapturable: 0 },
  });
  expect(await hold.capture(32_000, hold.identity('capture/1'))).toEqual(first);
  expect(await hold.read()).toEqual(snapshotOf(first));
  await expect(hold.capture(10_000, hold.identity('capture/1'))).rejects.toMatchObject({
    execution: 'maybe_executed',
  });
  expect(await hold.capture(10_000, hold.identity('capture/2'))).toMatchObject({ code: 'invalid_state' });
  const { totals } = await control.books();
  expect(totals['CNY']).toEqual({ paid: 32_000, refunded: 0, frozen: 0 });
});

test('without multiple captures in the contract every capture is final', async () => {
  const hold = await held();
  expect(await hold.capture(10_000, hold.identity('capture/1'), false)).toMatchObject({
    snapshot: { status: 'succeeded' },
  });
});

test('with it the rest stays frozen until it is captured or released', async () => {
  const many = openAlipay(sandbox, { preAuth: true, multipleCaptures: true });
  const hold = await held('CNY', many);
  const first = await hold.capture(10_000, hold.identity('capture/1'), false);
  expect(first).toMatchObject({
    snapshot: { status: 'requires_capture', amountCaptured: 10_000, amountCapturable: 40_000 },
  });
  expect(await hold.read()).toEqual(snapshotOf(first));
  await hold.capture(20_000, hold.identity('capture/2'), false);
  expect(await hold.cancel(hold.identity('cancel/1'))).toMatchObject({
    kind: 'done',
    snapshot: { status: 'succeeded', amountCaptured: 30_000, amountCapturable: 0 },
  });
  expect(await hold.read()).toMatchObject({ status: 'succeeded', amountCaptured: 30_000 });
  expect((await control.books()).totals['CNY']).toMatchObject({ paid: 30_000, frozen: 0 });
  many.close();
});

test('what cannot be captured is refused', async () => {
  const open = await created();
  expect(await open.capture(AMOUNT, open.identity('capture/1'))).toMatchObject({ code: 'invalid_state' });
  await control.post('open-auth', open.order);
  expect(await open.capture(AMOUNT, open.identity('capture/1'))).toMatchObject({ code: 'invalid_state' });
  const hold = await held();
  expect(await hold.capture(AMOUNT + 1, hold.identity('capture/1'))).toMatchObject({
    code: 'invalid_amount',
  });
  expect(await hold.read()).toMatchObject({ status: 'requires_capture', amountCapturable: AMOUNT });
  const missing = { channelPreAuthNo: 'HFA0', amount: 1, currency: 'CNY', final: true };
  expect(await adapter.capturePreAuth(missing, hold.identity('capture/2'), exchange)).toMatchObject({
    code: 'object_not_found',
  });
  expect(await adapter.queryPreAuth('HFA0', exchange)).toBeUndefined();
});

test('cancel releases, and twice is once', async () => {
  const hold = await held();
  const first = await hold.cancel(hold.identity('cancel/1'));
  expect(first).toMatchObject({ kind: 'done', snapshot: { status: 'canceled', releaseCause: 'requested' } });
  expect(await hold.cancel(hold.identity('cancel/1'))).toEqual(first);
  expect(await hold.capture(AMOUNT, hold.identity('capture/1'))).toMatchObject({ code: 'invalid_state' });
  expect((await control.books()).totals['CNY']).toEqual({ paid: 0, refunded: 0, frozen: 0 });
});

test('cancel before the customer has confirmed, and after a capture', async () => {
  const open = await created();
  await control.post('open-auth', open.order);
  expect(snapshotOf(await open.cancel(open.identity('cancel/1'))).status).toBe('canceled');
  await expect(control.post('freeze', open.order)).rejects.toThrow('ORDER_ALREADY_CLOSED');
  const hold = await held();
  await hold.capture(AMOUNT, hold.identity('capture/1'));
  expect(await hold.cancel(hold.identity('cancel/1'))).toMatchObject({ code: 'invalid_state' });
});

test("Alipay's own deadline releases what is held", async () => {
  const hold = await held();
  await control.post('release-by-deadline', { out_order_no: readNumber(hold.id).outNo });
  expect(await hold.read()).toMatchObject({ status: 'canceled', amountCapturable: 0 });
});

test('a captured hold is refunded through the trades of its captures', async () => {
  const many = openAlipay(sandbox, { preAuth: true, multipleCaptures: true });
  const hold = await held('CNY', many);
  await hold.capture(10_000, hold.identity('capture/1'), false);
  // A second try that was refused leaves a gap in the numbers.
  await hold.capture(AMOUNT, hold.identity('capture/2'), false);
  await hold.capture(20_000, hold.identity('capture/3'));
  const target = { kind: 'pre_auth' as const, channelNo: hold.id, currency: 'CNY', amount: 30_000 };
  const refund = (refundNo: string, amount: number) => {
    const call = newIdentity(`refund/${refundNo}`)('refund/1');
    return many.createRefund({ refundNo, target, amount, currency: 'CNY' }, call, exchange);
  };
  expect((await refund('RF1', 20_000)).kind).toBe('done');
  expect((await refund('RF2', 10_000)).kind).toBe('done');
  expect((await refund('RF3', 1)).kind).toBe('declined');
  expect((await control.books()).totals['CNY']).toEqual({ paid: 30_000, refunded: 30_000, frozen: 0 });
  many.close();
});

test('a refund made by hand under one number for two captures is one refund, of both sums', async () => {
  const many = openAlipay(sandbox, { preAuth: true, multipleCaptures: true });
  const hold = await held('CNY', many);
  await hold.capture(10_000, hold.identity('capture/1'), false);
  await hold.capture(20_000, hold.identity('capture/2'));
  const target = { kind: 'pre_auth' as const, channelNo: hold.id, currency: 'CNY', amount: 30_000 };
  const channelRefundNo = 'BYHAND1';
  for (const [n, amount] of [7_000, 5_000].entries()) {
    const trade = `${readNumber(hold.id).outNo}_C${n + 1}`;
    const byHand = { out_trade_no: trade, out_request_no: channelRefundNo, amount };
    await control.post('refund-by-dashboard', byHand);
  }
  const listed = await many.listRefunds(target, exchange, [{ channelRefundNo }, { channelRefundNo: 'NONE' }]);
  expect(listed).toEqual([{ channelRefundNo, status: 'succeeded', currency: 'CNY', amount: 12_000 }]);
  many.close();
});

test('an answer that was lost is settled by the same call: captured once, released once', async () => {
  const hold = await held();
  await control.fault('trade.pay', 'unknown_after');
  await expect(hold.capture(32_000, hold.identity('capture/1'))).rejects.toMatchObject({
    execution: 'maybe_executed',
    reason: 'ACQ.SYSTEM_ERROR',
  });
  expect(await hold.capture(32_000, hold.identity('capture/1'))).toMatchObject({ kind: 'done' });
  const other = await held();
  await control.fault('fund.auth.order.unfreeze', 'reset_after');
  await expect(other.cancel(other.identity('cancel/1'))).rejects.toMatchObject({
    execution: 'maybe_executed',
  });
  expect(await other.cancel(other.identity('cancel/1'))).toMatchObject({ kind: 'done' });
  const { calls, totals } = await control.books();
  expect(totals['CNY']).toEqual({ paid: 32_000, refunded: 0, frozen: 0 });
  expect(calls.filter(({ operation, executed }) => operation === 'trade.pay' && executed)).toHaveLength(1);
});
