/** How much of a payment or a captured hold can be given back, and the judgement of what is asked for. */
import type { ChannelName } from './channel';
import type { PaymentCapabilities } from './channel-payment';
import { refuse } from './errors';
import type { Refusal } from './errors';
import { formatMoney } from './money';
import type { RefundedKind } from './refund';

/** The figures of a payment or hold that a refund is judged by. Minor units. */
export interface Refundable {
  readonly kind: RefundedKind;
  readonly status: string;
  readonly channel: ChannelName;
  readonly currency: string;
  /** Paid, or captured. */
  readonly paid: number;
  /** By refunds of ours, under way or done. */
  readonly reserved: number;
  /** By refunds made by hand at the channel. */
  readonly refundedExternal: number;
  /** By disputes that are open or lost. */
  readonly disputed: number;
}

/** Money is there to be given back only after these. */
const PAID_STATUS: Readonly<Record<RefundedKind, string>> = { payment: 'success', pre_auth: 'succeeded' };

/** What is neither given back nor reserved, disputed or not. */
function leftOf({ paid, reserved, refundedExternal }: Refundable): number {
  return Math.max(paid - reserved - refundedExternal, 0);
}

/** What can be given back now. */
export function refundableAmount(refundable: Refundable): number {
  return Math.max(leftOf(refundable) - refundable.disputed, 0);
}

/**
 * Whether this can be given back.
 * @param asked minor units; undefined: all that can be
 */
export function judgeRefund(
  refundable: Refundable,
  asked: number | undefined,
  can: Pick<PaymentCapabilities, 'refunds' | 'partialRefunds'>,
): { readonly amount: number } | Refusal {
  const { status, channel, currency, paid, disputed } = refundable;
  if (status !== PAID_STATUS[refundable.kind] || paid === 0)
    return refuse('PAYMENT_NOT_REFUNDABLE', { status });
  if (!can.refunds) return refuse('REFUND_NOT_SUPPORTED', { channel });
  const possible = refundableAmount(refundable);
  const amount = asked ?? possible;
  if (amount === 0 || amount > possible) {
    const figures = { ...(asked !== undefined && { amount: asked }), amount_refundable: possible };
    const left = leftOf(refundable);
    if (left > 0 && (asked ?? left) <= left)
      return refuse('REFUND_DISPUTED', { ...figures, amount_disputed: disputed });
    const message = `The refund is more than what can be given back (${formatMoney({ amount: possible, currency })}).`;
    return refuse('REFUND_EXCEEDS_PAID', figures, message);
  }
  if (!can.partialRefunds && amount !== paid)
    return refuse('PARTIAL_REFUND_NOT_SUPPORTED', { channel, amount, amount_paid: paid });
  return { amount };
}
