import type { PaymentSnapshot } from '../../src/domain/channel-payment';
import {
  applyPaymentAttentionMet,
  applyPaymentDecline,
  applyPaymentRefused,
  applyPaymentSnapshot,
  lateMoneyOf,
} from '../../src/domain/payment';
import type { PaymentCause } from '../../src/domain/payment';
import { payment, paymentSnapshot, PAYMENT_AMOUNT } from './payments';

const fresh = () => payment({ status: 'pending', channelPaymentNo: null, handedOut: false });
const partly = { amountPaid: 20_000, irregular: 'partial' } as const;

const TABLE: readonly (readonly [
  what: string,
  snapshot: PaymentSnapshot,
  cause: PaymentCause,
  status: string | null,
  event: string | null,
])[] = [
  ['the customer may pay', paymentSnapshot('requires_action'), 'create', 'requires_action', null],
  ['the bank is at work', paymentSnapshot('processing'), 'channel', 'processing', null],
  ['paid', paymentSnapshot('succeeded'), 'channel', 'success', 'payment.success'],
  ['paid at once', paymentSnapshot('succeeded'), 'create', 'success', 'payment.success'],
  ['paid before the cancel', paymentSnapshot('succeeded'), 'cancel', 'success', 'payment.success'],
  ['paid before the expiry', paymentSnapshot('succeeded'), 'expiry', 'success', 'payment.success'],
  ['paid too much', paymentSnapshot('succeeded', { amountPaid: 60_000 }), 'channel', 'success', 'payment.success'],
  ['ended without money', paymentSnapshot('failed'), 'channel', 'failed', 'payment.failed'],
  ['cancelled by us', paymentSnapshot('canceled'), 'cancel', 'cancelled', 'payment.cancelled'],
  ['closed at its end', paymentSnapshot('canceled'), 'expiry', 'expired', 'payment.expired'],
  ['closed by the channel at its deadline', paymentSnapshot('canceled', { closeCause: 'deadline' }), 'channel', 'expired', 'payment.expired'],
  ['closed in the dashboard', paymentSnapshot('canceled', { closeCause: 'dashboard' }), 'channel', 'cancelled', 'payment.cancelled'],
  ['too little, and open', paymentSnapshot('requires_action', partly), 'channel', 'requires_action', null],
  ['too little, and the channel is content', paymentSnapshot('succeeded', partly), 'channel', 'requires_action', null],
  ['too little at its end', paymentSnapshot('succeeded', partly), 'expiry', 'expired', 'payment.expired'],
  ['nobody knows', paymentSnapshot('unknown'), 'channel', null, null],
]; // prettier-ignore

it.each(TABLE)('%s', (_what, snapshot, cause, status, event) => {
  const transition = applyPaymentSnapshot(fresh(), snapshot, cause);
  expect(transition?.next.status ?? null).toBe(status);
  expect(transition?.events.map(({ type }) => type) ?? []).toEqual(event === null ? [] : [event]);
  if (transition === null) return;
  const { next } = transition;
  expect(next).toMatchObject({ channelPaymentNo: 'pi_1', handedOut: true, version: 4 });
  expect(next.amountPaid).toBe(status === 'success' ? PAYMENT_AMOUNT : 0);
});

it('says nothing new twice, and tells of a decline', () => {
  const open = payment();
  expect(applyPaymentSnapshot(open, paymentSnapshot('requires_action'), 'channel')).toBeNull();
  const lastDecline = { code: 'card_declined', providerCode: 'generic_decline' } as const;
  const declined = applyPaymentSnapshot(open, paymentSnapshot('requires_action', { lastDecline }), 'channel');
  expect(declined).toMatchObject({
    next: { status: 'requires_action', declineCode: 'card_declined' },
    events: [],
  });
  if (declined === null) throw new Error('no transition');
  expect(
    applyPaymentSnapshot(declined.next, paymentSnapshot('succeeded'), 'channel')?.next.declineCode,
  ).toBeNull();
});

it.each(['success', 'failed', 'cancelled', 'expired'] as const)('never changes again: %s', (status) => {
  const closed = payment({ status, amountPaid: status === 'success' ? PAYMENT_AMOUNT : 0 });
  for (const [, snapshot, cause] of TABLE) expect(applyPaymentSnapshot(closed, snapshot, cause)).toBeNull();
  expect(applyPaymentDecline(closed, 'cancel', 'processing_error')).toBeNull();
  expect(applyPaymentRefused(closed, 'card_declined')).toBeNull();
});

it('fails when the create was refused, but not once there is an object', () => {
  expect(applyPaymentRefused(fresh(), 'account_invalid')).toMatchObject({
    next: { status: 'failed', declineCode: 'account_invalid', handedOut: false },
    events: [{ type: 'payment.failed', extra: { decline_code: 'account_invalid' } }],
  });
  expect(applyPaymentRefused(payment(), 'account_invalid')).toBeNull();
});

it('stays open after a refused completion, and asks for help after a refused cancel', () => {
  expect(applyPaymentDecline(payment(), 'capture', 'card_declined')?.next).toMatchObject({
    status: 'requires_action',
    declineCode: 'card_declined',
    needsAttention: null,
  });
  const stuck = applyPaymentDecline(payment(), 'cancel', 'processing_error')?.next;
  expect(stuck?.needsAttention).toMatch(/refuses to cancel/);
  if (stuck === undefined) throw new Error('no transition');
  expect(applyPaymentAttentionMet(stuck)?.next.needsAttention).toBeNull();
  expect(applyPaymentAttentionMet(payment())).toBeNull();
});

it.each([
  ['an open payment', payment(), paymentSnapshot('requires_action', partly), null],
  ['nothing', payment({ status: 'expired' }), paymentSnapshot('canceled'), null],
  ['all of it, late', payment({ status: 'expired' }), paymentSnapshot('succeeded'), { kind: 'late', amount: PAYMENT_AMOUNT }],
  ['after a cancel', payment({ status: 'cancelled' }), paymentSnapshot('succeeded'), { kind: 'late', amount: PAYMENT_AMOUNT }],
  ['too little', payment({ status: 'expired' }), paymentSnapshot('canceled', partly), { kind: 'partial', amount: 20_000 }],
  ['too much, late', payment({ status: 'failed' }), paymentSnapshot('succeeded', { amountPaid: 60_000 }), { kind: 'late', amount: 60_000 }],
  ['what was asked for', payment({ status: 'success', amountPaid: PAYMENT_AMOUNT }), paymentSnapshot('succeeded'), null],
  ['too much', payment({ status: 'success', amountPaid: PAYMENT_AMOUNT }), paymentSnapshot('succeeded', { amountPaid: 60_000 }), { kind: 'over', amount: 10_000 }],
])('sees late money: %s', (_what, state, snapshot, expected) => {
  expect(lateMoneyOf(state, snapshot)).toEqual(expected);
}); // prettier-ignore
