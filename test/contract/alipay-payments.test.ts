/** What is Alipay's own about payments: pages that nobody has opened yet, late customers, refunds read by number. */
import { startAlipaySandbox } from '../../dev/alipay-sandbox/server';
import type { AlipaySandbox } from '../../dev/alipay-sandbox/server';
import type { AlipayAdapter } from '../../src/channels/alipay/adapter';
import { numberOf, readNumber } from '../../src/channels/alipay/numbers';
import { ChannelFault } from '../../src/domain/channel';
import type { CallIdentity } from '../../src/domain/channel';
import { alipayControl, newIdentity, openAlipay, tradeInHand } from './alipay-harness';
import type { AlipayControl } from './alipay-harness';
import { paymentOf } from './channel-payment.harness';

let sandbox: AlipaySandbox;
let control: AlipayControl;
let adapter: AlipayAdapter;
/** Moves the adapter's clock, not the sandbox's. */
let skewSeconds = 0;

beforeAll(async () => {
  sandbox = await startAlipaySandbox({ currencies: ['USD'] });
  control = alipayControl(sandbox.url);
  adapter = openAlipay(sandbox, undefined, { nowSeconds: () => Date.now() / 1000 + skewSeconds });
});
beforeEach(async () => {
  skewSeconds = 0;
  await control.post('reset');
});
afterAll(async () => {
  adapter.close();
  await sandbox.stop();
});

const exchange = { timeoutMs: 5_000 };
const RETURN_URL = 'https://shop.example/thanks?order=1&x=ä';

async function createPage(call: CallIdentity, lifeSeconds = 1_800, amount = 40_000) {
  const expiresAtUnixSeconds = Math.floor(Date.now() / 1000) + lifeSeconds;
  const request = { paymentNo: 'PY1', orderNo: 'ORDER-1', amount, currency: 'CNY', returnUrl: RETURN_URL };
  const created = await adapter.createPayment({ ...request, expiresAtUnixSeconds }, call, exchange);
  const url = created.customer.nextAction?.type === 'redirect' ? created.customer.nextAction.url : '';
  return { id: paymentOf(created.answer).channelPaymentNo, url, hand: tradeInHand(created.customer) };
}
const cancel = (channelPaymentNo: string, call: CallIdentity) =>
  adapter.cancelPayment({ channelPaymentNo, currency: 'CNY' }, call, exchange);

describe('a page', () => {
  test('is signed here: nothing reaches Alipay before the customer does', async () => {
    const { id } = await createPage(newIdentity()('create/1'));
    const books = await control.books();
    expect([books.trades, books.calls]).toEqual([[], []]);
    expect(await adapter.queryPayment(id, exchange)).toMatchObject({
      status: 'requires_action',
      amount: 40_000,
      currency: 'CNY',
      amountPaid: 0,
    });
  });

  test('shows the customer the sum, takes the money, and leads back to the shop', async () => {
    const identity = newIdentity();
    const { id, url } = await createPage(identity('create/1'));
    const page = await (await fetch(url)).text();
    expect(page).toContain('400.00 CNY');
    const action = /action="([^"]+)"/.exec(page)?.[1] ?? '';
    const paid = await fetch(`${sandbox.url}${action}`, { method: 'POST', redirect: 'manual' });
    expect(paid.headers.get('location')).toBe(new URL(RETURN_URL).href);
    const snapshot = await adapter.queryPayment(id, exchange);
    expect(snapshot).toMatchObject({
      status: 'succeeded',
      amountPaid: 40_000,
      holdfastId: identity('create/1').holdfastId,
      holdfastCall: 'create/1',
    });
    expect(snapshot?.channelTradeNo).toMatch(/^\d{28}$/);
    const created = { fromUnixSeconds: 0, toUnixSeconds: Date.now() / 1000 };
    expect(await adapter.findPayments(identity('create/1'), created, exchange)).toEqual([
      { snapshot, customer: {} },
    ]);
  });

  test('signed twice for one call is one trade: only one of both can be paid', async () => {
    const call = newIdentity()('create/1');
    const [one, other] = [await createPage(call), await createPage(call, 1_800, 50_000)];
    await control.post('pay', one.hand);
    await expect(control.post('pay', other.hand)).rejects.toThrow('ACQ.CONTEXT_INCONSISTENT');
    expect((await control.books(call.holdfastId)).totals['CNY']).toMatchObject({ paid: 40_000 });
  });

  test('that was changed on its way to the customer is refused', async () => {
    const { url } = await createPage(newIdentity()('create/1'));
    const cheaper = url.replace('400.00', '4.00');
    expect(cheaper).not.toBe(url);
    await expect(control.post('pay', { url: cheaper })).rejects.toThrow('isv.invalid-signature');
  });
});

