/** The state machine of fund authorisations: opened by the customer, frozen, paid from, unfrozen. */
import { refused } from './errors';
import { amountOf, currencyOf, formatAmount } from './fields';
import type { Fields } from './fields';
import { toBeijing } from './signing';
import { makeNumber } from './state';
import { offer, pay } from './trades';
import type { Scene } from './trades';
import type { Auth, JsonObject, Params, SandboxApp } from './types';

const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

function assertContract(app: SandboxApp): void {
  if (!app.preAuth) throw refused('ACCESS_FORBIDDEN', '无权限使用该产品');
}

/** The customer uses the order string. @throws AlipayError when it is over or was used for something else */
export function openAuth(scene: Scene, fields: Fields, signedMs: number): Auth {
  assertContract(scene.app);
  if (fields['product_code'] !== 'PRE_AUTH_ONLINE' || fields['payee_user_id'] !== scene.app.sellerId)
    throw refused('ILLEGAL_ARGUMENT', '参数异常');
  const known = scene.state.auth(scene.app.appId, fields['out_order_no'] ?? '');
  const amount = amountOf(fields['amount']);
  const currency = currencyOf(scene.app, fields);
  if (known !== undefined) {
    if (known.amount !== amount || known.currency !== currency)
      throw refused('UNIQUE_VIOLATION', '订单信息被篡改');
    if (known.status === 'CLOSED') throw refused('ORDER_ALREADY_CLOSED', '授权订单已经关闭');
    return known;
  }
  const [, count = '15', unit = 'd'] = /^(\d+)([mhd])$/.exec(fields['pay_timeout'] ?? '') ?? [];
  const confirmByMs = signedMs + Number(count) * (UNIT_MS[unit] ?? 0);
  if (Date.now() >= confirmByMs) throw refused('ORDER_ALREADY_CLOSED', '授权订单已经关闭');
  const auth: Auth = {
    appId: scene.app.appId,
    outOrderNo: fields['out_order_no'] ?? '',
    outRequestNo: fields['out_request_no'] ?? '',
    authNo: makeNumber(Date.now()),
    operationId: makeNumber(Date.now()),
    amount,
    currency,
    title: fields['order_title'] ?? '',
    status: 'INIT',
    paid: 0,
    unfrozen: 0,
    unfreezes: [],
    confirmByMs,
    notifyUrl: scene.notifyUrl,
  };
  scene.state.save('auth', auth);
  return auth;
}

/** The customer confirms. */
export function freeze(scene: Pick<Scene, 'state' | 'notifier'>, auth: Auth): Auth {
  if (auth.status !== 'INIT') throw refused('ILLEGAL_STATUS', '订单状态非法');
  auth.status = 'AUTHORIZED';
  scene.state.save('auth', auth);
  scene.notifier.emit(auth.appId, auth.notifyUrl, authEvent(auth, 'fund_auth_freeze', 'FREEZE', auth.amount));
  return auth;
}

const restOf = (auth: Auth): number =>
  auth.status === 'AUTHORIZED' ? auth.amount - auth.paid - auth.unfrozen : 0;

export function detailQuery(scene: Scene, fields: Fields): JsonObject {
  assertContract(scene.app);
  const auth = scene.state.auth(scene.app.appId, fields['out_order_no'] ?? '');
  if (auth === undefined) throw refused('AUTH_ORDER_NOT_EXIST', '支付宝资金授权订单不存在');
  const isFreeze = fields['out_request_no'] === auth.outRequestNo;
  const unfreeze = auth.unfreezes.find(({ no }) => no === fields['out_request_no']);
  if (!isFreeze && unfreeze === undefined)
    throw refused('AUTH_OPERATION_NOT_EXIST', '支付宝资金操作流水不存在');
  const wasFrozen = auth.status === 'AUTHORIZED' || auth.paid > 0 || auth.unfrozen > 0;
  return {
    auth_no: auth.authNo,
    out_order_no: auth.outOrderNo,
    order_status: auth.status,
    total_freeze_amount: wasFrozen ? formatAmount(auth.amount) : '0.00',
    rest_amount: formatAmount(restOf(auth)),
    total_pay_amount: formatAmount(auth.paid),
    order_title: auth.title,
    payer_logon_id: 'cus***@example.com',
    payer_user_id: '2088000000000001',
    operation_id: auth.operationId,
    out_request_no: fields['out_request_no'],
    amount: formatAmount(unfreeze?.amount ?? auth.amount),
    operation_type: unfreeze === undefined ? 'FREEZE' : 'UNFREEZE',
    status: wasFrozen ? 'SUCCESS' : auth.status === 'INIT' ? 'INIT' : 'CLOSED',
    ...(auth.currency === 'CNY' ? {} : { trans_currency: auth.currency }),
  };
}

function byAuthNo(scene: Scene, authNo: string | undefined): Auth | undefined {
  return [...scene.state.auths.values()].find(
    (auth) => auth.appId === scene.app.appId && auth.authNo === authNo,
  );
}

/** alipay.trade.pay with `auth_no`. */
export function payFromAuth(scene: Scene, fields: Fields): JsonObject {
  assertContract(scene.app);
  const auth = byAuthNo(scene, fields['auth_no']);
  if (auth === undefined) throw refused('ACQ.AUTH_NO_ERROR', '预授权号错误或状态不对');
  const known = scene.state.trade(scene.app.appId, fields['out_trade_no'] ?? '');
  const amount = amountOf(fields['total_amount']);
  if (known === undefined) assertPayable(auth, amount);
  const trade = offer(scene, 'trade.pay', fields);
  assertPayable(auth, amount);
  pay(scene, trade);
  auth.paid += amount;
  if (fields['auth_confirm_mode'] === 'COMPLETE') auth.unfrozen = auth.amount - auth.paid;
  if (auth.paid + auth.unfrozen === auth.amount) auth.status = 'FINISH';
  scene.state.save('auth', auth);
  return {
    trade_no: trade.tradeNo,
    out_trade_no: trade.outTradeNo,
    buyer_logon_id: 'cus***@example.com',
    total_amount: formatAmount(amount),
    receipt_amount: formatAmount(amount),
    gmt_payment: toBeijing(trade.paidMs),
    fund_bill_list: [{ fund_channel: 'ALIPAYACCOUNT', amount: formatAmount(amount) }],
  };
}

