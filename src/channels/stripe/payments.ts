/** Stripe's verbs for payments: PaymentIntents whose money is taken at once when the customer confirms. */
import type Stripe from 'stripe';
import type { CallIdentity, Exchange } from '../../domain/channel';
import type {
  CreatePaymentRequest,
  PaymentAnswer,
  PaymentSnapshot,
  PaymentVerbs,
} from '../../domain/channel-payment';
import { toStripeAmount } from './amounts';
import { attempt, EXPAND_CHARGE, findIntents, isDecline, notExpressible, readRefused } from './attempt';
import type { StripeClient } from './client';
import { OUR_CANCELLATION_REASON, toCustomerStep } from './mapping';
import { answerWith, toPaymentAnswer, toPaymentSnapshot } from './payment-mapping';

type Verbs = Pick<
  PaymentVerbs,
  'createPayment' | 'queryPayment' | 'findPayments' | 'completePayment' | 'needsCompletion' | 'cancelPayment'
>;

export function paymentVerbs(client: StripeClient): Verbs {
  return {
    createPayment: (request, call, exchange) => create(client, request, call, exchange),
    queryPayment: (id, exchange) => query(client, id, exchange),
    findPayments: (call, created, exchange) =>
      findIntents(client, call, created, exchange, toPaymentSnapshot),
    completePayment: (id, _call, exchange) => complete(client, id, exchange),
    // The confirmation is the money: there is nothing to complete.
    needsCompletion: () => false,
    cancelPayment: (request, call, exchange) => cancel(client, request.channelPaymentNo, call, exchange),
  };
}

async function create(
  client: StripeClient,
  request: CreatePaymentRequest,
  call: CallIdentity,
  exchange: Exchange,
): ReturnType<PaymentVerbs['createPayment']> {
  const amount = toStripeAmount(request);
  if ('refusal' in amount) return { answer: notExpressible(request), customer: {} };
  // Not sent: expiresAtUnixSeconds, because a PaymentIntent has no end of its own; our cancel is its end.
  const params: Stripe.PaymentIntentCreateParams = {
    amount: amount.amount,
    currency: request.currency.toLowerCase(),
    capture_method: 'automatic',
    // Whatever the account has enabled. Means that lead the customer away need an address to come back to, which the
    // browser gives with the confirmation; a merchant that named none has none.
    automatic_payment_methods: {
      enabled: true,
      allow_redirects: request.returnUrl === undefined ? 'never' : 'always',
    },
    metadata: {
      holdfast_id: call.holdfastId,
      holdfast_call: call.holdfastCall,
      payment_no: request.paymentNo,
      order_no: request.orderNo,
      type: 'payment',
    },
    ...(request.customerEmail === undefined ? {} : { receipt_email: request.customerEmail }),
    ...(request.description === undefined ? {} : { description: request.description }),
    expand: EXPAND_CHARGE,
  };
  const created = await attempt(client, exchange, async () => {
    const intent = await client.stripe.paymentIntents.create(params, { idempotencyKey: call.idempotencyKey });
    return { answer: toPaymentAnswer(intent), customer: toCustomerStep(intent) };
  });
  return isDecline(created) ? { answer: created, customer: {} } : created;
}

async function query(
  client: StripeClient,
  id: string,
  exchange: Exchange,
): Promise<PaymentSnapshot | undefined> {
  const read = await attempt(client, exchange, async () =>
    toPaymentSnapshot(await client.stripe.paymentIntents.retrieve(id, { expand: EXPAND_CHARGE })),
  );
  if (!isDecline(read)) return read;
  if (read.code === 'object_not_found') return undefined;
  throw readRefused(read);
}

async function complete(client: StripeClient, id: string, exchange: Exchange): Promise<PaymentAnswer> {
  const snapshot = await query(client, id, exchange);
  if (snapshot !== undefined) return answerWith(snapshot);
  return { kind: 'declined', code: 'object_not_found', providerCode: 'resource_missing' };
}

async function cancel(
  client: StripeClient,
  id: string,
  call: CallIdentity,
  exchange: Exchange,
): Promise<PaymentAnswer> {
  const params = { cancellation_reason: OUR_CANCELLATION_REASON, expand: EXPAND_CHARGE } as const;
  const key = { idempotencyKey: call.idempotencyKey };
  return attempt(client, exchange, async () =>
    toPaymentAnswer(await client.stripe.paymentIntents.cancel(id, params, key)),
  );
}
