/**
 * The events to enable for Holdfast's endpoint at Stripe. Others are stored and do no harm; they only repeat what these,
 * or the answers to our own calls, say.
 */
export const STRIPE_EVENTS = [
  'payment_intent.amount_capturable_updated',
  'payment_intent.requires_action',
  'payment_intent.payment_failed',
  'payment_intent.succeeded',
  'payment_intent.canceled',
  'charge.refunded',
  'charge.dispute.created',
  'charge.dispute.closed',
] as const;
