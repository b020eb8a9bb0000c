/** The state machine of trades: offered, opened by the customer, paid or closed, refunded. */
import { randomUUID } from 'node:crypto';
import { invalidParameter, refused, TRADE_NOT_EXIST } from './errors';
import { amountOf, currencyOf, expiryOf, formatAmount } from './fields';
import type { Fields } from './fields';
import type { Notifier } from './notifications';
import { toBeijing } from './signing';
import { makeNumber } from './state';
import type { State } from './state';
import type { JsonObject, Params, SandboxApp, Trade } from './types';

export interface Scene {
  readonly state: State;
  readonly notifier: Notifier;
  readonly app: SandboxApp;
  /** The address that this request named. */
  readonly notifyUrl: string;
  readonly returnUrl: string;
}

const PRODUCTS: Readonly<Record<string, string>> = {
  'trade.page.pay': 'FAST_INSTANT_TRADE_PAY',
  'trade.precreate': 'FACE_TO_FACE_PAYMENT',
  'trade.pay': 'PRE_AUTH_ONLINE',
};

/** The trade of this number: made of the request, or the one that is there, when the request says the same. */
export function offer(scene: Scene, operation: string, fields: Fields): Trade {
  const known = scene.state.trade(scene.app.appId, fields['out_trade_no'] ?? '');
  const product = fields['product_code'] ?? PRODUCTS[operation];
  if (product !== PRODUCTS[operation]) throw refused('ACQ.ACCESS_FORBIDDEN', '无权限使用接口');
  if (fields['seller_id'] !== undefined && fields['seller_id'] !== scene.app.sellerId)
    throw refused('ACQ.INVALID_RECEIVE_ACCOUNT', '收款账户不支持');
  if (known !== undefined) return sameOffer(known, scene, fields);
  const trade: Trade = {
    appId: scene.app.appId,
    outTradeNo: fields['out_trade_no'] ?? '',
    tradeNo: makeNumber(Date.now()),
    isOpen: false,
    status: 'WAIT_BUYER_PAY',
    amount: amountOf(fields['total_amount']),
    currency: currencyOf(scene.app, fields),
    subject: fields['subject'] ?? '',
    expiresMs: expiryOf(fields),
    passback: fields['passback_params'] ?? '',
    notifyUrl: scene.notifyUrl,
    returnUrl: scene.returnUrl,
    qrCode:
      operation === 'trade.precreate' ? `https://qr.alipay.com/bax${randomUUID().replaceAll('-', '')}` : '',
    authNo: fields['auth_no'] ?? '',
    paidMs: 0,
    refunds: [],
  };
  scene.state.save('trade', trade);
  return trade;
}

function sameOffer(trade: Trade, scene: Scene, fields: Fields): Trade {
  expireIfDue(scene, trade);
  const isSame =
    trade.amount === amountOf(fields['total_amount']) &&
    trade.currency === currencyOf(scene.app, fields) &&
    trade.subject === fields['subject'];
  if (!isSame) throw refused('ACQ.CONTEXT_INCONSISTENT', '订单信息不一致');
  if (trade.paidMs > 0 && trade.status !== 'TRADE_CLOSED')
    throw refused('ACQ.TRADE_HAS_SUCCESS', '交易已被支付');
  if (trade.status === 'TRADE_CLOSED') throw refused('ACQ.TRADE_HAS_CLOSE', '交易已经关闭');
  return trade;
}

/** Its time closes a trade by itself, opened or not. Nobody is told of one that never existed. */
export function expireIfDue({ state, notifier }: Pick<Scene, 'state' | 'notifier'>, trade: Trade): void {
  if (trade.status !== 'WAIT_BUYER_PAY' || Date.now() < trade.expiresMs) return;
  trade.status = 'TRADE_CLOSED';
  state.save('trade', trade);
  if (trade.isOpen) notifier.emit(trade.appId, trade.notifyUrl, tradeEvent(trade));
}

/** The customer opens the page or scans the code: from now on the trade exists. @throws AlipayError when it is over */
export function open(scene: Pick<Scene, 'state' | 'notifier'>, trade: Trade): Trade {
  expireIfDue(scene, trade);
  if (trade.status === 'TRADE_CLOSED') throw refused('ACQ.TRADE_HAS_CLOSE', '交易已经关闭');
  if (trade.isOpen) return trade;
  trade.isOpen = true;
  scene.state.save('trade', trade);
  return trade;
}

/** @throws AlipayError when it is paid, closed or too late */
export function pay(scene: Pick<Scene, 'state' | 'notifier'>, trade: Trade): Trade {
  open(scene, trade);
  if (trade.paidMs > 0) throw refused('ACQ.TRADE_HAS_SUCCESS', '交易已被支付');
  trade.status = 'TRADE_SUCCESS';
  trade.paidMs = Date.now();
  scene.state.save('trade', trade);
  scene.notifier.emit(trade.appId, trade.notifyUrl, tradeEvent(trade));
  return trade;
}

/** What exists for the merchant: offered trades do not. @throws AlipayError TRADE_NOT_EXIST */
export function existing(scene: Scene, fields: Fields): Trade {
  const trade = scene.state.trade(scene.app.appId, fields['out_trade_no'] ?? '');
  if (trade === undefined || !trade.isOpen) throw TRADE_NOT_EXIST();
  expireIfDue(scene, trade);
  return trade;
}

