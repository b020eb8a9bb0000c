/** Events: which to enable at Stripe, and how one is read. */
import type Stripe from 'stripe';
import { InvalidEventSignature } from '../../domain/channel';
import type { InboundEvent } from '../../domain/channel';
import type { InboundSubject } from '../../domain/channel-payment';

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
    subject: subjectOf(event.type, holdfastId),
    ...(objectId === undefined ? {} : { objectId }),
    ...(holdfastId === undefined ? {} : { holdfastId }),
    ...(typeof key === 'string' ? { causedByKey: key } : {}),
  };
}

/** A PaymentIntent is a payment or a hold: only the identity we gave it tells which, and both are read the same way. */
function subjectOf(type: string, holdfastId: string | undefined): InboundSubject {
  if (type.startsWith('charge.dispute.')) return 'dispute';
  if (type === 'charge.refunded' || type.startsWith('charge.refund.') || type.startsWith('refund.'))
    return 'refund';
  if (!/^(payment_intent|charge)\./.test(type)) return 'other';
  return holdfastId?.startsWith('pre-auth/') === true ? 'pre_auth' : 'payment';
}

function verify(stripe: Stripe, secret: string, rawBody: Buffer, signature: string): Stripe.Event {
  try {
    return stripe.webhooks.constructEvent(rawBody, signature, secret);
  } catch {
    // The SDK's message quotes the body: it is not passed on.
    throw new InvalidEventSignature('the signature of this Stripe event does not hold');
  }
}
