import fc from 'fast-check';
import { CHANNEL_HOLD_STATUSES } from '../../src/domain/channel';
import { CHANNEL_PAYMENT_STATUSES } from '../../src/domain/channel-payment';
import type { RefundSnapshot } from '../../src/domain/channel-payment';
import { applySnapshot, isClosed, PRE_AUTH_STATUSES } from '../../src/domain/pre-auth';
import { isPaymentClosed, PAYMENT_STATUSES } from '../../src/domain/payment';
import { compareHold, comparePayment, compareRefund, showsLateMoney } from '../../src/domain/reconcile';
import type { ComparedRefund, Verdict } from '../../src/domain/reconcile';
import { AMOUNT, hold, snapshot } from './holds';
import { payment, paymentSnapshot } from './payments';
import type { Payment } from '../../src/domain/payment';

const ALONE = { lateMoney: 0, refunded: 0 };
const paid = (status: Payment['status']) =>
  payment({ status, amountPaid: status === 'success' ? AMOUNT : 0 });
const fields = (verdict: Verdict) =>
  verdict.kind === 'differs' ? verdict.differences.map(({ field }) => field) : verdict.kind;

describe('holds', () => {
  it.each([
    ['requires_capture', 'requires_capture', 0],
    ['succeeded', 'succeeded', AMOUNT],
    ['succeeded', 'succeeded', 20_000],
    ['succeeded', 'canceled', 20_000],
    ['canceled', 'canceled', 0],
    ['expired', 'canceled', 0],
  ] as const)('%s is the same as %s with %i captured', (ours, theirs, captured) => {
    const row = hold(ours, { amountCaptured: captured });
    expect(compareHold(row, snapshot(theirs, captured), ALONE)).toEqual({ kind: 'same' });
  });

  it.each([
    ['succeeded', snapshot('succeeded', 20_000), ['amount_captured']],
    ['succeeded', snapshot('requires_capture'), ['status', 'amount_capturable', 'amount_captured']],
    ['canceled', snapshot('requires_capture'), ['status', 'amount_capturable']],
    ['canceled', snapshot('succeeded', AMOUNT), ['status', 'amount_captured']],
    ['expired', snapshot('canceled', 0, { amount: 1, currency: 'EUR' }), ['currency', 'amount']],
    ['succeeded', undefined, ['object']],
    ['requires_capture', undefined, ['object']],
    // What reading again cannot mend: the channel says less than we know.
    ['partially_captured', snapshot('requires_capture', 10_000), ['amount_captured']],
  ] as const)('%s differs: %j', (ours, theirs, expected) => {
    const row = hold(ours, ours === 'succeeded' ? { amountCaptured: AMOUNT } : {});
    expect(fields(compareHold(row, theirs, ALONE))).toEqual(expected);
  });

  it('accepts money that is written down as late', () => {
    const seen = snapshot('succeeded', AMOUNT);
    expect(compareHold(hold('canceled'), seen, { ...ALONE, lateMoney: AMOUNT })).toEqual({ kind: 'same' });
    expect(fields(compareHold(hold('canceled'), seen, { ...ALONE, lateMoney: 1 }))).toEqual([
      'amount_captured',
    ]);
  });

  it('misses refunds it knows nothing of', () => {
    const row = hold('succeeded', { amountCaptured: AMOUNT });
    const seen = snapshot('succeeded', AMOUNT);
    expect(fields(compareHold(row, seen, ALONE, 500))).toEqual(['amount_refunded']);
    expect(compareHold(row, seen, { ...ALONE, refunded: 500 }, 500)).toEqual({ kind: 'same' });
  });

  it('says which side says what', () => {
    const row = hold('succeeded', { amountCaptured: AMOUNT });
    expect(compareHold(row, snapshot('succeeded', 20_000), ALONE)).toEqual({
      kind: 'differs',
      differences: [{ field: 'amount_captured', ours: '50000', theirs: '20000' }],
    });
  });

  it('leaves alone what nobody has paid and the channel does not know', () => {
    expect(compareHold(hold('canceled'), undefined, ALONE)).toEqual({ kind: 'same' });
    expect(compareHold(hold('requires_payment_method'), undefined, ALONE)).toEqual({ kind: 'same' });
  });

  it('reads a live one again exactly when its workflow would take something over', () => {
    const ours = fc.constantFrom(...PRE_AUTH_STATUSES);
    const theirs = fc.constantFrom(...CHANNEL_HOLD_STATUSES);
    fc.assert(
      fc.property(ours, theirs, fc.integer({ min: 0, max: AMOUNT }), (status, seen, captured) => {
        const row = hold(status);
        const now = snapshot(seen, captured);
        const verdict = compareHold(row, now, ALONE);
        const wouldChange = !isClosed(status) && applySnapshot(row, now, 'channel') !== null;
        if (seen === 'unknown') expect(verdict.kind).toBe('unclear');
        else expect(verdict.kind === 'read_again').toBe(wouldChange);
      }),
    );
  });
});