describe('cancel', () => {
  test('of a page nobody has opened is not said to be done: the customer can still pay', async () => {
    const identity = newIdentity();
    const { id, hand } = await createPage(identity('create/1'));
    expect(await cancel(id, identity('cancel/1'))).toMatchObject({
      kind: 'pending',
      snapshot: { status: 'requires_action' },
    });
    await control.post('pay', hand);
    expect(await cancel(id, identity('cancel/1'))).toMatchObject({ kind: 'declined', code: 'invalid_state' });
    expect(await adapter.queryPayment(id, exchange)).toMatchObject({
      status: 'succeeded',
      amountPaid: 40_000,
    });
  });

  test('succeeds as soon as it is open, and the page is dead then', async () => {
    const identity = newIdentity();
    const { id, hand } = await createPage(identity('create/1'));
    await control.post('open', hand);
    expect(await cancel(id, identity('cancel/1'))).toMatchObject({
      kind: 'done',
      snapshot: { status: 'canceled', closeCause: 'requested' },
    });
    await expect(control.post('pay', hand)).rejects.toThrow('ACQ.TRADE_HAS_CLOSE');
  });

  test('after its time is done, and Alipay lets nobody open the page any more', async () => {
    const identity = newIdentity();
    const { id, hand } = await createPage(identity('create/1'), 1);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await expect(control.post('pay', hand)).rejects.toThrow('NOW_TIME_AFTER_EXPIRE_TIME');
    expect((await cancel(id, identity('cancel/1'))).kind).toBe('pending');
    skewSeconds = 20;
    expect(await cancel(id, identity('cancel/1'))).toMatchObject({
      kind: 'done',
      snapshot: { status: 'canceled', closeCause: 'deadline', amountPaid: 0 },
    });
    expect(await adapter.queryPayment(id, exchange)).toMatchObject({ status: 'canceled' });
  });
});

describe('a QR code', () => {
  const request = { paymentNo: 'PY1', orderNo: 'ORDER-1', amount: 40_000, currency: 'CNY' };
  const inHalfAnHour = () => Math.floor(Date.now() / 1000) + 1_800;

  test('whose create is repeated after it was paid answers that it is paid', async () => {
    const call = newIdentity()('create/1');
    const full = { ...request, expiresAtUnixSeconds: inHalfAnHour() };
    const first = await adapter.createPayment(full, call, exchange);
    await control.post('pay', tradeInHand(first.customer));
    const again = await adapter.createPayment(full, call, exchange);
    expect(again).toMatchObject({
      answer: { kind: 'done', snapshot: { status: 'succeeded', amountPaid: 40_000 } },
    });
    // Also when its time is long over: the question is then asked by a read.
    skewSeconds = 7_200;
    expect(await adapter.createPayment(full, call, exchange)).toEqual(again);
    expect((await control.books(call.holdfastId)).trades).toHaveLength(1);
  });

  test('whose time is over before the first send is not made any more', async () => {
    const full = { ...request, expiresAtUnixSeconds: Math.floor(Date.now() / 1000) - 5 };
    const { answer } = await adapter.createPayment(full, newIdentity()('create/1'), exchange);
    expect(answer).toMatchObject({ kind: 'declined', providerCode: 'expired_before_create' });
    expect((await control.books()).trades).toEqual([]);
  });

  test('carries what the customer sees, without the characters Alipay refuses', async () => {
    const full = { ...request, expiresAtUnixSeconds: inHalfAnHour(), description: 'Tea/pot=1&2 茶壶' };
    const { answer } = await adapter.createPayment(full, newIdentity()('create/1'), exchange);
    expect(answer.kind).toBe('pending');
    expect((await control.books()).trades[0]?.subject).toBe('Tea pot 1 2 茶壶');
  });
});

