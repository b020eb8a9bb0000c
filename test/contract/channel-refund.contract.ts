/** The part of the contract about giving money back, and about others who take it back: see channel-payment.contract.ts. */
import { ChannelFault } from '../../src/domain/channel';
import { faultOf, refundOf } from './channel-payment.harness';
import type { PaidPayment, PaymentSuite } from './channel-payment.harness';

export function describeRefunds(suite: PaymentSuite): void {
  describeMade(suite);
  describeRefused(suite);
  describeOutside(suite);
}

/** A refund of this channel is not at its end when it is made. */
const isAsync = ({ has }: PaymentSuite) => has.asyncRefunds || has.claimLinks;

function describeMade(suite: PaymentSuite): void {
  test('a part is given back, and carries our number and identity', async () => {
    const paid = await suite.paid();
    const part = suite.money.amount / 4;
    const answer = await suite.refund(paid, 'RF1', part);
    expect(answer.kind).toBe(isAsync(suite) ? 'pending' : 'done');
    const snapshot = refundOf(answer);
    const { currency } = suite.money;
    expect(snapshot).toMatchObject({
      status: isAsync(suite) ? 'pending' : 'succeeded',
      amount: part,
      currency,
    });
    expect(snapshot.channelRefundNo).toMatch(/.+/);
    expect(snapshot).toMatchObject(ours(paid, 'RF1'));
    if (suite.has.claimLinks) expect(snapshot.claimUrl).toMatch(/^https?:/);
    if (isAsync(suite)) await suite.harness.settleRefund?.(snapshot.channelRefundNo, 'succeeded');
    const listed = await suite.listRefunds(paid);
    if (suite.has.listsRefunds) expect(listed).toHaveLength(1);
    const { channelRefundNo } = snapshot;
    if (listed.length > 0)
      expect(listed[0]).toMatchObject({ channelRefundNo, status: 'succeeded', amount: part });
    if (suite.has.showsRefunded) expect((await suite.query(paid.id))?.amountRefunded).toBe(part);
    expect((await suite.query(paid.id))?.amountPaid).toBe(suite.money.amount);
  });

  test('several parts up to the whole, and not a unit more', async () => {
    const paid = await suite.paid();
    const { amount } = suite.money;
    await suite.refunded(paid, 'RF1', amount / 4);
    await suite.refunded(paid, 'RF2', amount / 4);
    // Half is left: what does not fit is declined, and takes nothing of it away.
    expect((await suite.refund(paid, 'RF3', amount * 0.75)).kind).toBe('declined');
    await suite.refunded(paid, 'RF4', amount / 2);
    expect((await suite.refund(paid, 'RF5', amount / 4)).kind).toBe('declined');
    if (suite.has.showsRefunded) expect((await suite.query(paid.id))?.amountRefunded).toBe(amount);
    if (!suite.has.listsRefunds) return;
    const listed = await suite.listRefunds(paid);
    expect(listed.map(({ refundNo }) => refundNo).sort()).toEqual(['RF1', 'RF2', 'RF4']);
    for (const refund of listed) expect(refund).toMatchObject(ours(paid, refund.refundNo ?? ''));
    expect(sum(listed)).toBe(amount);
  });

  test('currencies of other exponents go back to the unit', async () => {
    for (const money of suite.harness.otherMoney) {
      const paid = await suite.paid(money);
      const refund = await suite.refunded(paid, 'RF1', money.amount);
      expect(refund).toMatchObject(money);
    }
  });
}

