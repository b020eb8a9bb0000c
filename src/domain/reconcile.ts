/**
 * Reconciliation: what differs between a row and what its channel shows. A live row that a second reading would bring in
 * line is certain, and its workflow is told to read again; everything else is a discrepancy, for people to look at.
 */
import type { ChannelHoldStatus, HoldSnapshot } from './channel';
import type { ChannelPaymentStatus, PaymentSnapshot, RefundSnapshot } from './channel-payment';
import { applyPaymentSnapshot, isPaymentClosed } from './payment';
import type { Payment } from './payment';
import { applySnapshot, isClosed, isHeld } from './pre-auth';
import type { Hold, PreAuthStatus } from './pre-auth';
import { isRefundClosed } from './refund';
import type { Refund } from './refund';

export interface Difference {
  /** `object`: the channel does not know it. */
  readonly field:
    | 'object'
    | 'status'
    | 'currency'
    | 'amount'
    | 'amount_capturable'
    | 'amount_captured'
    | 'amount_paid'
    | 'amount_refunded';
  readonly ours: string;
  readonly theirs: string;
}

export type Verdict =
  | { readonly kind: 'same' }
  /** Live, and the workflow will take over what the channel shows as soon as it reads it. */
  | { readonly kind: 'read_again' }
  | { readonly kind: 'differs'; readonly differences: readonly Difference[] }
  /** The channel shows a status that nobody can tell the meaning of. */
  | { readonly kind: 'unclear' };

/** What our tables have beside a row, in minor units. */
export interface Beside {
  /** What arrived although the object was closed, or beyond what was asked for. */
  readonly lateMoney: number;
  /** Refunds of ours and refunds made by hand, done or on their way. */
  readonly refunded: number;
}

/** What a hold may be at its channel while our row says this. */
const HOLD_STATUSES: Readonly<Record<PreAuthStatus, readonly ChannelHoldStatus[]>> = {
  requires_payment_method: ['requires_payment_method'],
  requires_confirmation: ['requires_confirmation'],
  requires_action: ['requires_action'],
  processing: ['processing'],
  requires_capture: ['requires_capture'],
  partially_captured: ['requires_capture'],
  // A rest that was released after a partial capture ends some channels' holds as canceled.
  succeeded: ['succeeded', 'canceled'],
  canceled: ['canceled'],
  expired: ['canceled'],
  failed: ['canceled'],
};

/** @param refundedThere what the channel says was given back of it, in minor units; absent: it was not asked */
export function compareHold(
  hold: Hold,
  snapshot: HoldSnapshot | undefined,
  { lateMoney, refunded }: Beside,
  refundedThere = 0,
): Verdict {
  const captured = hold.amountCaptured + lateMoney;
  if (snapshot === undefined) return absent(hold.status, captured > 0 || isHeld(hold.status));
  if (snapshot.status === 'unknown') return { kind: 'unclear' };
  const isLive = !isClosed(hold.status);
  if (isLive && applySnapshot(hold, snapshot, 'channel') !== null) return { kind: 'read_again' };
  const expected = HOLD_STATUSES[hold.status];
  return verdictOf([
    ...contract(hold, snapshot),
    ...status(hold.status, snapshot.status, lateMoney > 0 ? [...expected, 'succeeded'] : expected),
    ...(isLive ? [] : same('amount_capturable', 0, snapshot.amountCapturable)),
    ...same('amount_captured', captured, snapshot.amountCaptured),
    ...unknownRefunds(refunded, refundedThere),
  ]);
}

export function comparePayment(
  payment: Payment,
  snapshot: PaymentSnapshot | undefined,
  beside: Beside,
): Verdict {
  const paid = payment.amountPaid + beside.lateMoney;
  if (snapshot === undefined) return absent(payment.status, paid > 0);
  if (snapshot.status === 'unknown') return { kind: 'unclear' };
  if (!isPaymentClosed(payment.status)) {
    if (applyPaymentSnapshot(payment, snapshot, 'channel') !== null) return { kind: 'read_again' };
    return verdictOf(contract(payment, snapshot));
  }
  return verdictOf([
    ...contract(payment, snapshot),
    ...status(payment.status, snapshot.status, closedAt(payment, beside.lateMoney)),
    ...same('amount_paid', paid, snapshot.amountPaid),
    ...unknownRefunds(beside.refunded, snapshot.amountRefunded),
  ]);
}

/** What a closed payment may be at its channel: paid after all, if the late money is accounted for. */
function closedAt(payment: Payment, lateMoney: number): readonly ChannelPaymentStatus[] {
  if (payment.status === 'success') return ['succeeded'];
  return lateMoney > 0 ? ['canceled', 'failed', 'succeeded'] : ['canceled', 'failed'];
}

export type ComparedRefund = Pick<Refund, 'channelRefundNo' | 'status' | 'currency' | 'amount'>;

const REFUND_STATUSES = { pending: 'pending', success: 'succeeded', failed: 'failed' } as const;

/** @param snapshot undefined: it is not among the refunds that the channel lists */
export function compareRefund(refund: ComparedRefund, snapshot: RefundSnapshot | undefined): Verdict {
  if (snapshot === undefined) {
    // Without a number it has not been sent, or nobody knows yet whether it was: settling that is its workflow's business.
    const isExpected =
      refund.status === 'success' || (refund.status === 'pending' && refund.channelRefundNo !== null);
    return absent(refund.status, isExpected);
  }
  if (snapshot.status === 'unknown') return { kind: 'unclear' };
  const isNews = snapshot.status !== 'pending' || refund.channelRefundNo === null;
  if (!isRefundClosed(refund.status) && isNews) return { kind: 'read_again' };
  return verdictOf([
    ...contract(refund, snapshot),
    ...status(refund.status, snapshot.status, [REFUND_STATUSES[refund.status]]),
  ]);
}

/** A channel that does not know an object nobody has paid is right: some make it only when the customer comes. */
function absent(ours: string, isExpected: boolean): Verdict {
  return verdictOf(isExpected ? [{ field: 'object', ours, theirs: 'absent' }] : []);
}

interface Contract {
  readonly currency: string;
  readonly amount: number;
}

const LATE_FIELD = { payment: 'amount_paid', pre_auth: 'amount_capturable' } as const;

/** Whether a closed object's channel has more money of it than its row accounts for: paid late, or held late. */
export function showsLateMoney(kind: keyof typeof LATE_FIELD, differences: readonly Difference[]): boolean {
  return differences.some(
    ({ field, ours, theirs }) => field === LATE_FIELD[kind] && Number(theirs) > Number(ours),
  );
}

function contract(ours: Contract, theirs: Contract): Difference[] {
  return [...same('currency', ours.currency, theirs.currency), ...same('amount', ours.amount, theirs.amount)];
}

function same(field: Difference['field'], ours: string | number, theirs: string | number): Difference[] {
  return ours === theirs ? [] : [{ field, ours: String(ours), theirs: String(theirs) }];
}

function status<S extends string>(ours: string, theirs: S, expected: readonly S[]): Difference[] {
  return expected.includes(theirs) ? [] : [{ field: 'status', ours, theirs }];
}

/** Less is no news: some channels tell only what was refunded in full, and each refund is compared by itself. */
function unknownRefunds(ours: number, theirs: number): Difference[] {
  return theirs > ours ? same('amount_refunded', ours, theirs) : [];
}

function verdictOf(differences: readonly Difference[]): Verdict {
  return differences.length === 0 ? { kind: 'same' } : { kind: 'differs', differences };
}
