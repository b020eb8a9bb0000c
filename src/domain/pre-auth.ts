/** A hold: its states, and the one pure function that changes them. */
import type { ChannelName, HoldSnapshot, World } from './channel';
import type { ObjectRef } from './ids';

export const PRE_AUTH_STATUSES = [
  'requires_payment_method',
  'requires_confirmation',
  'requires_action',
  'processing',
  'requires_capture',
  'partially_captured',
  'succeeded',
  'canceled',
  'expired',
  'failed',
] as const;
export type PreAuthStatus = (typeof PRE_AUTH_STATUSES)[number];

const TERMINAL: ReadonlySet<PreAuthStatus> = new Set(['succeeded', 'canceled', 'expired', 'failed']);
const HELD: ReadonlySet<PreAuthStatus> = new Set(['requires_capture', 'partially_captured']);

export function isClosed(status: PreAuthStatus): boolean {
  return TERMINAL.has(status);
}

/** True while the channel keeps money for us. */
export function isHeld(status: PreAuthStatus): boolean {
  return HELD.has(status);
}

const NEVER_HELD: ReadonlySet<PreAuthStatus> = new Set([
  'requires_payment_method',
  'requires_confirmation',
  'requires_action',
]);

/** True while the customer, or our completion after it, is still missing: the channel has not begun to hold money. */
export function isNeverHeld(status: PreAuthStatus): boolean {
  return NEVER_HELD.has(status);
}

/** What workflows and activities know of a hold: ids, amounts, states; no secret, no personal datum. */
export interface Hold {
  readonly merchantId: string;
  readonly preAuthNo: string;
  readonly orderNo: string;
  readonly world: World;
  readonly channel: ChannelName;
  readonly channelAccountId: string;
  /** The channel's id of the hold; null until the channel has answered the create. */
  readonly channelPreAuthNo: string | null;
  readonly currency: string;
  readonly amount: number;
  readonly amountCapturable: number;
  readonly amountCaptured: number;
  readonly status: PreAuthStatus;
  /** Raised by every change; a write is conditional on it. */
  readonly version: number;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  /** When the expiring warning was written; null = not yet. */
  readonly warnedAtMs: number | null;
  /** Why an operator must look, or null. */
  readonly needsAttention: string | null;
  readonly multipleCaptures: boolean;
}

/** The hold as the subject of calls and events. */
export function holdObject({ merchantId, preAuthNo }: Pick<Hold, 'merchantId' | 'preAuthNo'>): ObjectRef {
  return { merchantId, kind: 'pre_auth', no: preAuthNo };
}

export type PreAuthEventType =
  | 'pre_auth.authorized'
  | 'pre_auth.captured'
  | 'pre_auth.capture_failed'
  | 'pre_auth.canceled'
  | 'pre_auth.expiring'
  | 'pre_auth.expired'
  | 'pre_auth.failed';

export interface PreAuthEvent {
  readonly type: PreAuthEventType;
  readonly extra: Readonly<Record<string, string | number | boolean>>;
}

export interface Transition {
  readonly next: Hold;
  readonly events: readonly PreAuthEvent[];
}

/** Why we look at the hold: the command that was carried out, or `channel` for news we did not ask for. */
export type Cause = 'create' | 'authorize' | 'capture' | 'cancel' | 'expiry' | 'channel';

const RANK: Readonly<Record<PreAuthStatus, number>> = {
  requires_payment_method: 0,
  requires_confirmation: 0,
  requires_action: 0,
  processing: 0,
  requires_capture: 1,
  partially_captured: 2,
  succeeded: 3,
  canceled: 3,
  expired: 3,
  failed: 3,
};

/**
 * The state after the channel said `snapshot`. Returns null when that is contained in what we know already: an older
 * reading, a repeat, an unmapped status, or anything about a closed hold (terminal states are final).
 */
export function applySnapshot(hold: Hold, snapshot: HoldSnapshot, cause: Cause): Transition | null {
  if (isClosed(hold.status) || snapshot.status === 'unknown') return null;
  const status = statusAfter(snapshot, cause);
  if (RANK[status] < RANK[hold.status] || snapshot.amountCaptured < hold.amountCaptured) return null;
  const next: Hold = {
    ...hold,
    status,
    channelPreAuthNo: snapshot.channelPreAuthNo,
    amountCapturable: isHeld(status) ? snapshot.amountCapturable : 0,
    amountCaptured: snapshot.amountCaptured,
    expiresAtMs: cappedExpiry(hold, snapshot),
    // Whatever an operator should have looked at has moved on.
    needsAttention: null,
    version: hold.version + 1,
  };
  return isSame(hold, next) ? null : { next, events: eventsBetween(hold, next, snapshot, cause) };
}