function describeRefused(suite: PaymentSuite): void {
  test('more than was paid is declined at once', async () => {
    const paid = await suite.paid();
    expect((await suite.refund(paid, 'RF1', suite.money.amount + 400)).kind).toBe('declined');
    expect(await suite.listRefunds(paid)).toEqual([]);
  });

  test('the same key twice is one refund; with another amount it proves nothing', async () => {
    const paid = await suite.paid();
    const part = suite.money.amount / 4;
    const first = refundOf(await suite.refund(paid, 'RF1', part));
    expect(refundOf(await suite.refund(paid, 'RF1', part)).channelRefundNo).toBe(first.channelRefundNo);
    const other = await faultOf(suite.refund(paid, 'RF1', part * 2));
    expect(other).toBeInstanceOf(ChannelFault);
    expect(other).toMatchObject({ execution: 'maybe_executed', storedAnswer: false });
    if (suite.has.listsRefunds) expect(sum(await suite.listRefunds(paid))).toBe(part);
    // All but that part is still there: nothing more was given back.
    expect((await suite.refund(paid, 'RF2', suite.money.amount - part)).kind).not.toBe('declined');
  });

  test('what nobody has paid cannot be refunded, nor what does not exist', async () => {
    const { id, identity } = await suite.created();
    for (const channelNo of [id, suite.harness.missingId]) {
      const target = { kind: 'payment' as const, channelNo, ...suite.money };
      const request = { refundNo: 'RF1', target, ...suite.money };
      const call = identity(`refund/${channelNo}`);
      const answer = await suite.harness.adapter.createRefund(request, call, suite.exchange);
      expect({ channelNo, kind: answer.kind }).toEqual({ channelNo, kind: 'declined' });
    }
  });

  test('bad credentials: the refund is declined, the list is a fault and never empty', async () => {
    const paid = await suite.paid();
    const { withBadCredentials: bad } = suite.harness;
    const request = { refundNo: 'RF1', target: paid.target, ...suite.money };
    const answer = await bad.createRefund(request, paid.identity('refund/RF1'), suite.exchange);
    expect(answer).toMatchObject({ kind: 'declined', code: 'account_invalid' });
    if (!suite.has.listsRefunds) return;
    await expect(bad.listRefunds(paid.target, suite.exchange)).rejects.toBeInstanceOf(ChannelFault);
  });
}

function describeOutside(suite: PaymentSuite): void {
  test('a refund made by hand is in the list without a number of ours, and counts', async () => {
    const { makeDashboardRefund } = suite.harness;
    if (makeDashboardRefund === undefined) return;
    const paid = await suite.paid();
    const { amount, currency } = suite.money;
    await makeDashboardRefund(paid.snapshot, { amount: amount / 2, currency });
    await suite.refunded(paid, 'RF1', amount / 4);
    if (suite.has.showsRefunded) expect((await suite.query(paid.id))?.amountRefunded).toBe(amount * 0.75);
    expect((await suite.refund(paid, 'RF2', amount / 2)).kind).toBe('declined');
    if (!suite.has.listsRefunds) return;
    const listed = await suite.listRefunds(paid);
    expect(listed.map((refund) => [refund.refundNo, refund.amount]).sort()).toEqual(
      [
        ['RF1', amount / 4],
        [undefined, amount / 2],
      ].sort(),
    );
    const theirs = listed.find(({ refundNo }) => refundNo === undefined);
    expect(theirs).not.toHaveProperty('holdfastCall');
  });

  test('a refund that fails in the end gives its amount free again', async () => {
    const { settleRefund } = suite.harness;
    if (settleRefund === undefined || !isAsync(suite)) return;
    const paid = await suite.paid();
    const { channelRefundNo } = refundOf(await suite.refund(paid, 'RF1', suite.money.amount));
    await settleRefund(channelRefundNo, 'failed');
    if (suite.has.listsRefunds)
      expect(await suite.listRefunds(paid)).toMatchObject([
        { refundNo: 'RF1', channelRefundNo, status: 'failed' },
      ]);
    expect((await suite.refund(paid, 'RF2', suite.money.amount)).kind).not.toBe('declined');
  });
}

function ours({ identity }: PaidPayment, refundNo: string) {
  const { holdfastId, holdfastCall } = identity(`refund/${refundNo}`);
  return { refundNo, holdfastId, holdfastCall };
}

function sum(refunds: readonly { readonly amount: number }[]): number {
  return refunds.reduce((total, { amount }) => total + amount, 0);
}

export function describeDisputes(suite: PaymentSuite): void {
  test('a payment that nobody disputes has no disputes', async () => {
    const { target } = await suite.paid();
    expect(await suite.harness.adapter.listDisputes(target, suite.exchange)).toEqual([]);
  });

  test.each(['won', 'lost'] as const)('a dispute is open, and then %s', async (outcome) => {
    const { openDispute, closeDispute } = suite.harness;
    if (openDispute === undefined || closeDispute === undefined) return;
    const { snapshot, target, id } = await suite.paid();
    await openDispute(snapshot);
    const list = () => suite.harness.adapter.listDisputes(target, suite.exchange);
    const [opened, ...others] = await list();
    expect(others).toEqual([]);
    expect(opened).toMatchObject({ status: 'open', channelNo: id, ...suite.money });
    expect(opened?.reason).toMatch(/^[\w.-]+$/);
    await closeDispute(snapshot, outcome);
    const { channelDisputeNo } = opened ?? {};
    expect(await list()).toMatchObject([{ channelDisputeNo, status: outcome, channelNo: id }]);
  });
}