describe('late money', () => {
  const shows = (kind: 'payment' | 'pre_auth', verdict: Verdict) =>
    verdict.kind === 'differs' && showsLateMoney(kind, verdict.differences);

  it('is what a closed payment was paid and does not know of', () => {
    const of = (status: Payment['status'], amountPaid: number, lateMoney = 0) =>
      shows(
        'payment',
        comparePayment(paid(status), paymentSnapshot('succeeded', { amountPaid }), { ...ALONE, lateMoney }),
      );
    expect(of('expired', AMOUNT)).toBe(true);
    expect(of('success', AMOUNT + 5)).toBe(true);
    expect(of('success', AMOUNT - 5)).toBe(false);
    expect(of('expired', AMOUNT, AMOUNT)).toBe(false);
  });

  it('is what is held for a closed hold, not what was captured of it', () => {
    const of = (theirs: 'requires_capture' | 'succeeded', captured = 0) =>
      shows('pre_auth', compareHold(hold('canceled'), snapshot(theirs, captured), ALONE));
    expect(of('requires_capture')).toBe(true);
    expect(of('succeeded', AMOUNT)).toBe(false);
  });
});

describe('payments', () => {
  it.each([
    ['success', 'succeeded', AMOUNT, ALONE, 'same'],
    ['expired', 'canceled', 0, ALONE, 'same'],
    ['cancelled', 'canceled', 0, ALONE, 'same'],
    ['expired', 'succeeded', AMOUNT, { ...ALONE, lateMoney: AMOUNT }, 'same'],
    ['expired', 'succeeded', AMOUNT, ALONE, ['status', 'amount_paid']],
    ['cancelled', 'requires_action', 0, ALONE, ['status']],
    ['success', 'succeeded', AMOUNT + 5, ALONE, ['amount_paid']],
    ['success', 'succeeded', AMOUNT + 5, { ...ALONE, lateMoney: 5 }, 'same'],
    ['success', 'canceled', 0, ALONE, ['status', 'amount_paid']],
    ['requires_action', 'succeeded', AMOUNT, ALONE, 'read_again'],
    ['requires_action', 'canceled', 0, ALONE, 'read_again'],
    ['requires_action', 'requires_action', 0, ALONE, 'same'],
    ['success', 'unknown', AMOUNT, ALONE, 'unclear'],
  ] as const)('%s and %s with %i', (ours, theirs, amountPaid, beside, expected) => {
    const row = paid(ours);
    expect(fields(comparePayment(row, paymentSnapshot(theirs, { amountPaid }), beside))).toEqual(expected);
  });

  it('misses refunds it knows nothing of, and only those', () => {
    const row = paid('success');
    const seen = (amountRefunded: number) =>
      paymentSnapshot('succeeded', { amountPaid: AMOUNT, amountRefunded });
    expect(fields(comparePayment(row, seen(500), ALONE))).toEqual(['amount_refunded']);
    expect(fields(comparePayment(row, seen(500), { ...ALONE, refunded: 500 }))).toBe('same');
    expect(fields(comparePayment(row, seen(0), { ...ALONE, refunded: 500 }))).toBe('same');
  });

  it('never tells a closed one to read again', () => {
    const ours = fc.constantFrom(...PAYMENT_STATUSES.filter(isPaymentClosed));
    const theirs = fc.constantFrom(...CHANNEL_PAYMENT_STATUSES);
    fc.assert(
      fc.property(ours, theirs, fc.nat(2 * AMOUNT), (status, seen, amountPaid) => {
        const now = paymentSnapshot(seen, { amountPaid });
        expect(comparePayment(paid(status), now, ALONE).kind).not.toBe('read_again');
      }),
    );
  });
});

describe('refunds', () => {
  const refund = (
    status: ComparedRefund['status'],
    channelRefundNo: string | null = 're_1',
  ): ComparedRefund => ({
    ...{ status, channelRefundNo },
    ...{ currency: 'USD', amount: 700 },
  });
  const seen = (status: RefundSnapshot['status'], amount = 700): RefundSnapshot => ({
    ...{ channelRefundNo: 're_1', status },
    ...{ currency: 'USD', amount },
  });

  it.each([
    [refund('success'), seen('succeeded'), 'same'],
    [refund('failed'), seen('failed'), 'same'],
    [refund('failed', null), undefined, 'same'],
    [refund('pending'), seen('pending'), 'same'],
    [refund('pending', null), undefined, 'same'],
    [refund('pending'), seen('succeeded'), 'read_again'],
    [refund('pending'), seen('failed'), 'read_again'],
    [refund('pending', null), seen('pending'), 'read_again'],
    [refund('pending'), undefined, ['object']],
    [refund('success'), undefined, ['object']],
    [refund('success'), seen('failed'), ['status']],
    [refund('success'), seen('pending'), ['status']],
    [refund('failed'), seen('succeeded'), ['status']],
    [refund('success'), seen('succeeded', 600), ['amount']],
    [refund('pending'), seen('unknown'), 'unclear'],
  ] as const)('%j and %j', (ours, theirs, expected) => {
    expect(fields(compareRefund(ours, theirs))).toEqual(expected);
  });
});
