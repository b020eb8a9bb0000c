/** Stripe's verbs for holds: PaymentIntents with manual capture. Validate, call, map; the tables decide. */
import type Stripe from 'stripe';
import { ChannelFault, InvalidEventSignature } from '../../domain/channel';
import type {
  CallIdentity,
  CancelPreAuthRequest,
  CapturePreAuthRequest,
  ChannelAccount,
  ChannelAdapter,
  CreatePreAuthRequest,
  CustomerStep,
  Decline,
  Exchange,
  HoldAnswer,
  HoldSnapshot,
  InboundEvent,
} from '../../domain/channel';
import type { Money } from '../../domain/money';
import { toStripeAmount } from './amounts';
import { createStripeClient, ExchangeFailure } from './client';
import type { StripeClient } from './client';
import { meaningOf, readFailure } from './errors';
import { OUR_CANCELLATION_REASON, toAnswer, toCustomerStep, toSnapshot } from './mapping';

const EXPAND_CHARGE = ['latest_charge'];
const PAGE_SIZE = 100;
/** Beyond this many objects a list proves nothing in reasonable time. */
const MAX_LISTED = 10_000;
/** Stripe's clock is not ours: the list begins this much earlier, and the identity filters. */
const CLOCK_MARGIN_SECONDS = 60;

export interface StripeAdapter extends ChannelAdapter {
  /** Closes idle connections. */
  close(): void;
}

/**
 * @param account credentials `secret_key`, and `webhook_secret` for inbound events
 * @param apiBase where Stripe is; empty: Stripe itself
 */
export function createStripeAdapter(account: ChannelAccount, apiBase: string): StripeAdapter {
  const client = createStripeClient(account.credentials['secret_key'] ?? '', apiBase);
  const hasMultipleCaptures = account.contract.multipleCaptures === true;
  return {
    channel: 'stripe',
    createPreAuth: (request, call, exchange) => create(client, request, call, exchange, hasMultipleCaptures),
    capturePreAuth: (request, call, exchange) =>
      capture(client, request, call, exchange, hasMultipleCaptures),
    cancelPreAuth: (request, call, exchange) => cancel(client, request, call, exchange),
    queryPreAuth: (id, exchange) => query(client, id, exchange),
    findPreAuths: (call, created, exchange) => find(client, call, created, exchange),
    parseInboundEvent: (body, headers) =>
      parseEvent(client.stripe, account.credentials['webhook_secret'] ?? '', body, headers),
    close: () => client.close(),
  };
}

async function create(
  client: StripeClient,
  request: CreatePreAuthRequest,
  call: CallIdentity,
  exchange: Exchange,
  hasMultipleCaptures: boolean,
) {
  const amount = toStripeAmount(request);
  if ('refusal' in amount) return { answer: notExpressible(request), customer: {} };
  const params: Stripe.PaymentIntentCreateParams = {
    amount: amount.amount,
    currency: request.currency.toLowerCase(),
    capture_method: 'manual',
    // Cards only: they are what Stripe can hold for days. return_url is not for this call: it belongs to the confirmation.
    allowed_payment_method_types: ['card'],
    ...(hasMultipleCaptures
      ? { payment_method_options: { card: { request_multicapture: 'if_available' } } }
      : {}),
    metadata: {
      holdfast_id: call.holdfastId,
      holdfast_call: call.holdfastCall,
      pre_auth_no: request.preAuthNo,
      order_no: request.orderNo,
      type: 'pre_auth',
    },
    ...(request.customerEmail === undefined ? {} : { receipt_email: request.customerEmail }),
    ...(request.description === undefined ? {} : { description: request.description }),
    expand: EXPAND_CHARGE,
  };
  const created = await attempt(client, exchange, async () => {
    const intent = await client.stripe.paymentIntents.create(params, { idempotencyKey: call.idempotencyKey });
    return { answer: toAnswer(intent), customer: toCustomerStep(intent) };
  });
  return isDecline(created) ? { answer: created, customer: {} } : created;
}

