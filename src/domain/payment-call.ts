/** The calls of a payment (`create`, `capture` = completePayment, `cancel`) and what a snapshot tells of them. */
import { causeOf } from './channel-call';
import type { CallState, ChannelCall, PaymentOperation } from './channel-call';
import type { PaymentAnswer, PaymentSnapshot } from './channel-payment';
import { refuse } from './errors';
import { isPaymentClosed } from './payment';
import type { Payment, PaymentCause } from './payment';
import { paymentClosedRefusal } from './payment-commands';
import type { PaymentResult } from './payment-commands';

export type PaymentCall = ChannelCall<PaymentOperation>;

/** Why the payment changes when this call is settled. */
export function paymentCauseOf(call: Pick<PaymentCall, 'operation' | 'commandId'>): PaymentCause {
  return causeOf(call);
}

/**
 * Whether a read of the object shows what became of the call: `executed`, `not_executed` (it has ended in another way), or
 * undefined when it shows neither. A read in a final state settles anything.
 * @param waitsForUs the channel waits for completePayment: nothing was completed so far
 */
export function paymentSettledBy(
  call: Pick<PaymentCall, 'operation'>,
  snapshot: PaymentSnapshot,
  waitsForUs: boolean,
): 'executed' | 'not_executed' | undefined {
  const { status } = snapshot;
  if (status === 'unknown') return undefined;
  const isOpen = status === 'requires_action' || status === 'processing';
  switch (call.operation) {
    case 'create':
      return 'executed';
    case 'capture':
      if (status === 'succeeded' || (status === 'processing' && !waitsForUs)) return 'executed';
      return isOpen ? undefined : 'not_executed';
    case 'cancel':
      if (status === 'canceled') return 'executed';
      return isOpen ? undefined : 'not_executed';
  }
}

/**
 * What the answer to the call itself makes of it. More than a read: a channel that answers a completion with "the customer
 * must try again" has declined it.
 */
export function paymentAnswerState(
  call: Pick<PaymentCall, 'operation'>,
  answer: PaymentAnswer,
  waitsForUs: boolean,
): Exclude<CallState, 'open'> | undefined {
  if (answer.kind === 'declined') return 'declined';
  const { snapshot } = answer;
  const mustTryAgain = snapshot.status === 'requires_action' && snapshot.lastDecline !== undefined;
  if (call.operation === 'capture' && mustTryAgain) return 'declined';
  return paymentSettledBy(call, snapshot, waitsForUs);
}

/**
 * Whether a read shows that the call has had no effect so far. A status that is unmapped, or still moving, shows nothing;
 * an object we know that is not found is no proof of anything. A create is absent only where everything that was created
 * can be found, and it was not.
 */
export function paymentShowsAbsence(
  call: Pick<PaymentCall, 'operation'>,
  snapshot: PaymentSnapshot | undefined,
  channel: { readonly findable: boolean; readonly waitsForUs: boolean },
): boolean {
  if (call.operation === 'create') return snapshot === undefined && channel.findable;
  if (snapshot === undefined || snapshot.status === 'unknown') return false;
  return snapshot.status !== 'processing' || channel.waitsForUs;
}

/** What the command's caller is told once the call is settled as `state`, with the payment as it is after it. */
export function paymentResultOf(
  call: Pick<PaymentCall, 'operation'>,
  state: CallState,
  declineCode: string | null,
  payment: Payment,
): PaymentResult {
  if (state === 'executed') return { kind: 'done' };
  const { status } = payment;
  if (isPaymentClosed(status) && call.operation !== 'create')
    return { kind: 'refused', refusal: paymentClosedRefusal(status) };
  if (state !== 'declined') {
    const message = 'The command was not executed; repeat it.';
    return { kind: 'refused', refusal: refuse('PAYMENT_BUSY', { status }, message) };
  }
  if (call.operation === 'cancel' && declineCode === 'invalid_state')
    return { kind: 'refused', refusal: refuse('PAYMENT_NOT_CANCELLABLE', { status }) };
  const details = { operation: call.operation, decline_code: declineCode, status };
  const message = `The channel declined: ${declineCode ?? 'no reason given'}.`;
  return { kind: 'refused', refusal: refuse('CHANNEL_DECLINED', details, message) };
}