export function precreate(scene: Scene, fields: Fields): JsonObject {
  const trade = offer(scene, 'trade.precreate', fields);
  return { out_trade_no: trade.outTradeNo, qr_code: trade.qrCode };
}

export function query(scene: Scene, fields: Fields): JsonObject {
  const trade = existing(scene, fields);
  const isPaid = trade.paidMs > 0;
  return {
    trade_no: trade.tradeNo,
    out_trade_no: trade.outTradeNo,
    buyer_logon_id: 'cus***@example.com',
    trade_status: trade.status,
    total_amount: formatAmount(trade.amount),
    ...(trade.currency === 'CNY' ? {} : { trans_currency: trade.currency }),
    buyer_pay_amount: isPaid ? formatAmount(trade.amount) : '0.00',
    receipt_amount: isPaid ? formatAmount(trade.amount) : '0.00',
    invoice_amount: '0.00',
    point_amount: '0.00',
    ...(isPaid ? { send_pay_date: toBeijing(trade.paidMs) } : {}),
    ...(trade.passback === '' ? {} : { passback_params: trade.passback }),
  };
}

export function close(scene: Scene, fields: Fields): JsonObject {
  const trade = existing(scene, fields);
  if (trade.status !== 'WAIT_BUYER_PAY') throw refused('ACQ.TRADE_STATUS_ERROR', '交易状态不合法');
  trade.status = 'TRADE_CLOSED';
  scene.state.save('trade', trade);
  scene.notifier.emit(trade.appId, trade.notifyUrl, tradeEvent(trade));
  return { trade_no: trade.tradeNo, out_trade_no: trade.outTradeNo };
}

export const refundedOf = (trade: Trade): number =>
  trade.refunds.reduce((sum, { amount }) => sum + amount, 0);

export function refund(scene: Scene, fields: Fields): JsonObject {
  const trade = existing(scene, fields);
  const amount = amountOf(fields['refund_amount']);
  // Without a number of its own a refund is the whole trade's.
  const no = fields['out_request_no'] ?? trade.outTradeNo;
  if ((fields['refund_currency'] ?? trade.currency) !== trade.currency)
    throw invalidParameter('refund_currency');
  const known = trade.refunds.find((other) => other.no === no);
  if (known !== undefined && known.amount !== amount)
    throw refused('ACQ.DISCORDANT_REPEAT_REQUEST', '请求信息不一致');
  if (known === undefined) giveBack(scene, trade, no, amount, fields['out_request_no'] === undefined);
  return {
    trade_no: trade.tradeNo,
    out_trade_no: trade.outTradeNo,
    buyer_logon_id: 'cus***@example.com',
    fund_change: known === undefined ? 'Y' : 'N',
    refund_fee: formatAmount(refundedOf(trade)),
    gmt_refund_pay: toBeijing(trade.refunds.at(-1)?.atMs ?? Date.now()),
  };
}

/** @throws AlipayError when the trade has not that much, or is in no state for it */
export function giveBack(
  scene: Pick<Scene, 'state' | 'notifier'>,
  trade: Trade,
  no: string,
  amount: number,
  isWhole = false,
): void {
  if (trade.status === 'TRADE_FINISHED') throw refused('ACQ.TRADE_HAS_FINISHED', '交易已完结');
  if (trade.status !== 'TRADE_SUCCESS') throw refused('ACQ.TRADE_STATUS_ERROR', '交易状态非法');
  if ((isWhole && amount !== trade.amount) || amount > trade.amount - refundedOf(trade))
    throw refused('ACQ.REFUND_AMT_NOT_EQUAL_TOTAL', '退款金额超限');
  trade.refunds.push({ no, amount, atMs: Date.now() });
  if (refundedOf(trade) === trade.amount) trade.status = 'TRADE_CLOSED';
  scene.state.save('trade', trade);
  scene.notifier.emit(trade.appId, trade.notifyUrl, {
    ...tradeEvent(trade),
    out_biz_no: no,
    refund_fee: formatAmount(refundedOf(trade)),
    gmt_refund: `${toBeijing(Date.now())}.000`,
  });
}

export function refundQuery(scene: Scene, fields: Fields): JsonObject {
  const trade = existing(scene, fields);
  const found = trade.refunds.find(({ no }) => no === fields['out_request_no']);
  // Success without a word is Alipay's way of saying that there is no such refund.
  if (found === undefined || scene.state.refundQueryLags) return {};
  return {
    trade_no: trade.tradeNo,
    out_trade_no: trade.outTradeNo,
    out_request_no: found.no,
    total_amount: formatAmount(trade.amount),
    refund_amount: formatAmount(found.amount),
    refund_status: 'REFUND_SUCCESS',
  };
}

function tradeEvent(trade: Trade): Params {
  return {
    notify_type: 'trade_status_sync',
    app_id: trade.appId,
    auth_app_id: trade.appId,
    trade_no: trade.tradeNo,
    out_trade_no: trade.outTradeNo,
    trade_status: trade.status,
    total_amount: formatAmount(trade.amount),
    ...(trade.currency === 'CNY' ? {} : { trans_currency: trade.currency }),
    subject: trade.subject,
    buyer_id: '2088000000000001',
    ...(trade.paidMs > 0 ? { gmt_payment: toBeijing(trade.paidMs) } : {}),
    ...(trade.status === 'TRADE_CLOSED' ? { gmt_close: toBeijing(Date.now()) } : {}),
    ...(trade.passback === '' ? {} : { passback_params: trade.passback }),
  };
}
