/**
 * Events from PayPal: signed with a certificate that PayPal names in a header. The signature is over transmission id, time,
 * our webhook's id and the CRC-32 of the body's bytes, so the body must be as it came.
 */
import { verify, X509Certificate } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { ChannelFault, InvalidEventSignature } from '../../domain/channel';
import type { InboundEvent, World } from '../../domain/channel';
import type { InboundSubject } from '../../domain/channel-payment';
import type { PayPalClient } from './client';
import { parseJson } from './http';
import { readCustomId } from './identity';
import { parseEvent } from './wire';
import type { PayPalEvent } from './wire';

type Headers = Readonly<Record<string, string | undefined>>;

/** @throws InvalidEventSignature, or ChannelFault when the certificate cannot be had now (PayPal repeats the event) */
export type ParseEvent = (rawBody: Buffer, headers: Headers) => Promise<InboundEvent>;

/** Where certificates may come from; with an address of our own for the API, from there and nowhere else. */
const HOSTS: Readonly<Record<World, readonly string[]>> = {
  live: ['https://api.paypal.com', 'https://api-m.paypal.com'],
  test: ['https://api.sandbox.paypal.com', 'https://api-m.sandbox.paypal.com'],
};
const CERTIFICATE_PATH = /^\/v1\/notifications\/certs\/[A-Za-z0-9._-]{1,128}$/;
const ALGORITHM = 'SHA256withRSA';

const MAX_CERTIFICATE_BYTES = 64 * 1024;
const FETCH_TIMEOUT_MS = 5_000;
/** PayPal signs with one or two certificates at a time; the oldest of more is fetched again when it is needed. */
const MAX_CERTIFICATES = 8;
const MAX_PENDING = 4;
/**
 * PayPal repeats an event for 3 days and its documents do not say whether a repeat gets a new time: what is older is no
 * repeat. A replay within this time does no harm: events are stored once and the object is read again.
 */
const MAX_AGE_MS = 4 * 24 * 3_600_000;
const MAX_AHEAD_MS = 10 * 60_000;

export function createEventParser(
  client: PayPalClient,
  world: World,
  apiBase: string,
  webhookId: string,
): ParseEvent {
  const origins = apiBase === '' ? HOSTS[world] : [client.base.origin];
  const known = new Map<string, X509Certificate>();
  const pending = new Map<string, Promise<X509Certificate>>();

  async function certificateAt(url: URL): Promise<X509Certificate> {
    const certificate = known.get(url.href) ?? (await (pending.get(url.href) ?? fetchOnce(url)));
    known.set(url.href, certificate);
    const oldest = known.keys().next().value;
    if (known.size > MAX_CERTIFICATES && oldest !== undefined) known.delete(oldest);
    return certificate;
  }

  /** A burst of events asks once. Invented names are bounded too: they cost a request each, and push no known one out. */
  function fetchOnce(url: URL): Promise<X509Certificate> {
    if (pending.size >= MAX_PENDING) throw new ChannelFault('not_sent', 'busy');
    const fetched = client
      .fetchText(url, { timeoutMs: FETCH_TIMEOUT_MS, maxBytes: MAX_CERTIFICATE_BYTES })
      .then((pem) => new X509Certificate(pem))
      .finally(() => pending.delete(url.href));
    pending.set(url.href, fetched);
    return fetched;
  }

  return async (rawBody, headers) => {
    const signed = readHeaders(headers, origins);
    const certificate = await certificateAt(signed.certificateUrl).catch((error: unknown) => {
      if (error instanceof ChannelFault) throw new ChannelFault('not_sent', `certificate:${error.reason}`);
      throw new InvalidEventSignature('the certificate of this PayPal event cannot be read');
    });
    const message = `${signed.id}|${signed.time}|${webhookId}|${crc32(rawBody)}`;
    if (webhookId === '' || !isSigned(message, signed.signature, certificate)) {
      throw new InvalidEventSignature('the signature of this PayPal event does not hold');
    }
    const event = parseEvent(parseJson(rawBody.toString('utf8')));
    if (!event.success) throw new InvalidEventSignature('this PayPal event has no form that is known');
    return toInboundEvent(event.data);
  };
}

