/**
 * Create a payment. PostgreSQL first: one transaction holds everything that makes it a promise, then the workflow. Once
 * the row is committed the payment is accepted, whatever becomes of Temporal, the channel or this process.
 */
import { randomBytes } from 'node:crypto';
import type { PoolClient } from 'pg';
import { checkPaymentAmount } from '../../channels/registry';
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
    // Whoever takes over a dead owner's request answers as that owner would have, whatever would be refused now. The record
    // has compared the bodies; the row cannot any more once its customer was erased.
    const begun = own.takenOver ? await readPayment(deps.db, caller.merchantId, paymentNo) : undefined;
    if (begun !== undefined) return answerFor(deps, begun, own);
    const order = await orderOf(deps, caller, body, paymentNo);
    await withTransaction(deps.db, (tx) => insertAll(tx, own, order));
    return answerFor(deps, order.row, own);
  });
}

interface Order {
  readonly row: NewPayment;
  readonly decision: RoutingDecision;
  readonly notifyOrigin: string | undefined;
}

/** What is to be inserted. @throws HoldfastError with every refusal that comes before */
async function orderOf(
  deps: PaymentDeps,
  caller: MerchantCaller,
  body: CreatePaymentBody,
  paymentNo: string,
): Promise<Order> {
  assertActive(caller);
  const request = routingRequestOf(deps, caller, body, 'payment', paymentNo);
  const choice = await chooseChannel(deps.router, deps.db, request);
  const account = eligibleAccount(body, choice);
  const notifyOrigin = checkedNotifyOrigin(deps, body.notify_url);
  return {
    row: rowOf(deps, caller, body, paymentNo, choice, account),
    decision: choice.decision,
    notifyOrigin,
  };
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

/** Row, order claim, decision, first channel call and idempotency record, or nothing. */
async function insertAll(tx: PoolClient, own: Ownership, order: Order): Promise<void> {
  const { row, decision, notifyOrigin } = order;
  const { merchant_id: merchantId, payment_no: paymentNo } = row;
  await own.insertWithin(tx);
  const inserted = await insertPayment(tx, row, decision);
  if (inserted === 'exists') throw new Error(`the generated number ${paymentNo} is taken`);
  if (inserted === 'order_taken') {
    // Dropped between the two statements: the next try will get it, and "in progress" is what it was a moment ago.
    const claim = await findOrderClaim(tx, merchantId, row.order_no);
    const { kind, number, state } = claim ?? { state: 'live' };
    throw fail(state === 'paid' ? 'ORDER_ALREADY_PAID' : 'ORDER_IN_PROGRESS', { kind, number });
  }
  if (notifyOrigin !== undefined && !(await ensureImplicitEndpoint(tx, merchantId, notifyOrigin)))
    throw fail('WEBHOOK_ENDPOINT_LIMIT');
  await insertCall(tx, {
    object: paymentObject({ merchantId, paymentNo }),
    channelAccountId: row.channel_account_id,
    operation: 'create',
    amount: row.amount,
    currency: row.currency,
    final: true,
    commandId: CREATE_COMMAND_ID,
    sentNow: false,
  });
}

function rowOf(
  deps: PaymentDeps,
  caller: MerchantCaller,
  body: CreatePaymentBody,
  paymentNo: string,
  { channel, decision }: Choice,
  account: ChosenAccount,
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
    body_hash: canonicalHash(body),
    expires_in_seconds: body.expires_in ?? deps.expiresInSeconds,
  };
}

/** @param placed has a status where it was read and not just inserted */
async function answerFor(
  deps: PaymentDeps,
  placed: NewPayment | PaymentRow,
  own: Ownership,
): Promise<RouteAnswer> {
  const row = 'status' in placed && isAnswered(placed) ? placed : await awaitChannel(deps, placed, own);
  if (isPaymentClosed(row.status)) {
    const refusal = refusalOfEnd(
      { ...row, channelNo: row.channel_payment_no },
      { payment_no: row.payment_no },
    );
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
  placed: NewPayment | PaymentRow,
  own: Ownership,
): Promise<PaymentRow> {
  const { merchant_id: merchantId, payment_no: paymentNo } = placed;
  const { order_no: orderNo, channel, currency, amount } = placed;
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
