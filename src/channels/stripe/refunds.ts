/** Stripe's verbs for money that goes back: refunds of payments and of captured holds, and disputes. */
import type Stripe from 'stripe';
import type { CallIdentity, Exchange } from '../../domain/channel';
import type {
  CreateRefundRequest,
  DisputeSnapshot,
  PaymentVerbs,
  RefundAnswer,
  RefundSnapshot,
  RefundTarget,
} from '../../domain/channel-payment';
import { toStripeAmount } from './amounts';
import { attempt, isDecline, notExpressible, PAGE_SIZE, readRefused, wholeList } from './attempt';
import type { StripeClient } from './client';
import { isRelease, toDisputeSnapshot, toRefundAnswer, toRefundSnapshot } from './payment-mapping';

export function refundVerbs(
  client: StripeClient,
): Pick<PaymentVerbs, 'createRefund' | 'listRefunds' | 'listDisputes'> {
  return {
    createRefund: (request, call, exchange) => create(client, request, call, exchange),
    listRefunds: (target, exchange) => list(client, target, exchange),
    listDisputes: (target, exchange) => disputes(client, target, exchange),
  };
}

async function create(
  client: StripeClient,
  request: CreateRefundRequest,
  call: CallIdentity,
  exchange: Exchange,
): Promise<RefundAnswer> {
  const amount = toStripeAmount(request);
  if ('refusal' in amount) return notExpressible(request);
  // request.reason is not sent: Stripe takes three words there, one of which blocks the customer's card.
  const params: Stripe.RefundCreateParams = {
    payment_intent: request.target.channelNo,
    amount: amount.amount,
    metadata: {
      holdfast_id: call.holdfastId,
      holdfast_call: call.holdfastCall,
      refund_no: request.refundNo,
    },
  };
  const key = { idempotencyKey: call.idempotencyKey };
  return attempt(client, exchange, async () =>
    toRefundAnswer(await client.stripe.refunds.create(params, key)),
  );
}

async function list(
  client: StripeClient,
  target: RefundTarget,
  exchange: Exchange,
): Promise<readonly RefundSnapshot[]> {
  const listed = await attempt(client, exchange, async () => {
    const pages = client.stripe.refunds.list({ payment_intent: target.channelNo, limit: PAGE_SIZE });
    return (await wholeList(pages)).filter((refund) => !isRelease(refund)).map(toRefundSnapshot);
  });
  if (isDecline(listed)) throw readRefused(listed);
  return listed;
}

async function disputes(
  client: StripeClient,
  target: RefundTarget,
  exchange: Exchange,
): Promise<readonly DisputeSnapshot[]> {
  const listed = await attempt(client, exchange, async () => {
    const pages = client.stripe.disputes.list({ payment_intent: target.channelNo, limit: PAGE_SIZE });
    return (await wholeList(pages)).map((dispute) => toDisputeSnapshot(dispute, target.channelNo));
  });
  if (isDecline(listed)) throw readRefused(listed);
  return listed;
}