async function capture(
  client: StripeClient,
  request: CapturePreAuthRequest,
  call: CallIdentity,
  exchange: Exchange,
  hasMultipleCaptures: boolean,
): Promise<HoldAnswer> {
  const amount = toStripeAmount(request);
  if ('refusal' in amount) return notExpressible(request);
  const params: Stripe.PaymentIntentCaptureParams = {
    amount_to_capture: amount.amount,
    ...(hasMultipleCaptures ? { final_capture: request.final } : {}),
    // Metadata is merged, so this is a name of its own: holdfast_call stays the call that created the hold.
    metadata: { holdfast_capture: call.holdfastCall },
    expand: EXPAND_CHARGE,
  };
  const key = { idempotencyKey: call.idempotencyKey };
  return attempt(client, exchange, async () =>
    toAnswer(await client.stripe.paymentIntents.capture(request.channelPreAuthNo, params, key)),
  );
}

async function cancel(
  client: StripeClient,
  request: CancelPreAuthRequest,
  call: CallIdentity,
  exchange: Exchange,
): Promise<HoldAnswer> {
  const params: Stripe.PaymentIntentCancelParams = {
    cancellation_reason: OUR_CANCELLATION_REASON,
    expand: EXPAND_CHARGE,
  };
  const key = { idempotencyKey: call.idempotencyKey };
  return attempt(client, exchange, async () =>
    toAnswer(await client.stripe.paymentIntents.cancel(request.channelPreAuthNo, params, key)),
  );
}

async function query(
  client: StripeClient,
  id: string,
  exchange: Exchange,
): Promise<HoldSnapshot | undefined> {
  const read = await attempt(client, exchange, async () =>
    toSnapshot(await client.stripe.paymentIntents.retrieve(id, { expand: EXPAND_CHARGE })),
  );
  if (!isDecline(read)) return read;
  if (read.code === 'object_not_found') return undefined;
  throw readRefused(read);
}

async function find(
  client: StripeClient,
  call: CallIdentity,
  created: { fromUnixSeconds: number; toUnixSeconds: number },
  exchange: Exchange,
) {
  const found = await attempt(client, exchange, async () => {
    const matching: { snapshot: HoldSnapshot; customer: CustomerStep }[] = [];
    let listed = 0;
    const pages = client.stripe.paymentIntents.list({
      created: {
        gte: Math.max(Math.floor(created.fromUnixSeconds) - CLOCK_MARGIN_SECONDS, 0),
        lte: Math.ceil(created.toUnixSeconds) + CLOCK_MARGIN_SECONDS,
      },
      limit: PAGE_SIZE,
      expand: ['data.latest_charge'],
    });
    for await (const intent of pages) {
      // An incomplete list must not look like an empty one: that would be taken for a proof.
      if (++listed > MAX_LISTED) throw new ChannelFault('maybe_executed', 'list_too_long');
      const { holdfast_id: id, holdfast_call: name } = intent.metadata;
      if (id === call.holdfastId && name === call.holdfastCall) {
        matching.push({ snapshot: toSnapshot(intent), customer: toCustomerStep(intent) });
      }
    }
    return matching;
  });
  if (isDecline(found)) throw readRefused(found);
  return found;
}

/**
 * Runs one exchange, its mapping included: what Stripe refuses comes back as a decline, everything else (also a 200
 * whose body is no PaymentIntent) is thrown as a ChannelFault.
 */
async function attempt<T extends object>(
  client: StripeClient,
  exchange: Exchange,
  calls: () => Promise<T>,
): Promise<T | Decline> {
  try {
    return await client.exchange(exchange, calls);
  } catch (error) {
    if (!(error instanceof ExchangeFailure)) throw error;
    if (error.error instanceof ChannelFault) throw error.error;
    const meaning = meaningOf(readFailure(error.error, error.sent));
    if (meaning instanceof ChannelFault) throw meaning;
    return meaning;
  }
}

function isDecline(value: object): value is Decline {
  return 'kind' in value && value.kind === 'declined';
}

/** A read that Stripe refuses (a revoked key, say) tells nothing about the object. */
function readRefused(decline: Decline): ChannelFault {
  return new ChannelFault('maybe_executed', `read_refused:${decline.code}`);
}

/** The API asks checkAmount before it writes; this is the second lock on the same door. */
function notExpressible(money: Money): Decline {
  const isCurrency = 'refusal' in toStripeAmount({ ...money, amount: 1000 });
  return {
    kind: 'declined',
    code: isCurrency ? 'invalid_currency' : 'invalid_amount',
    providerCode: 'not_expressible',
  };
}

function parseEvent(
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
