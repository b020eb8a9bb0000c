/** A payment: its states, and the pure functions that change them. */
import type { ChannelName, World } from './channel';
import type { PaymentSnapshot } from './channel-payment';
import type { ObjectRef } from './ids';

export const PAYMENT_STATUSES = [
  'pending',
  'requires_action',
  'processing',
  'success',
  'failed',
  'cancelled',
  'expired',
] as const;
export type PaymentStatus = (typeof PAYMENT_STATUSES)[number];

const TERMINAL: ReadonlySet<PaymentStatus> = new Set(['success', 'failed', 'cancelled', 'expired']);

export function isPaymentClosed(status: PaymentStatus): boolean {
  return TERMINAL.has(status);
}

/** What workflows and activities know of a payment: ids, amounts, states; no secret, no personal datum. */
export interface Payment {
  readonly merchantId: string;
  readonly paymentNo: string;
  readonly orderNo: string;
  readonly world: World;
  readonly channel: ChannelName;
  readonly channelAccountId: string;
  /** The channel's number of the payment; null until the channel has answered the create. */
  readonly channelPaymentNo: string | null;
  /** The number its money is refunded under, where that is another one. */
  readonly channelTradeNo: string | null;
  readonly currency: string;
  readonly amount: number;
  /** What was paid of `amount`: 0 until the payment succeeds. What is more, or too little, is late money. */
  readonly amountPaid: number;
  readonly status: PaymentStatus;
  /** Raised by every change; a write is conditional on it. */
  readonly version: number;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  /** The customer may have been given a next action: no other channel may try any more. */
  readonly handedOut: boolean;
  /** Why the customer's last means was declined, or why the channel refused the payment. */
  readonly declineCode: string | null;
  /** Why an operator must look, or null. */
  readonly needsAttention: string | null;
}

/** The payment as the subject of calls and events. */
export function paymentObject({
  merchantId,
  paymentNo,
}: Pick<Payment, 'merchantId' | 'paymentNo'>): ObjectRef {
  return { merchantId, kind: 'payment', no: paymentNo };
}

export interface PaymentEvent {
  readonly type: 'payment.success' | 'payment.failed' | 'payment.cancelled' | 'payment.expired';
  readonly extra: Readonly<Record<string, string | number | boolean>>;
}

export interface PaymentTransition {
  readonly next: Payment;
  readonly events: readonly PaymentEvent[];
}

/** Why we look at the payment: the call that was carried out, or `channel` for news we did not ask for. */
export type PaymentCause = 'create' | 'capture' | 'cancel' | 'expiry' | 'channel';

/**
 * The state after the channel said `snapshot`. Returns null when that is contained in what we know already: a repeat, an
 * unmapped status, or anything about a closed payment (terminal states are final; `lateMoneyOf` says what else it shows).
 */
export function applyPaymentSnapshot(
  payment: Payment,
  snapshot: PaymentSnapshot,
  cause: PaymentCause,
): PaymentTransition | null {
  if (isPaymentClosed(payment.status)) return null;
  const status = statusAfter(payment, snapshot, cause);
  if (status === undefined) return null;
  const next: Payment = {
    ...payment,
    status,
    channelPaymentNo: snapshot.channelPaymentNo,
    channelTradeNo: snapshot.channelTradeNo ?? payment.channelTradeNo,
    amountPaid: status === 'success' ? payment.amount : 0,
    // From the moment it stands in the row whoever asks is given the next action.
    handedOut: true,
    declineCode: status === 'success' ? null : (snapshot.lastDecline?.code ?? payment.declineCode),
    // Whatever an operator should have looked at has moved on.
    needsAttention: null,
    version: payment.version + 1,
  };
  return isSame(payment, next) ? null : { next, events: eventsOf(next) };
}

