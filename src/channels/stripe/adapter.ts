/**
 * One Stripe account: the verbs for holds (PaymentIntents with manual capture) are here, those for payments in payments.ts,
 * for refunds and disputes in refunds.ts. Validate, call, map; the tables decide.
 */
import type Stripe from 'stripe';
import type {
  CallIdentity,
  CancelPreAuthRequest,
  CapturePreAuthRequest,
  ChannelAccount,
  ChannelAdapter,
  CreatePreAuthRequest,
  Exchange,
  HoldAnswer,
  HoldSnapshot,
} from '../../domain/channel';
import type { PaymentVerbs } from '../../domain/channel-payment';
import { toStripeAmount } from './amounts';
import { attempt, EXPAND_CHARGE, findIntents, isDecline, notExpressible, readRefused } from './attempt';
import { createStripeClient } from './client';
import type { StripeClient } from './client';
import { parseEvent } from './events';
import { OUR_CANCELLATION_REASON, toAnswer, toCustomerStep, toSnapshot } from './mapping';
import { paymentVerbs } from './payments';
import { refundVerbs } from './refunds';

export interface StripeAdapter extends ChannelAdapter, PaymentVerbs {
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
    findPreAuths: (call, created, exchange) => findIntents(client, call, created, exchange, toSnapshot),
    parseInboundEvent: (body, headers) =>
      parseEvent(client.stripe, account.credentials['webhook_secret'] ?? '', body, headers),
    ...paymentVerbs(client),
    ...refundVerbs(client),
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
