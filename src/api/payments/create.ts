/**
 * Create a payment. PostgreSQL first: one transaction holds everything that makes it a promise, then the workflow. Once
 * the row is committed the payment is accepted, whatever becomes of Temporal, the channel or this process.
 */
import { randomBytes } from 'node:crypto';
import type { PoolClient } from 'pg';
import { checkPaymentAmount } from '../../channels/registry';
import type { ChannelName } from '../../domain/channel';
import { CREATE_COMMAND_ID } from '../../domain/channel-call';
import { fail, HoldfastError } from '../../domain/errors';
import { generateNumber } from '../../domain/ids';
import { isPaymentClosed, paymentObject } from '../../domain/payment';
import { chooseChannel } from '../../routing/choose';
import type { Choice, ChosenAccount } from '../../routing/choose';
import type { RoutingDecision } from '../../domain/routing/types';
import { insertCall } from '../../stores/channel-calls';
import { findOrderClaim } from '../../stores/order-claims';
import { insertPayment, readPayment } from '../../stores/payments';
import type { NewPayment, PaymentRow } from '../../stores/payments';
import { withTransaction } from '../../stores/postgres';
import { ensureImplicitEndpoint } from '../../stores/webhook-endpoints';
import { checkWebhookUrl } from '../../webhooks/ssrf-guard';
import { canonicalHash } from '../idempotency';
import type { IdempotentRequest, Ownership } from '../idempotency';
import { refusalOfEnd } from '../pre-auth/ended';
import type { MerchantCaller, RouteAnswer } from '../route';
import { routingRequestOf } from '../routing/request';
import { assertActive, assertTakesNew } from '../suspension';
import type { PaymentDeps } from './deps';
import type { CreatePaymentBody } from './schemas';
import { showPayment } from './view';

export async function createPayment(
  deps: PaymentDeps,
  caller: MerchantCaller,
  body: CreatePaymentBody,
  idem: IdempotentRequest,
): Promise<RouteAnswer> {
  const number = generateNumber('PY', new Date(), randomBytes(8));
  return idem.run(number, async (own) => {
    const paymentNo = own.number ?? number;
    // A repeat is told what was begun before the suspension.
    const isRepeat = async () => (await readPayment(deps.db, caller.merchantId, paymentNo)) !== undefined;
    if (caller.status === 'suspended' && !(await isRepeat())) assertActive(caller);
    const request = routingRequestOf(deps, caller, body, 'payment', paymentNo);
    const choice = await chooseChannel(deps.router, deps.db, request);
    const { decision, channel } = choice;
    const account = eligibleAccount(body, choice);
    const notifyOrigin = checkedNotifyOrigin(deps, body.notify_url);
    const order = { caller, body, paymentNo, decision, channel, account, notifyOrigin };
    await withTransaction(deps.db, (tx) => insertAll(deps, tx, own, order));
    return answerFor(deps, order, own);
  });
}

/** Refuses, before anything is written, what this channel cannot take. */
function eligibleAccount(
  { amount, currency }: CreatePaymentBody,
  { channel, account: found }: Choice,
): ChosenAccount {
  const account = assertTakesNew(channel, found);
  const refusal = checkPaymentAmount(channel, { amount, currency }, account.contract);
  if (refusal !== undefined) throw new HoldfastError(refusal);
  return account;
}

function checkedNotifyOrigin(deps: PaymentDeps, notifyUrl: string | undefined): string | undefined {
  if (notifyUrl === undefined) return undefined;
  const verdict = checkWebhookUrl(notifyUrl, deps.webhookUrlPolicy);
  if (verdict.ok) return verdict.origin;
  const { code, reason } = verdict;
  throw fail('WEBHOOK_URL_NOT_ALLOWED', { field: 'notify_url', code, reason });
}

interface Order {
  readonly caller: MerchantCaller;
  readonly body: CreatePaymentBody;
  readonly paymentNo: string;
  readonly decision: RoutingDecision;
  readonly channel: ChannelName;
  readonly account: ChosenAccount;
  readonly notifyOrigin: string | undefined;
}