function statusAfter(
  payment: Payment,
  snapshot: PaymentSnapshot,
  cause: PaymentCause,
): PaymentStatus | undefined {
  switch (snapshot.status) {
    case 'requires_action':
    case 'processing':
    case 'failed':
      return snapshot.status;
    case 'succeeded':
      if (snapshot.amountPaid >= payment.amount) return 'success';
      // Too little has arrived and the channel is content with it, our merchant is not: open until it ends another way.
      return endOf(cause) ?? 'requires_action';
    case 'canceled':
      return snapshot.closeCause === 'deadline' ? 'expired' : (endOf(cause) ?? 'cancelled');
    case 'unknown':
      return undefined;
  }
}

/** How a payment ends that we wanted to end. */
function endOf(cause: PaymentCause): 'expired' | 'cancelled' | undefined {
  if (cause === 'expiry') return 'expired';
  return cause === 'cancel' ? 'cancelled' : undefined;
}

function isSame(a: Payment, b: Payment): boolean {
  return (
    a.status === b.status &&
    a.channelPaymentNo === b.channelPaymentNo &&
    a.channelTradeNo === b.channelTradeNo &&
    a.amountPaid === b.amountPaid &&
    a.declineCode === b.declineCode
  );
}

function eventsOf({ status, amountPaid, declineCode }: Payment): readonly PaymentEvent[] {
  const declined: PaymentEvent['extra'] = declineCode === null ? {} : { decline_code: declineCode };
  switch (status) {
    case 'pending':
    case 'requires_action':
    case 'processing':
      return [];
    case 'success':
      return [{ type: 'payment.success', extra: { amount_paid: amountPaid } }];
    case 'failed':
    case 'cancelled':
    case 'expired':
      return [{ type: `payment.${status}`, extra: declined }];
  }
}

/** The create was definitely refused: nobody can pay, nothing was paid. */
export function applyPaymentRefused(payment: Payment, declineCode: string): PaymentTransition | null {
  if (isPaymentClosed(payment.status) || payment.channelPaymentNo !== null) return null;
  const version = payment.version + 1;
  const next: Payment = { ...payment, status: 'failed', declineCode, needsAttention: null, version };
  return { next, events: eventsOf(next) };
}

/** It ends before any channel has it: nobody can pay, nothing was paid. */
export function applyPaymentUntaken(
  payment: Payment,
  status: 'cancelled' | 'expired',
): PaymentTransition | null {
  if (isPaymentClosed(payment.status) || payment.channelPaymentNo !== null) return null;
  const next: Payment = { ...payment, status, needsAttention: null, version: payment.version + 1 };
  return { next, events: eventsOf(next) };
}

/**
 * A completion or a cancel was definitely refused, and the object, where it was read, shows nothing that explains it. The
 * payment stays as it is: open for another try of the customer's, or in need of an operator who knows why it cannot be closed.
 */
export function applyPaymentDecline(
  payment: Payment,
  operation: 'capture' | 'cancel',
  declineCode: string,
): PaymentTransition | null {
  if (isPaymentClosed(payment.status)) return null;
  const next: Payment =
    operation === 'capture'
      ? { ...payment, declineCode }
      : { ...payment, needsAttention: `the channel refuses to cancel the payment: ${declineCode}` };
  return { next: { ...next, version: payment.version + 1 }, events: [] };
}

/** An outcome that an operator was asked about is known now. Null when nobody was asked. */
export function applyPaymentAttentionMet(payment: Payment): PaymentTransition | null {
  if (isPaymentClosed(payment.status) || payment.needsAttention === null) return null;
  return { next: { ...payment, needsAttention: null, version: payment.version + 1 }, events: [] };
}

export interface LateMoney {
  readonly kind: 'late' | 'partial' | 'over';
  /** Minor units of the payment's currency. */
  readonly amount: number;
}

/**
 * The money a snapshot shows that a closed payment does not account for: paid although it was closed, too little of it, or
 * more than was asked for. Null while the payment is open, because then it may still become what was asked for.
 */
export function lateMoneyOf(payment: Payment, snapshot: PaymentSnapshot): LateMoney | null {
  if (!isPaymentClosed(payment.status)) return null;
  const amount = snapshot.amountPaid - payment.amountPaid;
  if (amount <= 0) return null;
  if (payment.status === 'success') return { kind: 'over', amount };
  return { kind: snapshot.amountPaid < payment.amount ? 'partial' : 'late', amount };
}
