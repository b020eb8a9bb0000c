/**
 * What BTCPay keeps of our identity. An invoice has an indexed orderId; a pull payment has only a name (50 characters)
 * and a description, which the customer sees on the claim page: no secret and no personal datum goes there.
 */
import { createHash } from 'node:crypto';
import type { CallIdentity } from '../../domain/channel';

/** Two merchants on one store may use the same numbers, so it is the workflow's identity that is hashed. */
function hashOf({ holdfastId, holdfastCall }: Pick<CallIdentity, 'holdfastId' | 'holdfastCall'>): string {
  return createHash('sha256')
    .update(JSON.stringify([holdfastId, holdfastCall]))
    .digest('hex')
    .slice(0, 40);
}

export function orderIdOf(call: CallIdentity): string {
  return `HF-${hashOf(call)}`;
}

export function refundNameOf(call: CallIdentity): string {
  return `HF-${hashOf(call)}`;
}

/** The name BTCPay's dashboard gives to a refund that is made there. */
export function dashboardRefundName(invoiceId: string): string {
  return `Refund ${invoiceId}`;
}

export interface RefundIdentity {
  readonly invoiceId: string;
  readonly refundNo: string;
  readonly holdfastId: string;
  readonly holdfastCall: string;
}

const FIELDS = ['invoice', 'refund_no', 'holdfast_id', 'holdfast_call'] as const;

/** One line without characters that HTML would change. */
export function describeRefund(identity: RefundIdentity): string {
  const { invoiceId, refundNo, holdfastId, holdfastCall } = identity;
  const values = [invoiceId, refundNo, holdfastId, holdfastCall];
  return FIELDS.map((field, at) => `${field}=${encodeURIComponent(values[at] ?? '')}`).join('; ');
}

/** undefined: not one of our descriptions. */
export function readRefundDescription(description: string): RefundIdentity | undefined {
  const parts = description.split('; ').map((part) => part.split('='));
  if (parts.length !== FIELDS.length || parts.some(([name], at) => name !== FIELDS[at])) return undefined;
  try {
    const [invoiceId = '', refundNo = '', holdfastId = '', holdfastCall = ''] = parts.map(([, value = '']) =>
      decodeURIComponent(value),
    );
    return { invoiceId, refundNo, holdfastId, holdfastCall };
  } catch {
    return undefined;
  }
}
