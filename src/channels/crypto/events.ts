/** BTCPay's webhooks: verified, and read no further than what is needed to find the object. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { InvalidEventSignature } from '../../domain/channel';
import type { InboundEvent } from '../../domain/channel';
import type { InboundSubject } from '../../domain/channel-payment';
import { eventShape } from './wire';

/** The events to enable for Holdfast's webhook at BTCPay. Others are stored and do no harm. */
export const CRYPTO_EVENTS = [
  'InvoiceReceivedPayment',
  'InvoicePaymentSettled',
  'InvoiceProcessing',
  'InvoiceExpired',
  'InvoiceSettled',
  'InvoiceInvalid',
  'InvoiceExpiredPaidPartial',
  'InvoicePaidAfterExpiration',
  'PayoutCreated',
  'PayoutApproved',
  'PayoutUpdated',
] as const;

/** What an event is about. A payout belongs to a refund, whose number is the pull payment's. */
export function subjectOf(type: string): InboundSubject {
  if (type.startsWith('Invoice')) return 'payment';
  return type.startsWith('Payout') ? 'refund' : 'other';
}

/** The `BTCPay-Sig` header for these bytes. */
export function signatureOf(secret: string, rawBody: Buffer): string {
  return `sha256=${createHmac('sha256', secret).update(rawBody).digest('hex')}`;
}

/**
 * The event id is the first delivery's: a redelivery has a delivery id of its own and names the original, so the event
 * is stored once. For a first delivery both are the same.
 * @throws InvalidEventSignature also for a body that is signed and no event of this store
 */
export function parseCryptoEvent(
  account: { readonly webhookSecret: string; readonly storeId: string },
  rawBody: Buffer,
  headers: Readonly<Record<string, string | undefined>>,
): InboundEvent {
  const given = Buffer.from(headers['btcpay-sig'] ?? '');
  const expected = Buffer.from(signatureOf(account.webhookSecret, rawBody));
  // An empty secret would accept what anybody can sign.
  const isOurs =
    account.webhookSecret !== '' && given.length === expected.length && timingSafeEqual(given, expected);
  if (!isOurs) throw new InvalidEventSignature('the signature of this BTCPay event does not hold');
  const parsed = eventShape.safeParse(readJson(rawBody));
  if (!parsed.success) throw new InvalidEventSignature('this is signed, but no BTCPay event');
  const { deliveryId, originalDeliveryId, type, storeId, invoiceId, pullPaymentId, metadata } = parsed.data;
  if (typeof storeId === 'string' && storeId !== account.storeId) {
    throw new InvalidEventSignature('this BTCPay event is of another store');
  }
  const objectId = subjectOf(type) === 'refund' ? pullPaymentId : invoiceId;
  const holdfastId = metadata?.['holdfast_id'];
  return {
    eventId:
      typeof originalDeliveryId === 'string' && originalDeliveryId !== '' ? originalDeliveryId : deliveryId,
    type,
    subject: subjectOf(type),
    ...(typeof objectId === 'string' ? { objectId } : {}),
    ...(typeof holdfastId === 'string' ? { holdfastId } : {}),
  };
}

function readJson(rawBody: Buffer): unknown {
  try {
    return JSON.parse(rawBody.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
