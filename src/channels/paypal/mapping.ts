/** What PayPal says, in our terms: pure tables, and the sums over an order's captures and refunds. */
import type {
  ChannelHoldStatus,
  CustomerStep,
  HoldAnswer,
  HoldSnapshot,
  ReleaseCause,
} from '../../domain/channel';
import type {
  ChannelPaymentStatus,
  ChannelRefundStatus,
  DisputeSnapshot,
  PaymentAnswer,
  PaymentSnapshot,
  RefundAnswer,
  RefundSnapshot,
} from '../../domain/channel-payment';
import { readCustomId, readRefundNo } from './identity';
import {
  authorizationsOf,
  capturesOf,
  currentAuthorization,
  minorUnits,
  refundsOf,
  sum,
  unitOf,
} from './order';
import type { PayPalCapture, PayPalOrder, PayPalRefund } from './wire';

/** What a status is that a table does not know: read again, never guessed. */
function lookUp<T>(table: Readonly<Record<string, T>>, status: string | undefined): T | 'unknown' {
  return status !== undefined && Object.hasOwn(table, status) ? (table[status] as T) : 'unknown';
}

/** An order without captures. APPROVED is `processing`: the customer has done its part, and we have not yet. */
const PAYMENT_ORDER_TABLE: Readonly<Record<string, ChannelPaymentStatus>> = {
  CREATED: 'requires_action',
  SAVED: 'requires_action',
  PAYER_ACTION_REQUIRED: 'requires_action',
  PENDING_APPROVAL: 'requires_action',
  APPROVED: 'processing',
  VOIDED: 'canceled',
};

/** An order without authorizations. APPROVED is `requires_confirmation`: completePreAuth must follow. */
const HOLD_ORDER_TABLE: Readonly<Record<string, ChannelHoldStatus>> = {
  CREATED: 'requires_action',
  SAVED: 'requires_action',
  PAYER_ACTION_REQUIRED: 'requires_action',
  PENDING_APPROVAL: 'requires_action',
  APPROVED: 'requires_confirmation',
  VOIDED: 'canceled',
};

/** `taken`: the money is ours (a refund does not change that). */
const CAPTURE_TABLE: Readonly<Record<string, 'taken' | 'pending' | 'failed'>> = {
  COMPLETED: 'taken',
  PARTIALLY_REFUNDED: 'taken',
  REFUNDED: 'taken',
  PENDING: 'pending',
  DECLINED: 'failed',
  FAILED: 'failed',
};

const AUTHORIZATION_TABLE: Readonly<Record<string, ChannelHoldStatus>> = {
  CREATED: 'requires_capture',
  PARTIALLY_CAPTURED: 'requires_capture',
  CAPTURED: 'succeeded',
  PENDING: 'processing',
  DENIED: 'canceled',
  VOIDED: 'canceled',
  EXPIRED: 'canceled',
};

const REFUND_TABLE: Readonly<Record<string, ChannelRefundStatus>> = {
  COMPLETED: 'succeeded',
  PENDING: 'pending',
  CANCELLED: 'failed',
  FAILED: 'failed',
};

const DISPUTE_TABLE: Readonly<Record<string, 'open' | 'resolved'>> = {
  OPEN: 'open',
  WAITING_FOR_BUYER_RESPONSE: 'open',
  WAITING_FOR_SELLER_RESPONSE: 'open',
  UNDER_REVIEW: 'open',
  RESOLVED: 'resolved',
};

/** Who has the money in the end. What PayPal pays itself (RESOLVED_WITH_PAYOUT) and NONE say nothing of that. */
const OUTCOME_TABLE: Readonly<Record<string, 'won' | 'lost'>> = {
  RESOLVED_SELLER_FAVOUR: 'won',
  CANCELED_BY_BUYER: 'won',
  DENIED: 'won',
  RESOLVED_BUYER_FAVOUR: 'lost',
  ACCEPTED: 'lost',
};

const stateOf = ({ status }: PayPalCapture) => lookUp(CAPTURE_TABLE, status);
const takenOf = (order: PayPalOrder) => capturesOf(order).filter((one) => stateOf(one) === 'taken');
const has = (order: PayPalOrder, state: ReturnType<typeof stateOf>) =>
  capturesOf(order).some((capture) => stateOf(capture) === state);

