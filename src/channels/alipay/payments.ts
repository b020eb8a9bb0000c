/** Payments: a page to redirect to (signed here, nothing is sent) or a QR code, then query and close by our number. */
import { ChannelFault } from '../../domain/channel';
import type { CallIdentity, CustomerStep, Decline, Exchange } from '../../domain/channel';
import type { CreatePaymentRequest, PaymentAnswer, PaymentSnapshot } from '../../domain/channel-payment';
import type { Money } from '../../domain/money';
import { HOME_CURRENCY, toAlipayAmount } from './amounts';
import { beijingTime, startBudget } from './client';
import type { Budget, Json } from './client';
import { afterMoney, attempt, isDecline, meant, read } from './exchange';
import type { AlipayContext } from './exchange';
import { toPaymentAnswer, toTradeSnapshot, unopenedTrade } from './mapping';
import { numberOf, readNumber, readPassback, withDetails, writePassback } from './numbers';

export interface CreatedPayment {
  readonly answer: PaymentAnswer;
  readonly customer: CustomerStep;
}

const SUBJECT_MAX_CHARACTERS = 128;
/** These say that the number is known and ended: what became of it is read. */
const NUMBER_IS_USED: ReadonlySet<string> = new Set(['ACQ.TRADE_HAS_SUCCESS', 'ACQ.TRADE_HAS_CLOSE']);

/**
 * With `returnUrl` a page (`alipay.trade.page.pay`), without it a QR code (`alipay.trade.precreate`). Both name the last
 * time to pay, because only that time closes a page that nobody has opened yet.
 */
export async function createPayment(
  context: AlipayContext,
  request: CreatePaymentRequest,
  call: CallIdentity,
  exchange: Exchange,
): Promise<CreatedPayment> {
  const { amount, currency } = request;
  const total = toAlipayAmount(request, context.currencies);
  if ('refusal' in total) return { answer: notExpressible(request, context.currencies), customer: {} };
  const outTradeNo = numberOf('P', call);
  const number = withDetails(outTradeNo, { amount, currency }, request.expiresAtUnixSeconds);
  const budget = startBudget(exchange);
  // A create that is repeated after its time must not be refused for that: the first one may have been paid.
  if (context.nowSeconds() >= request.expiresAtUnixSeconds) return foundOrTooLate(context, number, budget);
  const content = {
    ...bizContent(context, request, total.text, outTradeNo),
    passback_params: writePassback(call, number),
  };
  return request.returnUrl === undefined
    ? precreate(context, number, content, request, budget)
    : signPage(context, number, content, request.returnUrl);
}

function bizContent(
  context: AlipayContext,
  request: CreatePaymentRequest,
  total: string,
  outTradeNo: string,
) {
  const { currency, description = request.orderNo, expiresAtUnixSeconds } = request;
  return {
    out_trade_no: outTradeNo,
    total_amount: total,
    subject: subjectOf(description),
    time_expire: beijingTime(expiresAtUnixSeconds),
    ...(currency === HOME_CURRENCY ? {} : { trans_currency: currency, settle_currency: currency }),
    ...(context.sellerId === '' ? {} : { seller_id: context.sellerId }),
  };
}

/** Alipay refuses these characters in a title. */
export function subjectOf(text: string): string {
  return text.replace(/[/=&]/g, ' ').slice(0, SUBJECT_MAX_CHARACTERS);
}

async function signPage(
  context: AlipayContext,
  number: string,
  content: Json,
  returnUrl: string,
): Promise<CreatedPayment> {
  const extra = {
    return_url: returnUrl,
    ...(context.notifyUrl === '' ? {} : { notify_url: context.notifyUrl }),
  };
  const page = { ...content, product_code: 'FAST_INSTANT_TRADE_PAY' };
  const signed = await meant(() => ({ query: context.client.sign('alipay.trade.page.pay', page, extra) }));
  if (isDecline(signed)) return { answer: signed, customer: {} };
  const url = `${context.client.gateway}?${signed.query}`;
  return { answer: toPaymentAnswer(freshTrade(number)), customer: { nextAction: { type: 'redirect', url } } };
}

async function precreate(
  context: AlipayContext,
  number: string,
  content: Json,
  money: Money,
  budget: Budget,
): Promise<CreatedPayment> {
  const sent = { ...content, product_code: 'FACE_TO_FACE_PAYMENT' };
  const answer = await attempt(context, 'alipay.trade.precreate', sent, budget).catch((error: unknown) => {
    if (error instanceof ChannelFault && NUMBER_IS_USED.has(error.reason)) return { used: true as const };
    throw error;
  });
  if ('used' in answer || (isDecline(answer) && NUMBER_IS_USED.has(answer.providerCode)))
    return { answer: await readUsed(context, number, money, budget), customer: {} };
  if (isDecline(answer)) return { answer, customer: {} };
  const qrCode = answer['qr_code'];
  if (typeof qrCode !== 'string' || answer['out_trade_no'] !== content['out_trade_no'])
    throw new ChannelFault('maybe_executed', 'answer_incomplete');
  return {
    answer: toPaymentAnswer(freshTrade(number)),
    customer: { nextAction: { type: 'qr_code', content: qrCode } },
  };
}

