/** What Alipay says, in our terms: pure tables, and the snapshots made of them. */
import { ChannelFault } from '../../domain/channel';
import type { ChannelHoldStatus, HoldAnswer, HoldSnapshot, ReleaseCause } from '../../domain/channel';
import type { ChannelPaymentStatus, PaymentAnswer, PaymentSnapshot } from '../../domain/channel-payment';
import type { Money } from '../../domain/money';
import { HOME_CURRENCY, parseAmount } from './amounts';
import type { Json } from './client';
import { readPassback, withDetails } from './numbers';
import type { NumberDetails } from './numbers';

/** `by_payment`: the same word for "nobody paid" and "all of it was refunded"; the time of payment tells them apart. */
export const TRADE_STATUS_TABLE: Readonly<Record<string, ChannelPaymentStatus | 'by_payment'>> = {
  WAIT_BUYER_PAY: 'requires_action',
  TRADE_SUCCESS: 'succeeded',
  /** Paid, and too old to be refunded. */
  TRADE_FINISHED: 'succeeded',
  TRADE_CLOSED: 'by_payment',
};

export function mapTradeStatus(status: unknown, wasPaid: boolean): ChannelPaymentStatus {
  const mapped =
    typeof status === 'string' && Object.hasOwn(TRADE_STATUS_TABLE, status)
      ? TRADE_STATUS_TABLE[status]
      : undefined;
  if (mapped === 'by_payment') return wasPaid ? 'succeeded' : 'canceled';
  return mapped ?? 'unknown';
}

/** By the order's `order_status`; `by_capture`: ended, and what was paid from it tells how. */
export const ORDER_STATUS_TABLE: Readonly<Record<string, ChannelHoldStatus | 'by_capture'>> = {
  INIT: 'requires_action',
  AUTHORIZED: 'requires_capture',
  FINISH: 'by_capture',
  CLOSED: 'by_capture',
};

export function mapOrderStatus(status: unknown, captured: number): ChannelHoldStatus {
  const mapped =
    typeof status === 'string' && Object.hasOwn(ORDER_STATUS_TABLE, status)
      ? ORDER_STATUS_TABLE[status]
      : undefined;
  if (mapped === 'by_capture') return captured > 0 ? 'succeeded' : 'canceled';
  return mapped ?? 'unknown';
}

const ENDED: ReadonlySet<string> = new Set(['requires_capture', 'succeeded', 'canceled', 'failed']);

export function toPaymentAnswer(snapshot: PaymentSnapshot): PaymentAnswer {
  return { kind: ENDED.has(snapshot.status) ? 'done' : 'pending', snapshot };
}

export function toHoldAnswer(snapshot: HoldSnapshot): HoldAnswer {
  return { kind: ENDED.has(snapshot.status) ? 'done' : 'pending', snapshot };
}

/** @throws ChannelFault maybe_executed for what is no amount */
export function amountOf(value: unknown): number {
  const amount = parseAmount(value);
  if (amount === undefined) throw new ChannelFault('maybe_executed', 'amount_not_representable');
  return amount;
}

export function currencyOf(node: Json): string {
  const currency = node['trans_currency'];
  return typeof currency === 'string' && currency !== '' ? currency : HOME_CURRENCY;
}

/** The answer must be about what was asked: a signature alone would also hold for another trade's answer. */
function assertSame(node: Json, field: string, expected: string): void {
  if (node[field] !== expected) throw new ChannelFault('maybe_executed', 'answer_of_another_object');
}

/**
 * A trade as `alipay.trade.query` shows it. It never says how much was refunded, only that everything was.
 * @param number the number as Holdfast keeps it
 */