function assertPayable(auth: Auth, amount: number): void {
  if (auth.status === 'INIT') throw refused('ACQ.AUTH_ORDER_NOT_PAID', '预授权订单未支付');
  if (auth.status === 'CLOSED') throw refused('ACQ.AUTH_ORDER_HAS_CLOSED', '预授权订单已关闭');
  if (auth.status === 'FINISH') throw refused('ACQ.AUTH_ORDER_HAS_FINISHED', '预授权订单已经完结');
  if (amount > restOf(auth)) throw refused('ACQ.AUTH_AMOUNT_NOT_ENOUGH', '授权金额不足');
}

export function unfreeze(scene: Scene, fields: Fields): JsonObject {
  assertContract(scene.app);
  const auth = byAuthNo(scene, fields['auth_no']);
  if (auth === undefined) throw refused('AUTH_ORDER_NOT_EXIST', '授权订单不存在');
  const no = fields['out_request_no'] ?? '';
  const amount = amountOf(fields['amount']);
  const known = auth.unfreezes.find((other) => other.no === no);
  if (no === auth.outRequestNo || (known !== undefined && known.amount !== amount))
    throw refused('UNIQUE_VIOLATION', '解冻信息被篡改');
  if (known === undefined) giveFree(scene, auth, no, amount);
  return {
    auth_no: auth.authNo,
    out_order_no: auth.outOrderNo,
    operation_id: auth.operationId,
    out_request_no: no,
    amount: formatAmount(amount),
    status: 'SUCCESS',
    gmt_trans: toBeijing(Date.now()),
  };
}

/** @throws AlipayError when there is not that much, or no state for it */
function giveFree(scene: Pick<Scene, 'state' | 'notifier'>, auth: Auth, no: string, amount: number): void {
  if (auth.status === 'INIT') throw refused('ILLEGAL_STATUS', '订单状态非法');
  if (auth.status === 'FINISH') throw refused('ORDER_ALREADY_FINISH', '授权订单已经完结');
  if (auth.status === 'CLOSED') throw refused('ORDER_ALREADY_CLOSED', '授权订单已经关闭');
  if (amount > restOf(auth)) throw refused('REQUEST_AMOUNT_EXCEED', '请求解冻金额超限');
  auth.unfrozen += amount;
  auth.unfreezes.push({ no, amount, atMs: Date.now() });
  if (auth.paid + auth.unfrozen === auth.amount) auth.status = auth.paid > 0 ? 'FINISH' : 'CLOSED';
  scene.state.save('auth', auth);
  scene.notifier.emit(
    auth.appId,
    auth.notifyUrl,
    authEvent(auth, 'fund_auth_unfreeze', 'UNFREEZE', amount, no),
  );
}

/** What is left when Alipay's own time is over. */
export function releaseByDeadline(scene: Pick<Scene, 'state' | 'notifier'>, auth: Auth): Auth {
  giveFree(scene, auth, makeNumber(Date.now()), restOf(auth));
  return auth;
}

export function cancelOperation(scene: Scene, fields: Fields): JsonObject {
  assertContract(scene.app);
  const auth = scene.state.auth(scene.app.appId, fields['out_order_no'] ?? '');
  if (auth === undefined) throw refused('AUTH_ORDER_NOT_EXIST', '授权订单不存在');
  if (fields['out_request_no'] !== auth.outRequestNo)
    throw refused('AUTH_OPERATION_NOT_EXIST', '操作流水不存在');
  if (auth.status === 'FINISH' || auth.paid > 0) throw refused('ORDER_ALREADY_FINISH', '授权订单已经完结');
  const action = auth.status === 'AUTHORIZED' ? 'unfreeze' : 'close';
  if (auth.status === 'AUTHORIZED') auth.unfrozen = auth.amount;
  auth.status = 'CLOSED';
  scene.state.save('auth', auth);
  scene.notifier.emit(
    auth.appId,
    auth.notifyUrl,
    authEvent(auth, 'fund_auth_operation_cancel', 'FREEZE', auth.amount),
  );
  return {
    auth_no: auth.authNo,
    out_order_no: auth.outOrderNo,
    operation_id: auth.operationId,
    out_request_no: auth.outRequestNo,
    action,
  };
}

function authEvent(
  auth: Auth,
  type: string,
  operation: string,
  amount: number,
  no = auth.outRequestNo,
): Params {
  return {
    notify_type: type,
    app_id: auth.appId,
    auth_app_id: auth.appId,
    auth_no: auth.authNo,
    out_order_no: auth.outOrderNo,
    operation_id: auth.operationId,
    out_request_no: no,
    operation_type: operation,
    amount: formatAmount(amount),
    status: 'SUCCESS',
    total_freeze_amount: formatAmount(auth.amount),
    total_unfreeze_amount: formatAmount(auth.unfrozen),
    total_pay_amount: formatAmount(auth.paid),
    rest_amount: formatAmount(restOf(auth)),
    payer_user_id: '2088000000000001',
    ...(auth.currency === 'CNY' ? {} : { trans_currency: auth.currency }),
    gmt_trans: toBeijing(Date.now()),
  };
}