function paymentStatus(order: PayPalOrder): ChannelPaymentStatus {
  if (has(order, 'taken')) return 'succeeded';
  if (has(order, 'unknown')) return 'unknown';
  if (has(order, 'pending')) return 'processing';
  if (readCustomId(unitOf(order).custom_id).isCancelled) return 'canceled';
  // A declined capture ends the order, unless PayPal shows it open for another try.
  const isOver = order.status === undefined || order.status === 'COMPLETED';
  return has(order, 'failed') && isOver ? 'failed' : lookUp(PAYMENT_ORDER_TABLE, order.status);
}

function identityOf(order: PayPalOrder): { holdfastId?: string; holdfastCall?: string } {
  const { holdfastId, holdfastCall } = readCustomId(unitOf(order).custom_id);
  return {
    ...(holdfastId === undefined ? {} : { holdfastId }),
    ...(holdfastCall === undefined ? {} : { holdfastCall }),
  };
}

/** The payment as its order shows it. @throws ChannelFault */
export function toPaymentSnapshot(order: PayPalOrder): PaymentSnapshot {
  const { amount } = unitOf(order);
  const status = paymentStatus(order);
  const captures = capturesOf(order);
  const live = captures.find((one) => stateOf(one) !== 'failed');
  const declined = captures.find((one) => stateOf(one) === 'failed');
  const returned = refundsOf(order).filter((refund) => lookUp(REFUND_TABLE, refund.status) === 'succeeded');
  return {
    channelPaymentNo: order.id,
    ...(live === undefined ? {} : { channelTradeNo: live.id }),
    status,
    currency: amount.currency_code,
    amount: minorUnits(amount),
    amountPaid: sum(takenOf(order)),
    amountRefunded: sum(returned),
    ...(status === 'canceled' ? { closeCause: closeCauseOf(order) } : {}),
    ...(declined === undefined || live !== undefined
      ? {}
      : {
          lastDecline: {
            code: 'card_declined',
            providerCode: declined.status_details?.reason ?? declined.status,
          },
        }),
    ...identityOf(order),
  };
}

/** An order nobody completed is cancelled by our mark on it, or voided by hand. */
function closeCauseOf(order: PayPalOrder): ReleaseCause {
  return readCustomId(unitOf(order).custom_id).isCancelled ? 'requested' : 'dashboard';
}

const PAYMENT_KINDS: Readonly<Record<ChannelPaymentStatus, 'done' | 'pending'>> = {
  requires_action: 'pending',
  processing: 'pending',
  unknown: 'pending',
  succeeded: 'done',
  canceled: 'done',
  failed: 'done',
};

export function toPaymentAnswer(snapshot: PaymentSnapshot): PaymentAnswer {
  return { kind: PAYMENT_KINDS[snapshot.status], snapshot };
}

/** True once the payer has approved and nothing was captured: a capture, pending or taken, has a number. Pure. */
export function needsCompletion({ status, channelTradeNo }: PaymentSnapshot): boolean {
  return status === 'processing' && channelTradeNo === undefined;
}

function holdStatus(order: PayPalOrder, amount: number, captured: number): ChannelHoldStatus {
  const [original] = authorizationsOf(order);
  const current = currentAuthorization(order);
  if (original === undefined || current === undefined) {
    if (readCustomId(unitOf(order).custom_id).isCancelled) return 'canceled';
    return lookUp(HOLD_ORDER_TABLE, order.status);
  }
  if (has(order, 'unknown')) return 'unknown';
  if (has(order, 'pending')) return 'processing';
  // The final capture closes the hold, whatever word the authorization has for it.
  const isFinal = takenOf(order).some((capture) => capture.final_capture === true);
  if (isFinal || captured >= amount) return 'succeeded';
  // A reauthorization cannot be voided: releasing a hold voids the original.
  const status = lookUp(AUTHORIZATION_TABLE, original.status === 'VOIDED' ? original.status : current.status);
  return status === 'canceled' && captured > 0 ? 'succeeded' : status;
}