interface SignedHeaders {
  readonly id: string;
  readonly time: string;
  readonly signature: Buffer;
  readonly certificateUrl: URL;
}

/** Everything that can be refused before anything is fetched. @throws InvalidEventSignature */
function readHeaders(headers: Headers, origins: readonly string[]): SignedHeaders {
  const read = (name: string): string => {
    const value = headers[`paypal-${name}`];
    if (value === undefined || value === '' || value.length > 2_000) {
      throw new InvalidEventSignature(`this PayPal event has no paypal-${name}`);
    }
    return value;
  };
  if (read('auth-algo') !== ALGORITHM) throw new InvalidEventSignature('an unknown paypal-auth-algo');
  const time = read('transmission-time');
  const ageMs = Date.now() - Date.parse(time);
  if (!(ageMs < MAX_AGE_MS && ageMs > -MAX_AHEAD_MS)) {
    throw new InvalidEventSignature('this PayPal event is not of these days');
  }
  const text = read('cert-url');
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isTheirs =
    url !== undefined &&
    origins.includes(url.origin) &&
    url.username === '' &&
    url.password === '' &&
    url.search === '' &&
    CERTIFICATE_PATH.test(url.pathname);
  if (!isTheirs) throw new InvalidEventSignature('the paypal-cert-url is not at PayPal');
  const signature = Buffer.from(read('transmission-sig'), 'base64');
  return { id: read('transmission-id'), time, signature, certificateUrl: url };
}

function isSigned(message: string, signature: Buffer, certificate: X509Certificate): boolean {
  const now = Date.now();
  if (now < Date.parse(certificate.validFrom) || now > Date.parse(certificate.validTo)) return false;
  if (certificate.publicKey.asymmetricKeyType !== 'rsa') return false;
  return verify('sha256', Buffer.from(message), certificate.publicKey, signature);
}

function toInboundEvent(event: PayPalEvent): InboundEvent {
  const { resource } = event;
  const custom = resource.custom_id ?? resource.purchase_units?.[0]?.custom_id;
  const { holdfastId } = readCustomId(custom);
  const objectId = objectOf(event);
  return {
    eventId: event.id,
    type: event.event_type,
    subject: subjectOf(event.event_type, holdfastId),
    ...(objectId === undefined ? {} : { objectId }),
    ...(holdfastId === undefined ? {} : { holdfastId }),
  };
}

/** An order is a payment or a hold: the identity we gave it tells which. */
function subjectOf(type: string, holdfastId: string | undefined): InboundSubject {
  if (type.startsWith('CUSTOMER.DISPUTE.')) return 'dispute';
  if (/^PAYMENT\.(REFUND\.|CAPTURE\.(REFUNDED|REVERSED)$)/.test(type)) return 'refund';
  if (type.startsWith('PAYMENT.AUTHORIZATION.')) return 'pre_auth';
  if (!/^(CHECKOUT|PAYMENT\.CAPTURE)[.-]/.test(type)) return 'other';
  return holdfastId?.startsWith('pre-auth/') === true ? 'pre_auth' : 'payment';
}

/** The order where the event names it; else the capture, which is what a refund and a dispute are about. */
function objectOf({ event_type: type, resource }: PayPalEvent): string | undefined {
  if (type.startsWith('CHECKOUT.ORDER.')) return resource.id;
  const order = resource.order_id ?? resource.supplementary_data?.related_ids?.order_id;
  if (order !== undefined) return order;
  const disputed = resource.disputed_transactions?.[0]?.seller_transaction_id;
  if (disputed !== undefined) return disputed;
  const parent = resource.links?.find(({ rel }) => rel === 'up')?.href;
  return parent === undefined ? undefined : /\/captures\/([A-Za-z0-9]+)$/.exec(parent)?.[1];
}
