/** What Stripe says of payments, refunds and disputes, in our terms: pure tables. */
import type Stripe from 'stripe';
import { ChannelFault } from '../../domain/channel';
import type {
  ChannelPaymentStatus,
  ChannelRefundStatus,
  DisputeSnapshot,
  PaymentAnswer,
  PaymentSnapshot,
  RefundAnswer,
  RefundSnapshot,
} from '../../domain/channel-payment';
import { declineOfMeans } from './errors';
import { iso, mapReleaseCause } from './mapping';

function lookUp<T>(table: Readonly<Record<string, T>>, status: string | null): T | 'unknown' {
  return (Object.hasOwn(table, status ?? '') ? table[status ?? ''] : undefined) ?? 'unknown';
}

/** A status that is not in this table is `unknown`: `requires_capture` is none that a payment can have. */
export const PAYMENT_STATUS_TABLE: Readonly<Record<string, ChannelPaymentStatus>> = {
  requires_payment_method: 'requires_action',
  requires_confirmation: 'requires_action',
  requires_action: 'requires_action',
  processing: 'processing',
  succeeded: 'succeeded',
  canceled: 'canceled',
};

export function mapPaymentStatus(status: string): ChannelPaymentStatus {
  return lookUp(PAYMENT_STATUS_TABLE, status);
}

const PAYMENT_ANSWER_KINDS: Readonly<Record<ChannelPaymentStatus, 'done' | 'pending'>> = {
  requires_action: 'pending',
  processing: 'pending',
  unknown: 'pending',
  succeeded: 'done',
  canceled: 'done',
  failed: 'done',
};

export function toPaymentAnswer(intent: Stripe.PaymentIntent): PaymentAnswer {
  return answerWith(toPaymentSnapshot(intent));
}

export function answerWith(snapshot: PaymentSnapshot): PaymentAnswer {
  return { kind: PAYMENT_ANSWER_KINDS[snapshot.status], snapshot };
}

/**
 * The payment as the PaymentIntent shows it.
 * @throws ChannelFault maybe_executed when an amount cannot be told in ISO minor units, or `latest_charge` is not expanded:
 * without it nobody knows what was refunded
 */
export function toPaymentSnapshot(intent: Stripe.PaymentIntent): PaymentSnapshot {
  const currency = intent.currency.toUpperCase();
  const status = mapPaymentStatus(intent.status);
  const charge = intent.latest_charge;
  if (typeof charge === 'string') throw new ChannelFault('maybe_executed', 'charge_not_expanded');
  const { holdfast_id: holdfastId, holdfast_call: holdfastCall } = intent.metadata;
  const error = intent.last_payment_error;
  return {
    channelPaymentNo: intent.id,
    // A charge that failed has no money to give back.
    ...(charge === null || charge.status === 'failed' ? {} : { channelTradeNo: charge.id }),
    status,
    currency,
    amount: iso(intent.amount, currency),
    amountPaid: iso(intent.amount_received, currency),
    amountRefunded: charge === null ? 0 : iso(charge.amount_refunded, currency),
    ...(status === 'canceled' ? { closeCause: mapReleaseCause(intent.cancellation_reason) } : {}),
    ...(status === 'requires_action' && error !== null ? { lastDecline: declineOfMeans(error) } : {}),
    ...(holdfastId === undefined ? {} : { holdfastId }),
    ...(holdfastCall === undefined ? {} : { holdfastCall }),
  };
}

/** `requires_action`: the customer must still tell where to send it. A canceled refund gave nothing back. */
export const REFUND_STATUS_TABLE: Readonly<Record<string, ChannelRefundStatus>> = {
  pending: 'pending',
  requires_action: 'pending',
  succeeded: 'succeeded',
  failed: 'failed',
  canceled: 'failed',
};

export function mapRefundStatus(status: string | null): ChannelRefundStatus {
  return lookUp(REFUND_STATUS_TABLE, status);
}

const REFUND_ANSWER_KINDS: Readonly<Record<ChannelRefundStatus, 'done' | 'pending'>> = {
  pending: 'pending',
  unknown: 'pending',
  succeeded: 'done',
  failed: 'done',
};

export function toRefundAnswer(refund: Stripe.Refund): RefundAnswer {
  const snapshot = toRefundSnapshot(refund);
  return { kind: REFUND_ANSWER_KINDS[snapshot.status], snapshot };
}

/** @throws ChannelFault maybe_executed when the amount cannot be told in ISO minor units */
export function toRefundSnapshot(refund: Stripe.Refund): RefundSnapshot {
  const currency = refund.currency.toUpperCase();
  const { refund_no: refundNo, holdfast_id: holdfastId, holdfast_call: holdfastCall } = refund.metadata ?? {};
  return {
    channelRefundNo: refund.id,
    status: mapRefundStatus(refund.status),
    currency,
    amount: iso(refund.amount, currency),
    ...(refundNo === undefined ? {} : { refundNo }),
    ...(holdfastId === undefined ? {} : { holdfastId }),
    ...(holdfastCall === undefined ? {} : { holdfastCall }),
    ...(refund.failure_reason === undefined ? {} : { failureCode: refund.failure_reason }),
  };
}

/**
 * True for what Stripe lists among the refunds although no money went back: the rest of a hold that a partial capture or the
 * hold's end released. It never was in our balance, so it has no balance transaction, which every refund that succeeded has.
 */
export function isRelease(refund: Stripe.Refund): boolean {
  if (refund.metadata?.['refund_no'] !== undefined) return false;
  if (refund.reason === 'expired_uncaptured_charge') return true;
  return refund.status === 'succeeded' && refund.balance_transaction === null;
}

/** `prevented` is left out on purpose: Stripe does not say who has the money then. */
export const DISPUTE_STATUS_TABLE: Readonly<Record<string, DisputeSnapshot['status']>> = {
  needs_response: 'open',
  under_review: 'open',
  warning_needs_response: 'open',
  warning_under_review: 'open',
  appeal_needs_response: 'open',
  appeal_under_review: 'open',
  // An inquiry that ended without becoming a chargeback.
  warning_closed: 'won',
  won: 'won',
  lost: 'lost',
};

/** @param channelNo the payment or hold that was asked for, under which Stripe listed it */
export function toDisputeSnapshot(dispute: Stripe.Dispute, channelNo: string): DisputeSnapshot {
  const currency = dispute.currency.toUpperCase();
  return {
    channelDisputeNo: dispute.id,
    channelNo,
    status: lookUp(DISPUTE_STATUS_TABLE, dispute.status),
    currency,
    amount: iso(dispute.amount, currency),
    reason: dispute.reason,
  };
}
