/**
 * Who a thing at PayPal belongs to. PayPal has no metadata: `custom_id` (127 characters, not shown to the payer, inherited
 * by captures) carries the identity, `invoice_id` (127 characters, unique per account, shown to the payer) a number.
 */
import { createHash } from 'node:crypto';
import type { CallIdentity } from '../../domain/channel';

const MAX_ID_LENGTH = 127;
const SEPARATOR = '|';
/** Behind the identity of an order that was cancelled before it was completed; see orders.ts. */
const CANCEL_MARK = `${SEPARATOR}void`;

export interface PayPalIdentity {
  readonly holdfastId?: string;
  readonly holdfastCall?: string;
  readonly isCancelled: boolean;
}

/** Letters and digits, stable: two merchants may use the same number on one account, so it is never the number alone. */
function hash(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length);
}

/** The key in PayPal's form. Hashed, because limits differ between its APIs (38 to 108 characters). */
export function requestId(call: CallIdentity): string {
  return `hf-${hash(call.idempotencyKey, 32)}`;
}

/** The renewal that a capture makes first is a call of its own to PayPal, and stands or falls with the capture's key. */
export function renewalOf(capture: CallIdentity): CallIdentity {
  return { ...capture, idempotencyKey: `${capture.idempotencyKey}-reauth` };
}

export function customId(call: CallIdentity): string {
  const text = `${call.holdfastId}${SEPARATOR}${call.holdfastCall}`;
  // Workflow ids have at most 110 characters; anything longer would be cut by PayPal and belong to nobody.
  return text.length + CANCEL_MARK.length <= MAX_ID_LENGTH ? text : `${SEPARATOR}${hash(text, 64)}`;
}

export function cancelledCustomId(known: string): string {
  return known.endsWith(CANCEL_MARK) ? known : `${known}${CANCEL_MARK}`;
}

export function readCustomId(text: string | undefined): PayPalIdentity {
  const isCancelled = text?.endsWith(CANCEL_MARK) === true;
  const bare = isCancelled ? text.slice(0, -CANCEL_MARK.length) : (text ?? '');
  const at = bare.lastIndexOf(SEPARATOR);
  if (at <= 0) return { isCancelled };
  return { holdfastId: bare.slice(0, at), holdfastCall: bare.slice(at + 1), isCancelled };
}

/**
 * The number of an order: what the payer reads in its history, and, for an account that blocks duplicate invoices (the
 * default), a second lock against paying twice, because every order of one payment has the same.
 */
export function orderInvoiceId(orderNo: string, call: CallIdentity): string {
  return `${orderNo}-${hash(call.holdfastId, 24)}`;
}

/** The number of one capture of a hold: a capture can carry no custom_id, so this is how ours is known again. */
export function captureInvoiceId(call: CallIdentity): string {
  return `HF-${hash(call.idempotencyKey, 24)}`;
}

/** The number of a refund: our refund_no and a proof that it is ours, which is why it is derived from the custom_id. */
export function refundInvoiceId(refundNo: string, call: CallIdentity): string {
  return `${refundNo}-${hash(customId(call), 24)}`;
}

const REFUND_INVOICE = /^(.{1,64})-([0-9a-f]{24})$/;

/** The refund_no, or undefined for a refund made by hand or by another system. */
export function readRefundNo(invoice: string | undefined, custom: string | undefined): string | undefined {
  const match = REFUND_INVOICE.exec(invoice ?? '');
  if (match === null || (custom !== undefined && match[2] !== hash(custom, 24))) return undefined;
  return match[1];
}
