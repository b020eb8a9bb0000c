/** What Stripe can do, before an account's contract adds to it. */
import type { ChannelCapabilities } from '../../domain/channel';
import type { PaymentCapabilities } from '../../domain/channel-payment';
import { STRIPE_AMOUNT_BOUNDS, STRIPE_CURRENCIES } from './amounts';

/** Keys may be pruned after 24 h, and then the same key executes again: an hour of margin. */
const KEY_HORIZON_SECONDS = 23 * 3600;

export const STRIPE_CAPABILITIES: ChannelCapabilities = {
  preAuth: true,
  partialCapture: true,
  // Exists on IC+ contracts only; an account's contract switches it on.
  multipleCaptures: false,
  currencies: STRIPE_CURRENCIES,
  // Customer-initiated online payments with the common networks; what a charge says in capture_before is what counts.
  holdValiditySeconds: 7 * 24 * 3600,
  idempotencyHorizonSeconds: KEY_HORIZON_SECONDS,
};

export const STRIPE_PAYMENT_CAPABILITIES: PaymentCapabilities = {
  currencies: STRIPE_CURRENCIES,
  amounts: STRIPE_AMOUNT_BOUNDS,
  refunds: true,
  partialRefunds: true,
  createHorizonSeconds: KEY_HORIZON_SECONDS,
  horizonSeconds: KEY_HORIZON_SECONDS,
  findable: true,
  payerDecidesAmount: false,
};