describe('refunds', () => {
  async function paid() {
    const identity = newIdentity();
    const { id, hand } = await createPage(identity('create/1'));
    await control.post('pay', hand);
    const target = { kind: 'payment' as const, channelNo: id, currency: 'CNY', amount: 40_000 };
    const refund = (refundNo: string, amount: number) => {
      const call = newIdentity(`refund/${refundNo}`)('refund/1');
      return adapter.createRefund({ refundNo, target, amount, currency: 'CNY' }, call, exchange);
    };
    return { identity, id, target, refund };
  }

  test('are read by their numbers, and never from an empty list', async () => {
    const { id, target, refund } = await paid();
    expect(await refund('RF1', 10_000)).toMatchObject({ kind: 'done', snapshot: { refundNo: 'RF1' } });
    await expect(adapter.listRefunds(target, exchange)).rejects.toBeInstanceOf(ChannelFault);
    await control.post('refund-by-dashboard', { out_trade_no: readNumber(id).outNo, amount: 5_000 });
    const theirs = (await control.books()).trades[0]?.refunds[1]?.no ?? '';
    const unknown = { refundNo: 'RF9', holdfastId: 'refund/m/RF9', holdfastCall: 'refund/1' };
    expect(await adapter.listRefunds(target, exchange, [{ channelRefundNo: theirs }, unknown])).toEqual([
      { channelRefundNo: theirs, status: 'succeeded', currency: 'CNY', amount: 5_000 },
    ]);
  });

  test('are ours and one, also when known by their call and by the number that a notification names', async () => {
    const { id, target } = await paid();
    const call = newIdentity('refund/RF1')('refund/1');
    const request = { refundNo: 'RF1', target, amount: 10_000, currency: 'CNY' };
    await adapter.createRefund(request, call, exchange);
    const named = (await control.books()).trades.find(({ outTradeNo }) => id.startsWith(outTradeNo));
    const channelRefundNo = named?.refunds[0]?.no ?? '';
    const { holdfastId, holdfastCall } = call;
    const ours = { refundNo: 'RF1', holdfastId, holdfastCall };
    for (const known of [
      [ours, { channelRefundNo }],
      [{ channelRefundNo }, ours, ours],
    ])
      expect(await adapter.listRefunds(target, exchange, known)).toEqual([
        { ...ours, channelRefundNo, status: 'succeeded', currency: 'CNY', amount: 10_000 },
      ]);
  });

  test('are over when the trade is finished', async () => {
    const { id, refund } = await paid();
    await control.post('finish', { out_trade_no: readNumber(id).outNo });
    expect(await refund('RF1', 10_000)).toMatchObject({ kind: 'declined', code: 'invalid_state' });
    expect(await adapter.queryPayment(id, exchange)).toMatchObject({
      status: 'succeeded',
      amountPaid: 40_000,
    });
  });

  test('of everything show in the payment, which stays paid', async () => {
    const { id, refund } = await paid();
    await refund('RF1', 40_000);
    expect(await adapter.queryPayment(id, exchange)).toMatchObject({
      status: 'succeeded',
      amountPaid: 40_000,
      amountRefunded: 40_000,
    });
  });

  test('numbers differ by refund and are stable by call', () => {
    const call = newIdentity('refund')('refund/1');
    expect(numberOf('R', call)).toBe(numberOf('R', { ...call }));
  });
});
