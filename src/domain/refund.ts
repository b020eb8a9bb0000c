/** A refund: its states, and the pure functions that change them. */
import type { ChannelName, World } from './channel';
import type { ChannelRefundStatus, RefundSnapshot } from './channel-payment';
import type { ObjectRef } from './ids';
import { formatMoney } from './money';

export const REFUND_STATUSES = ['pending', 'success', 'failed'] as const;
export type RefundStatus = (typeof REFUND_STATUSES)[number];

/** What money is given back from: a payment, or a captured hold. */
export type RefundedKind = 'payment' | 'pre_auth';
export type RefundedRef = ObjectRef & { readonly kind: RefundedKind };

export function isRefundClosed(status: RefundStatus): boolean {
  return status !== 'pending';
}

/** What workflows and activities know of a refund: ids, amounts, states; no secret, no personal datum. */
export interface Refund {
  readonly merchantId: string;
  readonly refundNo: string;
  readonly objectKind: RefundedKind;
  readonly objectNo: string;
  /** Given back from money that arrived late, and reserved there instead of on the object. */
  readonly latePaymentId: string | null;
  readonly orderNo: string;
  readonly world: World;
  readonly channel: ChannelName;
  readonly channelAccountId: string;
  /** The channel's number of the refund; null until the channel has answered. */
  readonly channelRefundNo: string | null;
  readonly currency: string;
  readonly amount: number;
  readonly status: RefundStatus;
  /** Raised by every change; a write is conditional on it. */
  readonly version: number;
  readonly createdAtMs: number;
  /** Why it failed. */
  readonly declineCode: string | null;
  /** Why an operator must look, or null. */
  readonly needsAttention: string | null;
}

/** The refund as the subject of calls and events. */
export function refundObject({ merchantId, refundNo }: Pick<Refund, 'merchantId' | 'refundNo'>): ObjectRef {
  return { merchantId, kind: 'refund', no: refundNo };
}

/** The payment or hold whose money it is. */
export function refundedObject(refund: Pick<Refund, 'merchantId' | 'objectKind' | 'objectNo'>): RefundedRef {
  return { merchantId: refund.merchantId, kind: refund.objectKind, no: refund.objectNo };
}

export interface RefundEvent {
  readonly type: 'refund.success' | 'refund.failed';
  readonly extra: Readonly<Record<string, string | number | boolean>>;
}

export interface RefundTransition {
  readonly next: Refund;
  readonly events: readonly RefundEvent[];
}

const STATUS_AFTER: Readonly<Record<Exclude<ChannelRefundStatus, 'unknown'>, RefundStatus>> = {
  pending: 'pending',
  succeeded: 'success',
  failed: 'failed',
};

/**
 * The state after the channel said `snapshot`. Returns null when that is contained in what we know already: a repeat, an
 * unmapped status, or anything about a closed refund (`applyLateFailure` says what else it may show).
 */
export function applyRefundSnapshot(refund: Refund, snapshot: RefundSnapshot): RefundTransition | null {
  if (isRefundClosed(refund.status) || snapshot.status === 'unknown') return null;
  const status = STATUS_AFTER[snapshot.status];
  const next: Refund = {
    ...refund,
    status,
    channelRefundNo: snapshot.channelRefundNo,
    declineCode: status === 'failed' ? failureOf(snapshot) : null,
    needsAttention: differenceOf(refund, snapshot),
    version: refund.version + 1,
  };
  return isSame(refund, next) ? null : { next, events: eventsOf(next) };
}

/** The channel said definitely no, or an operator knows that nothing was given back: the money is the merchant's again. */
export function applyRefundDecline(refund: Refund, declineCode: string): RefundTransition | null {
  if (isRefundClosed(refund.status)) return null;
  const next: Refund = {
    ...refund,
    ...{ status: 'failed', declineCode: clip(declineCode), needsAttention: null },
    version: refund.version + 1,
  };
  return { next, events: eventsOf(next) };
}

/** An operator knows that the channel has given the money back. */
export function applyRefundDecided(refund: Refund): RefundTransition | null {
  if (isRefundClosed(refund.status)) return null;
  const next: Refund = { ...refund, status: 'success', needsAttention: null, version: refund.version + 1 };
  return { next, events: eventsOf(next) };
}

/**
 * The one way out of `success`: the customer's bank has sent the money back, which only a read of the channel can tell.
 * Null for everything else.
 */
export function applyLateFailure(refund: Refund, snapshot: RefundSnapshot): RefundTransition | null {
  if (refund.status !== 'success' || snapshot.status !== 'failed') return null;
  if (refund.channelRefundNo !== snapshot.channelRefundNo) return null;
  const next: Refund = {
    ...refund,
    ...{ status: 'failed', declineCode: failureOf(snapshot) },
    version: refund.version + 1,
  };
  return { next, events: eventsOf(next, { after_success: true }) };
}

const MAX_CODE_CHARACTERS = 50;

const clip = (code: string) => code.slice(0, MAX_CODE_CHARACTERS);

function failureOf({ failureCode = 'failed' }: RefundSnapshot): string {
  return clip(failureCode);
}

/** What no channel should do, and an operator must see when it does. */
function differenceOf(refund: Refund, { amount, currency }: RefundSnapshot): string | null {
  if (amount === refund.amount && currency === refund.currency) return null;
  return `the channel shows ${formatMoney({ amount, currency })} instead of ${formatMoney(refund)}`;
}

function isSame(a: Refund, b: Refund): boolean {
  return (
    a.status === b.status && a.channelRefundNo === b.channelRefundNo && a.needsAttention === b.needsAttention
  );
}

function eventsOf(
  { status, refundNo, declineCode }: Refund,
  more: RefundEvent['extra'] = {},
): readonly RefundEvent[] {
  if (status === 'pending') return [];
  if (status === 'success') return [{ type: 'refund.success', extra: { refund_no: refundNo } }];
  const extra = { refund_no: refundNo, ...(declineCode !== null && { decline_code: declineCode }), ...more };
  return [{ type: 'refund.failed', extra }];
}

const POLL_FIRST_MS = 5_000;
const POLL_MAX_MS = 6 * 3_600_000;

/** Pause before a pending refund is read again: as long as it is old, so that the pauses grow by themselves. */
export function refundPollDelayMs(ageMs: number): number {
  return Math.min(Math.max(ageMs, POLL_FIRST_MS), POLL_MAX_MS);
}