/** Our own number, used already: an earlier send of this call. With another amount it would be somebody's mistake. */
async function readUsed(
  context: AlipayContext,
  number: string,
  money: Money,
  budget: Budget,
): Promise<PaymentAnswer> {
  const snapshot = await afterMoney(readTrade(context, number, budget));
  if (snapshot === undefined || snapshot.amount !== money.amount || snapshot.currency !== money.currency)
    throw new ChannelFault('maybe_executed', 'number_used_otherwise');
  return toPaymentAnswer(snapshot);
}

async function foundOrTooLate(
  context: AlipayContext,
  number: string,
  budget: Budget,
): Promise<CreatedPayment> {
  const details = readNumber(number);
  const node = await read(context, 'alipay.trade.query', { out_trade_no: details.outNo }, budget);
  if (node === undefined) {
    const answer: Decline = {
      kind: 'declined',
      code: 'invalid_request',
      providerCode: 'expired_before_create',
    };
    return { answer, customer: {} };
  }
  return {
    answer: toPaymentAnswer(toTradeSnapshot(number, details, node, context.nowSeconds())),
    customer: {},
  };
}

/** What was just made and not opened: nothing is read, the customer has not had the time to do anything. */
function freshTrade(number: string): PaymentSnapshot {
  const { money } = readNumber(number);
  if (money === undefined) throw new ChannelFault('maybe_executed', 'number_without_details');
  return { channelPaymentNo: number, status: 'requires_action', ...money, amountPaid: 0, amountRefunded: 0 };
}

/** undefined: Alipay does not know it, and the number does not say what to expect. */
export async function readTrade(
  context: AlipayContext,
  number: string,
  budget: Budget,
): Promise<PaymentSnapshot | undefined> {
  const details = readNumber(number);
  const node = await read(context, 'alipay.trade.query', { out_trade_no: details.outNo }, budget);
  const now = context.nowSeconds();
  return node === undefined
    ? unopenedTrade(number, details, now)
    : toTradeSnapshot(number, details, node, now);
}

/** Opened trades only: an unopened one cannot be found, which proves nothing (capabilities: not `findable`). */
export async function findPayments(context: AlipayContext, call: CallIdentity, exchange: Exchange) {
  const outTradeNo = numberOf('P', call);
  const node = await read(context, 'alipay.trade.query', { out_trade_no: outTradeNo }, startBudget(exchange));
  if (node === undefined) return [];
  const number = numberIn(node, outTradeNo);
  const snapshot = toTradeSnapshot(number, readNumber(number), node, context.nowSeconds());
  return [{ snapshot, customer: {} }];
}

function numberIn(node: Json, outTradeNo: string): string {
  const { number } = readPassback(node['passback_params']);
  return number !== undefined && readNumber(number).outNo === outTradeNo ? number : outTradeNo;
}

/** Reads the payment: at Alipay the customer's approval is the money. */
export async function completePayment(
  context: AlipayContext,
  number: string,
  exchange: Exchange,
): Promise<PaymentAnswer> {
  const snapshot = await readTrade(context, number, startBudget(exchange));
  return snapshot === undefined ? notFound() : toPaymentAnswer(snapshot);
}

function notFound(): Decline {
  return { kind: 'declined', code: 'object_not_found', providerCode: 'ACQ.TRADE_NOT_EXIST' };
}

/**
 * Closes an opened trade. One that nobody has opened yet cannot be closed at Alipay: until its time the answer is `pending`
 * and `requires_action` (the customer may still open it, and a trade once open can be closed by asking again), after it
 * `canceled`. It never says `canceled` while somebody could pay.
 */
export async function cancelPayment(
  context: AlipayContext,
  number: string,
  exchange: Exchange,
): Promise<PaymentAnswer> {
  const budget = startBudget(exchange);
  const details = readNumber(number);
  const answer = await attempt(context, 'alipay.trade.close', { out_trade_no: details.outNo }, budget);
  if (isDecline(answer) && answer.code !== 'invalid_state' && answer.code !== 'object_not_found')
    return answer;
  if (!isDecline(answer) && details.money !== undefined)
    return toPaymentAnswer({ ...freshTrade(number), status: 'canceled', closeCause: 'requested' });
  const snapshot = await afterMoney(readTrade(context, number, budget));
  if (snapshot === undefined) return notFound();
  if (snapshot.status !== 'succeeded') return toPaymentAnswer(snapshot);
  const providerCode = isDecline(answer) ? answer.providerCode : 'paid';
  return { kind: 'declined', code: 'invalid_state', providerCode };
}

/** The API asks checkAmount before it writes; this is the second lock on the same door. */
export function notExpressible({ currency }: Money, currencies: ReadonlySet<string>): Decline {
  const code = currencies.has(currency) ? 'invalid_amount' : 'invalid_currency';
  return { kind: 'declined', code, providerCode: 'not_expressible' };
}
