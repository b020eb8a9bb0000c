/** What Stripe can do with holds, before an account's contract adds to it. */
import type { ChannelCapabilities } from '../../domain/channel';
import { STRIPE_CURRENCIES } from './amounts';

export const STRIPE_CAPABILITIES: ChannelCapabilities = {
  preAuth: true,
  partialCapture: true,
  // Exists on IC+ contracts only; an account's contract switches it on.
  multipleCaptures: false,
  currencies: STRIPE_CURRENCIES,
  // Customer-initiated online payments with the common networks; what a charge says in capture_before is what counts.
  holdValiditySeconds: 7 * 24 * 3600,
  // Keys may be pruned after 24 h, and then the same key executes again: an hour of margin.
  idempotencyHorizonSeconds: 23 * 3600,
};