export function toTradeSnapshot(
  number: string,
  details: NumberDetails,
  node: Json,
  nowSeconds: number,
): PaymentSnapshot {
  assertSame(node, 'out_trade_no', details.outNo);
  const wasPaid = typeof node['send_pay_date'] === 'string' && node['send_pay_date'] !== '';
  const status = mapTradeStatus(node['trade_status'], wasPaid);
  const amount = amountOf(node['total_amount']);
  const isPaid = status === 'succeeded';
  const isRefunded = isPaid && node['trade_status'] === 'TRADE_CLOSED';
  const { holdfastId, holdfastCall } = readPassback(node['passback_params']);
  const tradeNo = node['trade_no'];
  return {
    channelPaymentNo: number,
    ...(typeof tradeNo === 'string' && tradeNo !== '' ? { channelTradeNo: tradeNo } : {}),
    status,
    currency: currencyOf(node),
    amount,
    amountPaid: isPaid ? amount : 0,
    amountRefunded: isRefunded ? amount : 0,
    ...(status === 'canceled' ? { closeCause: closeCause(details, nowSeconds) } : {}),
    ...(holdfastId === undefined ? {} : { holdfastId }),
    ...(holdfastCall === undefined ? {} : { holdfastCall }),
  };
}

/** Alipay does not say who closed a trade. After its time it was the time; before it somebody asked, we or the dashboard. */
function closeCause({ expiresAtUnixSeconds }: NumberDetails, nowSeconds: number): ReleaseCause {
  return expiresAtUnixSeconds !== undefined && nowSeconds >= expiresAtUnixSeconds ? 'deadline' : 'requested';
}

/** How long after its time a trade that nobody opened is taken for dead: both clocks, and a customer who is just opening it. */
const EXPIRY_MARGIN_SECONDS = 10;

function isPastExpiry({ expiresAtUnixSeconds }: NumberDetails, nowSeconds: number): boolean {
  return expiresAtUnixSeconds !== undefined && nowSeconds >= expiresAtUnixSeconds + EXPIRY_MARGIN_SECONDS;
}

/**
 * A trade that Alipay does not know. Until its `time_expire` the customer can still open it, so it waits; after that
 * nobody can, so nothing was taken and nothing can be. undefined: the number does not say enough to judge.
 */
export function unopenedTrade(
  number: string,
  details: NumberDetails,
  nowSeconds: number,
): PaymentSnapshot | undefined {
  const { money, expiresAtUnixSeconds } = details;
  if (money === undefined || expiresAtUnixSeconds === undefined) return undefined;
  const nothing = { channelPaymentNo: number, ...money, amountPaid: 0, amountRefunded: 0 };
  return isPastExpiry(details, nowSeconds)
    ? { ...nothing, status: 'canceled', closeCause: 'deadline' }
    : { ...nothing, status: 'requires_action' };
}

/** A hold as `alipay.fund.auth.operation.detail.query` shows it, asked for its freeze. */
export function toHoldSnapshot(details: NumberDetails, node: Json): HoldSnapshot {
  assertSame(node, 'out_order_no', details.outNo);
  const isFrozen = node['status'] === 'SUCCESS';
  const captured = optionalAmount(node['total_pay_amount']);
  const status = mapOrderStatus(node['order_status'], captured);
  const amount = amountOf(node['amount']);
  const money: Money = { amount, currency: currencyOf(node) };
  // Everything paid away and nothing left to pay: ended, although the order still says "authorised".
  const rest = isFrozen ? optionalAmount(node['rest_amount']) : 0;
  const isEmpty = status === 'requires_capture' && rest === 0;
  const shown = isEmpty ? (captured > 0 ? 'succeeded' : 'canceled') : status;
  return {
    channelPreAuthNo: withDetails(details.outNo, money),
    status: shown,
    ...money,
    amountCapturable: shown === 'requires_capture' ? rest : 0,
    amountCaptured: captured,
    // Alipay does not say who unfroze. Its own deadline is not told either, so the plain case is named.
    ...(shown === 'canceled' ? { releaseCause: 'requested' as const } : {}),
  };
}

function optionalAmount(value: unknown): number {
  return value === undefined || value === '' ? 0 : amountOf(value);
}

/** A hold whose order string the customer has not used: nothing is held, and Alipay knows nothing of it. */
export function unopenedHold(details: NumberDetails): HoldSnapshot | undefined {
  if (details.money === undefined) return undefined;
  return {
    channelPreAuthNo: withDetails(details.outNo, details.money),
    status: 'requires_action',
    ...details.money,
    amountCapturable: 0,
    amountCaptured: 0,
  };
}