function statusAfter(snapshot: HoldSnapshot, cause: Cause): PreAuthStatus {
  switch (snapshot.status) {
    case 'canceled':
      return snapshot.amountCaptured > 0 ? 'succeeded' : releasedAs(snapshot, cause);
    case 'requires_capture':
      return snapshot.amountCaptured > 0 ? 'partially_captured' : 'requires_capture';
    case 'unknown':
      return 'processing';
    case 'requires_payment_method':
    case 'requires_confirmation':
    case 'requires_action':
    case 'processing':
    case 'succeeded':
      return snapshot.status;
  }
}

/** The channel's own cancellation at its deadline counts as expired, one made in its dashboard as canceled. */
function releasedAs(snapshot: HoldSnapshot, cause: Cause): 'expired' | 'canceled' {
  if (snapshot.releaseCause === 'deadline') return 'expired';
  return cause === 'expiry' ? 'expired' : 'canceled';
}

function cappedExpiry(hold: Hold, snapshot: HoldSnapshot): number {
  return snapshot.captureBefore === undefined
    ? hold.expiresAtMs
    : Math.min(hold.expiresAtMs, snapshot.captureBefore * 1000);
}

function isSame(a: Hold, b: Hold): boolean {
  return (
    a.status === b.status &&
    a.channelPreAuthNo === b.channelPreAuthNo &&
    a.amountCapturable === b.amountCapturable &&
    a.amountCaptured === b.amountCaptured &&
    a.expiresAtMs === b.expiresAtMs
  );
}

function eventsBetween(before: Hold, after: Hold, snapshot: HoldSnapshot, cause: Cause): PreAuthEvent[] {
  const events: PreAuthEvent[] = [];
  if (
    RANK[before.status] === 0 &&
    RANK[after.status] >= 1 &&
    after.status !== 'canceled' &&
    after.status !== 'expired'
  ) {
    events.push({ type: 'pre_auth.authorized', extra: {} });
  }
  const captured = after.amountCaptured - before.amountCaptured;
  if (captured > 0) events.push({ type: 'pre_auth.captured', extra: capturedExtra(before, after, captured) });
  if (!isClosed(after.status) || captured > 0) return events;
  const released = before.amount - after.amountCaptured;
  const asExpired = after.status === 'expired' || cause === 'expiry' || snapshot.releaseCause === 'deadline';
  events.push({
    type: asExpired ? 'pre_auth.expired' : 'pre_auth.canceled',
    extra: { amount_released: released },
  });
  return events;
}

function capturedExtra(before: Hold, after: Hold, captured: number): PreAuthEvent['extra'] {
  const released = isClosed(after.status) ? before.amount - after.amountCaptured : 0;
  return {
    amount_this_capture: captured,
    amount_captured: after.amountCaptured,
    ...(released > 0 ? { amount_released: released } : {}),
  };
}

/** True when a reading made after the hold was closed still shows money held for it. */
export function isHeldLate(hold: Hold, snapshot: HoldSnapshot): boolean {
  return isClosed(hold.status) && snapshot.status === 'requires_capture' && snapshot.amountCapturable > 0;
}

/** The create was definitely refused: nothing is held, nothing will be. */
export function applyCreateDecline(hold: Hold, declineCode: string): Transition | null {
  if (isClosed(hold.status) || hold.channelPreAuthNo !== null) return null;
  return {
    next: { ...hold, status: 'failed', amountCapturable: 0, needsAttention: null, version: hold.version + 1 },
    events: [{ type: 'pre_auth.failed', extra: { decline_code: declineCode } }],
  };
}

/** It ends before any channel has it: nothing is held, nothing will be. */
export function applyUntaken(hold: Hold, status: 'canceled' | 'expired'): Transition | null {
  if (isClosed(hold.status) || hold.channelPreAuthNo !== null) return null;
  const next: Hold = { ...hold, status, needsAttention: null, version: hold.version + 1 };
  return { next, events: [{ type: `pre_auth.${status}`, extra: { amount_released: hold.amount } }] };
}

/**
 * A capture or a release was definitely refused: the hold stays as it is, and somebody is told. Once it is closed nobody
 * is, and only a question about that outcome is answered.
 */
export function applyDecline(
  hold: Hold,
  operation: 'capture' | 'cancel',
  declineCode: string,
  amount: number,
): Transition | null {
  if (isClosed(hold.status)) return applyAttentionMet(hold);
  const next = { ...hold, needsAttention: null, version: hold.version + 1 };
  if (operation === 'capture') {
    const extra = { decline_code: declineCode, amount_this_capture: amount };
    return { next, events: [{ type: 'pre_auth.capture_failed', extra }] };
  }
  return {
    next: { ...next, needsAttention: `the channel refuses to release the hold: ${declineCode}` },
    events: [],
  };
}

/** An outcome that an operator was asked about is known now. Null when nobody was asked. */
export function applyAttentionMet(hold: Hold): Transition | null {
  if (hold.needsAttention === null) return null;
  return { next: { ...hold, needsAttention: null, version: hold.version + 1 }, events: [] };
}
