/** What an API caller, an operator or time may ask of a payment, and the judgement whether it can be done now. */
import { refuse } from './errors';
import type { Refusal } from './errors';
import { isPaymentClosed } from './payment';
import type { Payment, PaymentStatus } from './payment';

export interface CancelPaymentCommand {
  readonly kind: 'cancel';
  /** Names the command for good: the idempotency record's id, or a signal's own key. */
  readonly commandId: string;
  readonly by?: string;
  readonly reason?: string;
  /** Of the API's commands; see `markedFor`. */
  readonly mark?: string;
}

/** The end of its time. */
export interface ExpirePaymentCommand {
  readonly kind: 'expiry';
  readonly commandId: 'expiry';
}

export const COMPLETE_COMMAND_ID = 'complete';

/** The customer has approved, and the channel waits for our word to take the money. */
export interface CompletePaymentCommand {
  readonly kind: 'complete';
  readonly commandId: typeof COMPLETE_COMMAND_ID;
}

export type PaymentCommand = CancelPaymentCommand | ExpirePaymentCommand | CompletePaymentCommand;

/** The end of a command, for whoever asked. */
export type PaymentResult =
  { readonly kind: 'done' } | { readonly kind: 'refused'; readonly refusal: Refusal };

export function paymentClosedRefusal(status: PaymentStatus): Refusal {
  return refuse('PAYMENT_CLOSED', { status }, `The payment is closed: its status is ${status}.`);
}

export function paymentBusyRefusal(status: PaymentStatus, running: string): Refusal {
  return refuse('PAYMENT_BUSY', { status, running });
}

/** Why the command cannot be carried out, from what we know; undefined when the channel may be asked. */
export function judgePaymentCommand(payment: Payment): Refusal | undefined {
  return isPaymentClosed(payment.status) ? paymentClosedRefusal(payment.status) : undefined;
}