/** Row, order claim, decision, first channel call and idempotency record, or nothing. Does nothing when an earlier owner of this request did it. */
async function insertAll(deps: PaymentDeps, tx: PoolClient, own: Ownership, order: Order): Promise<void> {
  const { body, paymentNo, account, notifyOrigin } = order;
  const { merchantId } = order.caller;
  await own.insertWithin(tx);
  const bodyHash = canonicalHash(body);
  const inserted = await insertPayment(tx, rowOf(deps, order, bodyHash), order.decision);
  if (inserted === 'exists') {
    const existing = await readPayment(tx, merchantId, paymentNo);
    if (existing?.body_hash.equals(bodyHash) === true) return;
    throw new Error(`the generated number ${paymentNo} is taken`);
  }
  if (inserted === 'order_taken') {
    // Dropped between the two statements: the next try will get it, and "in progress" is what it was a moment ago.
    const claim = await findOrderClaim(tx, merchantId, body.order_no);
    const { kind, number, state } = claim ?? { state: 'live' };
    throw fail(state === 'paid' ? 'ORDER_ALREADY_PAID' : 'ORDER_IN_PROGRESS', { kind, number });
  }
  if (notifyOrigin !== undefined && !(await ensureImplicitEndpoint(tx, merchantId, notifyOrigin)))
    throw fail('WEBHOOK_ENDPOINT_LIMIT');
  await insertCall(tx, {
    object: paymentObject({ merchantId, paymentNo }),
    channelAccountId: account.id,
    operation: 'create',
    amount: body.amount,
    currency: body.currency,
    final: true,
    commandId: CREATE_COMMAND_ID,
    sentNow: false,
  });
}

function rowOf(
  deps: PaymentDeps,
  { caller, body, paymentNo, decision, channel, account }: Order,
  bodyHash: Buffer,
): NewPayment {
  return {
    merchant_id: caller.merchantId,
    payment_no: paymentNo,
    order_no: body.order_no,
    world: caller.world,
    channel,
    channel_account_id: account.id,
    currency: body.currency,
    amount: body.amount,
    customer_email: body.customer_email ?? null,
    description: body.description ?? null,
    country: decision.country?.code ?? null,
    return_url: body.return_url ?? null,
    notify_url: body.notify_url ?? null,
    metadata: body.metadata ?? {},
    body_hash: bodyHash,
    expires_in_seconds: body.expires_in ?? deps.expiresInSeconds,
  };
}

async function answerFor(deps: PaymentDeps, order: Order, own: Ownership): Promise<RouteAnswer> {
  const { paymentNo } = order;
  const known = own.takenOver ? await readPayment(deps.db, order.caller.merchantId, paymentNo) : undefined;
  const row = known !== undefined && isAnswered(known) ? known : await awaitChannel(deps, order, own);
  if (isPaymentClosed(row.status)) {
    const refusal = refusalOfEnd({ ...row, channelNo: row.channel_payment_no }, { payment_no: paymentNo });
    if (refusal !== undefined) throw new HoldfastError(refusal);
  }
  const data = await showPayment(deps, row);
  return isAnswered(row) ? { status: 201, data, message: 'Payment created' } : acceptedAnswer(data);
}

/** The payment is under way: its address tells what becomes of it. */
export function acceptedAnswer(data: { readonly payment_no: string }): RouteAnswer {
  const location = `/api/v1/payments/${data.payment_no}`;
  const message = `Accepted; ask ${location} for the outcome`;
  return { status: 202, data, message, headers: { Location: location } };
}

function isAnswered(row: PaymentRow): boolean {
  return row.channel_payment_no !== null || isPaymentClosed(row.status);
}

/** Starts the workflow and waits for the channel's answer. Whatever goes wrong here, the payment is accepted: 202. */
async function awaitChannel(
  deps: PaymentDeps,
  { caller: { merchantId }, paymentNo, body, channel }: Order,
  own: Ownership,
): Promise<PaymentRow> {
  const { order_no: orderNo, currency, amount } = body;
  const traits = { orderNo, channel, status: 'pending', currency, amount };
  const object = { ...paymentObject({ merchantId, paymentNo }), traits };
  try {
    await deps.gateway.awaitCreated(object, own.recordId, deps.waitTimeoutMs);
  } catch (error) {
    deps.log.warn(
      { err: error, paymentNo },
      'no answer for a new payment in time; its workflow or the pick-up carries on',
    );
  }
  const row = await readPayment(deps.db, merchantId, paymentNo);
  if (row === undefined) throw new Error(`the row of payment ${paymentNo} is gone`);
  return row;
}
