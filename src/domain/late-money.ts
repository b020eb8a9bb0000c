/**
 * Money that came although its object was closed, or at another amount than asked for. It is written down once, told to the
 * merchant, and given back or left to a person; the object is never opened again.
 */
import type { HoldSnapshot } from './channel';
import { refuse } from './errors';
import type { Refusal } from './errors';
import type { LateMoney } from './payment';
import { isClosed } from './pre-auth';
import type { Hold } from './pre-auth';
import type { WebhookEvent } from './webhook/events';

export type LateKind = LateMoney['kind'];

/** What a merchant wants done with it: given back by itself, or left until somebody decides. */
export const LATE_MONEY_POLICIES = ['attention', 'refund'] as const;
export type LateMoneyPolicy = (typeof LATE_MONEY_POLICIES)[number];

export const LATE_PAYMENT_STATES = ['needs_attention', 'refunding', 'refunded', 'kept'] as const;
export type LatePaymentState = (typeof LATE_PAYMENT_STATES)[number];

export const LATE_EVENTS = {
  late: 'payment.late_paid',
  partial: 'payment.partially_paid',
  over: 'payment.overpaid',
} as const satisfies Record<LateKind, WebhookEvent>;

/**
 * What of it is not written down yet: customers may pay in several parts, and each part is told once.
 * @param late all the money that the object does not account for, null: none
 * @param recorded what is written down of it already, in minor units
 */
export function newLateMoney(late: LateMoney | null, recorded: number): LateMoney | null {
  if (late === null || late.amount <= recorded) return null;
  return { kind: late.kind, amount: late.amount - recorded };
}

/** Money taken from a closed hold that its row does not account for: captured by hand at the channel after its end. */
export function lateMoneyOfHold(hold: Hold, snapshot: HoldSnapshot): LateMoney | null {
  if (!isClosed(hold.status)) return null;
  const amount = snapshot.amountCaptured - hold.amountCaptured;
  if (amount <= 0) return null;
  return { kind: hold.amountCaptured > 0 ? 'over' : 'late', amount };
}

/**
 * The merchant's word on late money.
 * @returns the next state; the state it has already for a decision made before; or why it cannot be made any more
 */
export function decideLateMoney(
  state: LatePaymentState,
  decision: 'refund' | 'keep',
): { readonly next: LatePaymentState; readonly isNew: boolean } | Refusal {
  const isGivenBack = state === 'refunding' || state === 'refunded';
  if (decision === 'refund')
    return isGivenBack ? { next: state, isNew: false } : { next: 'refunding', isNew: true };
  if (isGivenBack) return refuse('LATE_PAYMENT_REFUNDED', { state });
  return { next: 'kept', isNew: state !== 'kept' };
}
