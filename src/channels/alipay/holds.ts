/**
 * Holds, for accounts whose contract has fund authorisation: a freeze that the customer confirms in the Alipay app, paid
 * from (capture) by alipay.trade.pay, and unfrozen.
 */
import { ChannelFault } from '../../domain/channel';
import type {
  CallIdentity,
  CancelPreAuthRequest,
  CapturePreAuthRequest,
  CreatePreAuthRequest,
  CustomerStep,
  Decline,
  Exchange,
  HoldAnswer,
  HoldSnapshot,
} from '../../domain/channel';
import { formatAmount, HOME_CURRENCY, toAlipayAmount } from './amounts';
import { startBudget } from './client';
import type { Budget, Json } from './client';
import { afterMoney, attempt, beforeMoney, isDecline, meant, read } from './exchange';
import type { AlipayContext } from './exchange';
import { amountOf, toHoldAnswer, toHoldSnapshot, unopenedHold } from './mapping';
import {
  captureNumber,
  freezeNumber,
  numberOf,
  readNumber,
  releaseNumber,
  withDetails,
  writePassback,
} from './numbers';
import { notExpressible, subjectOf } from './payments';

/** The order string is good for so long; after it nobody can freeze anything with it. */
const CONFIRM_WITHIN = '30m';
const PRODUCT_CODE = 'PRE_AUTH_ONLINE';
const DETAIL_QUERY = 'alipay.fund.auth.operation.detail.query';

/** Signs the order string for the merchant's app (its `clientSecret`); nothing is sent. */
export async function createHold(
  context: AlipayContext,
  request: CreatePreAuthRequest,
  call: CallIdentity,
): Promise<{ answer: HoldAnswer; customer: CustomerStep }> {
  const amount = toAlipayAmount(request, context.currencies);
  if ('refusal' in amount) return { answer: notExpressible(request, context.currencies), customer: {} };
  // Who is paid must be named in a freeze, unlike in a trade.
  if (context.sellerId === '')
    return { answer: refused('account_invalid', 'seller_id_missing'), customer: {} };
  const outOrderNo = numberOf('A', call);
  const { currency } = request;
  const content = {
    out_order_no: outOrderNo,
    out_request_no: freezeNumber(outOrderNo),
    order_title: subjectOf(request.description ?? request.orderNo),
    amount: amount.text,
    product_code: PRODUCT_CODE,
    payee_user_id: context.sellerId,
    pay_timeout: CONFIRM_WITHIN,
    ...(currency === HOME_CURRENCY ? {} : { trans_currency: currency, settle_currency: currency }),
  };
  const extra: Record<string, string> = context.notifyUrl === '' ? {} : { notify_url: context.notifyUrl };
  const method = 'alipay.fund.auth.order.app.freeze';
  const signed = await meant(() => ({ order: context.client.sign(method, content, extra) }));
  if (isDecline(signed)) return { answer: signed, customer: {} };
  const number = withDetails(outOrderNo, { amount: request.amount, currency });
  const snapshot = unopenedHold(readNumber(number));
  if (snapshot === undefined) throw new ChannelFault('not_sent', 'number_without_details');
  return {
    answer: toHoldAnswer({ ...snapshot, holdfastId: call.holdfastId, holdfastCall: call.holdfastCall }),
    customer: { clientSecret: signed.order, nextAction: { type: 'client_secret' } },
  };
}

/** undefined: Alipay does not know it, and the number does not say what to expect. */
export async function readHold(
  context: AlipayContext,
  number: string,
  exchange: Exchange,
): Promise<HoldSnapshot | undefined> {
  return (await look(context, number, startBudget(exchange)))?.snapshot;
}

interface Look {
  readonly snapshot: HoldSnapshot;
  /** Absent: the customer has not opened it. */
  readonly node?: Json;
}

async function look(context: AlipayContext, number: string, budget: Budget): Promise<Look | undefined> {
  const details = readNumber(number);
  const { outNo } = details;
  const content = { out_order_no: outNo, out_request_no: freezeNumber(outNo), operation_type: 'FREEZE' };
  const node = await read(context, DETAIL_QUERY, content, budget);
  if (node !== undefined) return { snapshot: toHoldSnapshot(details, node), node };
  const snapshot = unopenedHold(details);
  return snapshot === undefined ? undefined : { snapshot };
}

