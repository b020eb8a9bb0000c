/** Events: which to enable at Stripe, and how one is read. */
import type Stripe from 'stripe';
import { InvalidEventSignature } from '../../domain/channel';
import type { InboundEvent } from '../../domain/channel';

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
  'payment_intent.processing',
  'charge.refunded',
  'charge.refund.updated',
  'refund.created',
  'refund.updated',
  'refund.failed',
  'charge.dispute.created',
  'charge.dispute.updated',
  'charge.dispute.closed',
] as const;

/**
 * A verified event. Whatever it tells of (charge, refund, dispute), its object is the PaymentIntent, which is what is
 * read again. A refund carries the identity of the refund's own call, the others that of the create, a dispute none.
 * @throws InvalidEventSignature
 */
export function parseEvent(
  stripe: Stripe,
  secret: string,
  rawBody: Buffer,
  headers: Readonly<Record<string, string | undefined>>,
): InboundEvent {
  const event = verify(stripe, secret, rawBody, headers['stripe-signature'] ?? '');
  const object = event.data.object as {
    object?: string;
    id?: string;
    payment_intent?: string | { id: string } | null;
    metadata?: Record<string, string> | null;
  };
  const intent = object.object === 'payment_intent' ? object.id : object.payment_intent;
  const objectId = typeof intent === 'string' ? intent : intent?.id;
  const holdfastId = object.metadata?.['holdfast_id'];
  const key = event.request?.idempotency_key;
  return {
    eventId: event.id,
    type: event.type,
    ...(objectId === undefined ? {} : { objectId }),
    ...(holdfastId === undefined ? {} : { holdfastId }),
    ...(typeof key === 'string' ? { causedByKey: key } : {}),
  };
}

function verify(stripe: Stripe, secret: string, rawBody: Buffer, signature: string): Stripe.Event {
  try {
    return stripe.webhooks.constructEvent(rawBody, signature, secret);
  } catch {
    // The SDK's message quotes the body: it is not passed on.
    throw new InvalidEventSignature('the signature of this Stripe event does not hold');
  }
}
