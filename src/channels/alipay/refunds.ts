/** Refunds: out_request_no comes from the call, so repeating it is the same refund, and it is what a refund is read by. */
import { ChannelFault } from '../../domain/channel';
import type { CallIdentity, Exchange } from '../../domain/channel';
import type {
  CreateRefundRequest,
  KnownRefund,
  RefundAnswer,
  RefundSnapshot,
  RefundTarget,
} from '../../domain/channel-payment';
import { toAlipayAmount } from './amounts';
import { startBudget } from './client';
import type { Budget, Json } from './client';
import { afterMoney, attempt, beforeMoney, isDecline, read } from './exchange';
import type { AlipayContext } from './exchange';
import { amountOf } from './mapping';
import { captureNumber, numberOf, readNumber } from './numbers';
import { notExpressible } from './payments';

/** A hold is captured in at most so many tries; the trades they made are found by counting. */
const MAX_CAPTURES = 9;
const REASON_MAX_CHARACTERS = 256;
const REFUND_QUERY = 'alipay.trade.fastpay.refund.query';
/** Another trade of the same hold may still have the money that this one has not. */
const TRY_NEXT_TRADE: ReadonlySet<string> = new Set(['invalid_amount', 'invalid_state']);

export async function createRefund(
  context: AlipayContext,
  request: CreateRefundRequest,
  call: CallIdentity,
  exchange: Exchange,
): Promise<RefundAnswer> {
  const amount = toAlipayAmount(request, context.currencies);
  if ('refusal' in amount) return notExpressible(request, context.currencies);
  const budget = startBudget(exchange);
  const trades = await beforeMoney(tradesOf(context, request.target, budget));
  let answer: RefundAnswer = {
    kind: 'declined',
    code: 'object_not_found',
    providerCode: 'ACQ.TRADE_NOT_EXIST',
  };
  for (const trade of trades) {
    answer = await refundTrade(context, trade, amount.text, request, call, budget);
    if (answer.kind !== 'declined' || !TRY_NEXT_TRADE.has(answer.code)) return answer;
  }
  return answer;
}

/** The trades whose money the target is: one for a payment, one for each capture of a hold. Always in the same order. */
async function tradesOf(context: AlipayContext, target: RefundTarget, budget: Budget): Promise<string[]> {
  const { outNo } = readNumber(target.channelNo);
  if (target.kind === 'payment') return [outNo];
  const trades: string[] = [];
  let found = 0;
  for (let n = 1; n <= MAX_CAPTURES && found < target.amount; n++) {
    const trade = captureNumber(outNo, `capture/${n}`);
    const node = await read(context, 'alipay.trade.query', { out_trade_no: trade }, budget);
    if (node === undefined || node['trade_status'] === 'WAIT_BUYER_PAY') continue;
    trades.push(trade);
    found += amountOf(node['total_amount']);
  }
  return trades;
}

async function refundTrade(
  context: AlipayContext,
  outTradeNo: string,
  amountText: string,
  request: CreateRefundRequest,
  call: CallIdentity,
  budget: Budget,
): Promise<RefundAnswer> {
  const channelRefundNo = numberOf('R', call);
  const content = {
    out_trade_no: outTradeNo,
    refund_amount: amountText,
    out_request_no: channelRefundNo,
    ...(request.currency === 'CNY' ? {} : { refund_currency: request.currency }),
    ...(request.reason === undefined
      ? {}
      : { refund_reason: request.reason.slice(0, REASON_MAX_CHARACTERS) }),
  };
  const answer = await attempt(context, 'alipay.trade.refund', content, budget);
  if (isDecline(answer)) return answer;
  if (answer['out_trade_no'] !== outTradeNo)
    throw new ChannelFault('maybe_executed', 'answer_of_another_object');
  const ours = {
    channelRefundNo,
    currency: request.currency,
    amount: request.amount,
    refundNo: request.refundNo,
    holdfastId: call.holdfastId,
    holdfastCall: call.holdfastCall,
  };
  if (answer['fund_change'] === 'Y') return { kind: 'done', snapshot: { ...ours, status: 'succeeded' } };
  // `N` is both "this was refunded before" and "nothing has moved yet": only the refund itself tells.
  const node = await afterMoney(readRefund(context, outTradeNo, channelRefundNo, budget));
  if (node === undefined) return { kind: 'pending', snapshot: { ...ours, status: 'pending' } };
  if (amountOf(node['refund_amount']) !== request.amount)
    throw new ChannelFault('maybe_executed', 'number_used_otherwise');
  return { kind: 'done', snapshot: { ...ours, status: 'succeeded' } };
}

/** undefined: no refund of this number has succeeded (yet). */
async function readRefund(
  context: AlipayContext,
  outTradeNo: string,
  channelRefundNo: string,
  budget: Budget,
): Promise<Json | undefined> {
  const content = { out_trade_no: outTradeNo, out_request_no: channelRefundNo };
  const node = await read(context, REFUND_QUERY, content, budget);
  if (node?.['refund_status'] !== 'REFUND_SUCCESS') return undefined;
  if (node['out_request_no'] !== channelRefundNo)
    throw new ChannelFault('maybe_executed', 'answer_of_another_object');
  return node;
}

/**
 * Those of the known refunds that have succeeded. What is not in the answer has not succeeded so far: Alipay shows neither
 * pending nor failed ones.
 * @throws ChannelFault without `known`: there is no list to ask for, and an empty answer would look like a proof
 */
export async function listRefunds(
  context: AlipayContext,
  target: RefundTarget,
  exchange: Exchange,
  known: readonly KnownRefund[] | undefined,
): Promise<readonly RefundSnapshot[]> {
  if (known === undefined) throw new ChannelFault('maybe_executed', 'refunds_are_read_by_number');
  const budget = startBudget(exchange);
  const trades = await tradesOf(context, target, budget);
  const listed: RefundSnapshot[] = [];
  for (const [channelRefundNo, refund] of byNumber(known)) {
    const amounts: number[] = [];
    for (const trade of trades) {
      const node = await readRefund(context, trade, channelRefundNo, budget);
      if (node !== undefined) amounts.push(amountOf(node['refund_amount']));
    }
    const common = {
      ...identityOf(refund),
      channelRefundNo,
      status: 'succeeded',
      currency: target.currency,
    } as const;
    for (const amount of 'refundNo' in refund ? amounts : inOne(amounts)) listed.push({ ...common, amount });
  }
  return listed;
}

/** A number that was used by hand for two captures of a hold is one refund. Of ours, two are one too many: both are shown. */
function inOne(amounts: readonly number[]): number[] {
  return amounts.length === 0 ? [] : [amounts.reduce((sum, amount) => sum + amount, 0)];
}

/** One that is known as ours and by its number, from an event, is one refund, and ours. */
function byNumber(known: readonly KnownRefund[]): Map<string, KnownRefund> {
  const refunds = new Map<string, KnownRefund>();
  for (const refund of known) {
    const isOurs = 'refundNo' in refund;
    const channelRefundNo = isOurs ? numberOf('R', refund) : refund.channelRefundNo;
    if (isOurs || !refunds.has(channelRefundNo)) refunds.set(channelRefundNo, refund);
  }
  return refunds;
}

function identityOf(refund: KnownRefund) {
  if ('channelRefundNo' in refund) return {};
  const { refundNo, holdfastId, holdfastCall } = refund;
  return { refundNo, holdfastId, holdfastCall };
}