/** Pays from the hold. `final` ends the authorisation, so that Alipay releases the rest; else the rest stays frozen. */
export async function captureHold(
  context: AlipayContext,
  request: CapturePreAuthRequest,
  call: CallIdentity,
  exchange: Exchange,
): Promise<HoldAnswer> {
  const amount = toAlipayAmount(request, context.currencies);
  if ('refusal' in amount) return notExpressible(request, context.currencies);
  const budget = startBudget(exchange);
  const seen = await beforeMoney(look(context, request.channelPreAuthNo, budget));
  if (seen === undefined) return refused('object_not_found', 'AUTH_ORDER_NOT_EXIST');
  const { snapshot, node } = seen;
  const outTradeNo = captureNumber(readNumber(request.channelPreAuthNo).outNo, call.holdfastCall);
  if (node === undefined) return refused('invalid_state', 'ACQ.AUTH_ORDER_NOT_PAID');
  if (snapshot.status !== 'requires_capture')
    return settledCapture(context, request, outTradeNo, 'ACQ.AUTH_NO_ERROR', budget);
  const isFinal = request.final || !context.multipleCaptures;
  const content = {
    out_trade_no: outTradeNo,
    total_amount: amount.text,
    subject: 'capture',
    product_code: PRODUCT_CODE,
    auth_no: node['auth_no'],
    // The default leaves the rest frozen.
    auth_confirm_mode: isFinal ? 'COMPLETE' : 'NOT_COMPLETE',
    passback_params: writePassback(call, snapshot.channelPreAuthNo),
    ...(request.currency === HOME_CURRENCY
      ? {}
      : { trans_currency: request.currency, settle_currency: request.currency }),
  };
  const paid = await attempt(context, 'alipay.trade.pay', content, budget).catch((error: unknown) => {
    if (error instanceof ChannelFault && error.reason === 'ACQ.TRADE_HAS_SUCCESS')
      return refused('invalid_state', error.reason);
    throw error;
  });
  if (isDecline(paid))
    return paid.code === 'invalid_state'
      ? settledCapture(context, request, outTradeNo, paid.providerCode, budget)
      : paid;
  if (paid['code'] === '10003') return { kind: 'pending', snapshot: { ...snapshot, status: 'processing' } };
  return toHoldAnswer(captured(snapshot, request.amount, isFinal));
}

/** What the hold is after this capture, without another read that could fail. */
function captured(before: HoldSnapshot, amount: number, isFinal: boolean): HoldSnapshot {
  const rest = isFinal ? 0 : before.amountCapturable - amount;
  return {
    ...before,
    status: rest > 0 ? 'requires_capture' : 'succeeded',
    amountCapturable: rest,
    amountCaptured: before.amountCaptured + amount,
  };
}

/** The hold is not capturable (any more): done when it was this very call that took the money, else refused. */
async function settledCapture(
  context: AlipayContext,
  request: CapturePreAuthRequest,
  outTradeNo: string,
  providerCode: string,
  budget: Budget,
): Promise<HoldAnswer> {
  const trade = await afterMoney(read(context, 'alipay.trade.query', { out_trade_no: outTradeNo }, budget));
  const isPaid = typeof trade?.['send_pay_date'] === 'string' && trade['send_pay_date'] !== '';
  if (trade === undefined || !isPaid) return refused('invalid_state', providerCode);
  if (amountOf(trade['total_amount']) !== request.amount)
    throw new ChannelFault('maybe_executed', 'number_used_otherwise');
  const seen = await afterMoney(look(context, request.channelPreAuthNo, budget));
  if (seen === undefined) throw new ChannelFault('maybe_executed', 'hold_unreadable');
  return toHoldAnswer(seen.snapshot);
}

/**
 * Unfreezes what is left. A hold that the customer has opened but not confirmed is cancelled. One that was never opened has
 * nothing at Alipay to cancel: nothing is held, and its order string ends by itself after CONFIRM_WITHIN; should the
 * customer still use it, the notification shows a closed hold with money frozen, which must be released.
 */
export async function cancelHold(
  context: AlipayContext,
  request: CancelPreAuthRequest,
  call: CallIdentity,
  exchange: Exchange,
): Promise<HoldAnswer> {
  const budget = startBudget(exchange);
  const seen = await beforeMoney(look(context, request.channelPreAuthNo, budget));
  if (seen === undefined) return refused('object_not_found', 'AUTH_ORDER_NOT_EXIST');
  const { snapshot, node } = seen;
  if (node === undefined || snapshot.status === 'canceled') return toHoldAnswer(released(snapshot));
  if (snapshot.status === 'succeeded') return refused('invalid_state', 'ORDER_ALREADY_FINISH');
  const answer = await sendRelease(context, snapshot, node, call, budget);
  if (!isDecline(answer)) return toHoldAnswer(released(snapshot));
  if (answer.code !== 'invalid_state') return answer;
  // Somebody was faster: what it is now decides.
  const now = await afterMoney(look(context, request.channelPreAuthNo, budget));
  return now?.snapshot.status === 'canceled' ? toHoldAnswer(released(now.snapshot)) : answer;
}

function sendRelease(
  context: AlipayContext,
  snapshot: HoldSnapshot,
  node: Json,
  call: CallIdentity,
  budget: Budget,
): Promise<Json | Decline> {
  const { outNo } = readNumber(snapshot.channelPreAuthNo);
  if (snapshot.status !== 'requires_capture') {
    const content = { out_order_no: outNo, out_request_no: freezeNumber(outNo), remark: 'cancel' };
    return attempt(context, 'alipay.fund.auth.operation.cancel', content, budget);
  }
  const content = {
    auth_no: node['auth_no'],
    out_request_no: releaseNumber(outNo, call.holdfastCall),
    amount: formatAmount(snapshot.amountCapturable),
    remark: 'release',
  };
  return attempt(context, 'alipay.fund.auth.order.unfreeze', content, budget);
}

function released(before: HoldSnapshot): HoldSnapshot {
  if (before.amountCaptured > 0) return { ...before, status: 'succeeded', amountCapturable: 0 };
  return { ...before, status: 'canceled', amountCapturable: 0, releaseCause: 'requested' };
}

function refused(code: Decline['code'], providerCode: string): Decline {
  return { kind: 'declined', code, providerCode };
}
