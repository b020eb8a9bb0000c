/** Refunds made by hand in Alipay's dashboard, which lists none: they are known by the numbers that its notifications name. */
import { AlipayShop, outNoOf } from './alipay-client';
import { eventually } from './harness';
import type { PaymentView } from './payment-client';
import { RefundClient } from './refund-client';

const AMOUNT = 50_000;

let shop: AlipayShop;
let refunds: RefundClient;

beforeAll(async () => {
  shop = await AlipayShop.open();
  refunds = new RefundClient(shop.merchant, '');
});
afterAll(() => shop?.close());
afterEach(async () => {
  await shop.control('events-mode', { duplicate: false, pause: false });
  await shop.control('refund-query', { lags: false });
});

describe('a refund made by hand in the dashboard', () => {
  const objectOf = ({ payment_no: no }: PaymentView) => ({ kind: 'payment', no }) as const;

  const importedOf = (objectNo: string) =>
    shop.system.rows<{ channel_refund_no: string; amount: number; status: string }>(
      'SELECT channel_refund_no, amount, status FROM imported_refunds WHERE object_no = $1 ORDER BY created_at',
      [objectNo],
    );

  const sumsOf = async ({ payment_no: no }: PaymentView) =>
    (
      await shop.system.rows<{ refund_reserved: number; refunded_external: number }>(
        'SELECT refund_reserved, refunded_external FROM payments WHERE payment_no = $1',
        [no],
      )
    )[0];

  const tradeOf = async (channelNo: string | null) => {
    const trade = (await shop.books()).trades.find(({ outTradeNo }) => outTradeNo === outNoOf(channelNo));
    if (trade === undefined) throw new Error(`Alipay has no trade ${channelNo ?? ''}`);
    return trade;
  };

  const eventsOf = (refundNo: string | undefined) =>
    shop.system.rows<{ state: string; attempts: number }>(
      'SELECT state, attempts FROM channel_events WHERE channel_refund_no = $1',
      [refundNo],
    );

  const triedAndWaiting = async (refundNo: string | undefined) => {
    const [event] = await eventually(
      'its event was looked at',
      () => eventsOf(refundNo),
      ([one]) => (one?.attempts ?? 0) > 0 || one?.state === 'processed',
      30_000,
    );
    expect(event?.state).toBe('stored');
  };

  const givenUpOf = ({ payment_no: no }: PaymentView) =>
    shop.system.rows(
      `SELECT data FROM payment_events WHERE object_no = $1 AND type = 'channel.event_given_up'`,
      [no],
    );

  it('in part: imported once, also when told twice, and nobody can give back more than the rest', async () => {
    const payment = await shop.paid();
    const no = payment.channel_payment_no ?? '';
    await shop.control('events-mode', { duplicate: true });
    await shop.refundByHand(outNoOf(no), 12_000);
    await shop.processed(no, 2);
    const { tradeNo, refunds: given } = await tradeOf(no);
    const [refund] = given;
    const told = {
      gmt_refund: '2026-01-01 00:00:00.000',
      out_biz_no: refund?.no ?? '',
      refund_fee: '120.00',
    };
    // Another notification of the same refund, not merely the same one again, and without the words we sent with the trade.
    await shop.notify({
      ...{ out_trade_no: outNoOf(no), trade_no: tradeNo },
      ...{ trade_status: 'TRADE_SUCCESS', ...told },
    });
    await eventually(
      'the second notification is processed',
      () =>
        shop.system.rows<{ state: string }>('SELECT state FROM channel_events WHERE channel_refund_no = $1', [
          refund?.no,
        ]),
      (rows) => rows.filter(({ state }) => state === 'processed').length === 2,
    );
    const imported = { channel_refund_no: refund?.no, amount: 12_000, status: 'success' };
    expect(await importedOf(payment.payment_no)).toEqual([imported]);
    expect(await sumsOf(payment)).toEqual({ refund_reserved: 0, refunded_external: 12_000 });
    const tooMuch = await refunds.refund(objectOf(payment), { amount: 38_001 });
    expect(tooMuch).toMatchObject({ status: 422, code: 'REFUND_EXCEEDS_PAID' });
    expect(await refunds.refund(objectOf(payment))).toMatchObject({ status: 201, data: { amount: 38_000 } });
    expect((await tradeOf(no)).refunded).toBe(AMOUNT);
    expect(await sumsOf(payment)).toEqual({ refund_reserved: 38_000, refunded_external: 12_000 });
  });

  it('in full: the order can be paid again', async () => {
    const payment = await shop.paid();
    await shop.refundByHand(outNoOf(payment.channel_payment_no));
    await eventually(
      'it is imported',
      () => sumsOf(payment),
      (sums) => sums?.refunded_external === AMOUNT,
    );
    expect(await refunds.refund(objectOf(payment), { amount: 1 })).toMatchObject({ status: 422 });
    const again = { channel: 'alipay', currency: 'CNY', order_no: payment.order_no };
    expect((await shop.payments.open(again)).status).toBe('requires_action');
    expect((await shop.payments.get(payment.payment_no)).data.status).toBe('success');
  });

  it('twice: both are known, and their sum', async () => {
    const payment = await shop.paid();
    for (const amount of [1_000, 2_000]) await shop.refundByHand(outNoOf(payment.channel_payment_no), amount);
    await eventually(
      'both are imported',
      () => sumsOf(payment),
      (sums) => sums?.refunded_external === 3_000,
    );
    expect((await importedOf(payment.payment_no)).map(({ amount }) => amount).sort()).toEqual([1_000, 2_000]);
  });

  it('of a captured hold', async () => {
    const hold = await shop.openHold();
    await shop.freeze(hold);
    await shop.merchant.waitFor(hold.pre_auth_no, 'requires_capture');
    expect((await shop.merchant.capture(hold.pre_auth_no, { amount: 32_000 })).status).toBe(200);
    await shop.refundByHand(`${outNoOf(hold.channel_pre_auth_no)}_C1`, 7_000);
    await eventually(
      'it is imported',
      () => importedOf(hold.pre_auth_no),
      (rows) => rows.length === 1,
    );
    const object = { kind: 'pre_auth', no: hold.pre_auth_no } as const;
    expect(await refunds.refund(object)).toMatchObject({ status: 201, data: { amount: 25_000 } });
  });

  it('is none of ours, whichever of answer and notification is first', async () => {
    const payment = await shop.paid();
    const no = payment.channel_payment_no ?? '';
    await shop.control('faults', {
      match: { operation: 'trade.refund', number: outNoOf(no) },
      fault: 'timeout_after',
    });
    const [lost, plain] = await Promise.all(
      [10_000, 5_000].map((amount) => refunds.refund(objectOf(payment), refunds.numbered({ amount }))),
    );
    for (const reply of [lost, plain]) await refunds.waitFor(reply?.data.refund_no ?? '', 'success');
    await shop.processed(no, 3);
    expect(await importedOf(payment.payment_no)).toEqual([]);
    expect(await sumsOf(payment)).toEqual({ refund_reserved: 15_000, refunded_external: 0 });
    expect((await tradeOf(no)).refunded).toBe(15_000);
  });

  it('is asked of Alipay: what a notification says of amounts is not believed', async () => {
    const payment = await shop.paid();
    const no = payment.channel_payment_no ?? '';
    await shop.control('events-mode', { pause: true });
    await shop.refundByHand(outNoOf(no), 700);
    const [refund] = (await tradeOf(no)).refunds;
    const wrong = { out_trade_no: outNoOf(no), trade_status: 'TRADE_CLOSED', refund_fee: '500.00' };
    const identity = `holdfast_no=${encodeURIComponent(no)}`;
    for (const outBizNo of ['2026000000000000', refund?.no ?? ''])
      await shop.notify({
        ...wrong,
        ...{ gmt_refund: '2026-01-01 00:00:00.000', out_biz_no: outBizNo, passback_params: identity },
      });
    const imported = { channel_refund_no: refund?.no, amount: 700, status: 'success' };
    await eventually(
      'what there is is imported',
      () => importedOf(payment.payment_no),
      (rows) => rows.length > 0,
    );
    // What Alipay does not show may be shown later: that is asked again.
    await triedAndWaiting('2026000000000000');
    expect(await eventsOf(refund?.no)).toMatchObject([{ state: 'processed' }]);
    expect(await importedOf(payment.payment_no)).toEqual([imported]);
    expect(await sumsOf(payment)).toEqual({ refund_reserved: 0, refunded_external: 700 });
  });

  it('is imported once Alipay shows it, when it is told of before', async () => {
    const payment = await shop.paid();
    await shop.control('refund-query', { lags: true });
    await shop.refundByHand(outNoOf(payment.channel_payment_no), 9_000);
    const [refund] = (await tradeOf(payment.channel_payment_no)).refunds;
    await triedAndWaiting(refund?.no);
    expect(await importedOf(payment.payment_no)).toEqual([]);
    await shop.control('refund-query', { lags: false });
    await eventually(
      'it is imported',
      () => sumsOf(payment),
      (sums) => sums?.refunded_external === 9_000,
      30_000,
    );
    expect(await eventsOf(refund?.no)).toMatchObject([{ state: 'processed' }]);
    expect(await givenUpOf(payment)).toEqual([]);
  });

  it('is left to an operator, when Alipay does not show it for days', async () => {
    const payment = await shop.paid();
    await shop.control('refund-query', { lags: true });
    await shop.refundByHand(outNoOf(payment.channel_payment_no), 9_000);
    const [refund] = (await tradeOf(payment.channel_payment_no)).refunds;
    await triedAndWaiting(refund?.no);
    expect(await givenUpOf(payment)).toEqual([]);
    await shop.system.db.query(
      `UPDATE channel_events SET received_at = received_at - interval '4 days', next_attempt_at = now() WHERE channel_refund_no = $1`,
      [refund?.no],
    );
    await eventually(
      'it is given up',
      () => eventsOf(refund?.no),
      ([event]) => event?.state === 'unmatched',
      30_000,
    );
    const reason = 'maybe_executed: refund_not_shown_yet';
    expect(await givenUpOf(payment)).toMatchObject([{ data: { channel_refund_no: refund?.no, reason } }]);
  });
});