/** The hold as its order shows it: authorizations, captures, and what is left. @throws ChannelFault */
export function toHoldSnapshot(order: PayPalOrder): HoldSnapshot {
  const { amount: money } = unitOf(order);
  const amount = minorUnits(money);
  const amountCaptured = sum(takenOf(order));
  const status = holdStatus(order, amount, amountCaptured);
  const deadline = Date.parse(authorizationsOf(order)[0]?.expiration_time ?? '');
  return {
    channelPreAuthNo: order.id,
    status,
    currency: money.currency_code,
    amount,
    amountCapturable: status === 'requires_capture' ? amount - amountCaptured : 0,
    amountCaptured,
    ...(Number.isNaN(deadline) ? {} : { captureBefore: Math.floor(deadline / 1000) }),
    ...(status === 'canceled' ? { releaseCause: releaseCauseOf(order) } : {}),
    ...identityOf(order),
  };
}

/** PayPal does not say who voided: at its deadline it was PayPal, before that the dashboard (or we, who know it). */
function releaseCauseOf(order: PayPalOrder): ReleaseCause {
  const [original] = authorizationsOf(order);
  if (original === undefined) return closeCauseOf(order);
  if (original.status === 'EXPIRED') return 'deadline';
  const endedMs = Date.parse(original.update_time ?? '');
  return endedMs >= Date.parse(original.expiration_time ?? '') ? 'deadline' : 'dashboard';
}

const HOLD_KINDS: Readonly<Record<ChannelHoldStatus, 'done' | 'pending'>> = {
  requires_payment_method: 'pending',
  requires_confirmation: 'pending',
  requires_action: 'pending',
  processing: 'pending',
  unknown: 'pending',
  requires_capture: 'done',
  succeeded: 'done',
  canceled: 'done',
};

export function toHoldAnswer(snapshot: HoldSnapshot): HoldAnswer {
  return { kind: HOLD_KINDS[snapshot.status], snapshot };
}

/** Where the payer approves. PayPal calls it `payer-action` when a payment source was named, else `approve`. */
export function toCustomerStep(order: PayPalOrder): CustomerStep {
  const link = ['payer-action', 'approve'].flatMap(
    (rel) => order.links?.filter((candidate) => candidate.rel === rel) ?? [],
  )[0];
  return link === undefined ? {} : { nextAction: { type: 'redirect', url: link.href } };
}

/** @throws ChannelFault */
export function toRefundSnapshot(refund: PayPalRefund): RefundSnapshot {
  const refundNo = readRefundNo(refund.invoice_id, refund.custom_id);
  const { holdfastId, holdfastCall } = readCustomId(refund.custom_id);
  const status = lookUp(REFUND_TABLE, refund.status);
  const isOurs = refundNo !== undefined;
  return {
    channelRefundNo: refund.id,
    status,
    currency: refund.amount.currency_code,
    amount: minorUnits(refund.amount),
    ...(isOurs ? { refundNo } : {}),
    ...(isOurs && holdfastId !== undefined ? { holdfastId } : {}),
    ...(isOurs && holdfastCall !== undefined ? { holdfastCall } : {}),
    ...(status === 'failed' ? { failureCode: refund.status_details?.reason ?? refund.status } : {}),
  };
}

export function toRefundAnswer(snapshot: RefundSnapshot): RefundAnswer {
  const isPending = snapshot.status === 'pending' || snapshot.status === 'unknown';
  return { kind: isPending ? 'pending' : 'done', snapshot };
}

export function disputeState(status: string): 'open' | 'resolved' | 'unknown' {
  return lookUp(DISPUTE_TABLE, status);
}

export function disputeOutcome(outcome: string | undefined): DisputeSnapshot['status'] {
  return lookUp(OUTCOME_TABLE, outcome);
}

/**
 * The capture that has this much left. A refund at PayPal belongs to one capture, and an order does not say to which: with
 * several captures the largest is taken, and PayPal refuses what is too much.
 */
export function refundableCapture(order: PayPalOrder, amount: number): PayPalCapture | undefined {
  const bySize = [...takenOf(order)].sort((a, b) => minorUnits(b.amount) - minorUnits(a.amount));
  return bySize.find((capture) => capture.status !== 'REFUNDED' && minorUnits(capture.amount) >= amount);
}
