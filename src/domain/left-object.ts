/**
 * What stands at a channel that a payment or hold has left, or that never had it as far as its row knows. There should be
 * nothing: what its customer can still pay is cancelled, and so is what is held; what was taken is late money.
 */
import type { HoldSnapshot } from './channel';
import type { PaymentSnapshot } from './channel-payment';

export interface LeftShown {
  /** `live`: it can still be paid, or money is held. `over`: neither. `unclear`: a status without a meaning, read again. */
  readonly state: 'live' | 'over' | 'unclear';
  readonly currency: string;
  /** Taken for good, refunds not subtracted. Minor units, as `held`. */
  readonly taken: number;
  readonly held: number;
  /** Something of it has gone back. A hold does not tell. */
  readonly isRefunded: boolean;
  /** The number of its money, where that is another one. */
  readonly tradeNo?: string;
}

/** Pure. */
export function leftShown(snapshot: PaymentSnapshot | HoldSnapshot): LeftShown {
  const { currency } = snapshot;
  if (!('amountPaid' in snapshot)) {
    const { status, amountCaptured: taken, amountCapturable } = snapshot;
    const held = status === 'requires_capture' ? amountCapturable : 0;
    return { state: stateOf(status), currency, taken, held, isRefunded: false };
  }
  const { status, amountPaid: taken, amountRefunded, channelTradeNo: tradeNo } = snapshot;
  const isRefunded = amountRefunded > 0;
  const shown = { state: stateOf(status), currency, taken, held: 0, isRefunded };
  return tradeNo === undefined ? shown : { ...shown, tradeNo };
}

function stateOf(status: PaymentSnapshot['status'] | HoldSnapshot['status']): LeftShown['state'] {
  switch (status) {
    case 'requires_payment_method':
    case 'requires_confirmation':
    case 'requires_action':
    case 'processing':
    case 'requires_capture':
      return 'live';
    case 'succeeded':
    case 'canceled':
    case 'failed':
      return 'over';
    case 'unknown':
      return 'unclear';
  }
}
