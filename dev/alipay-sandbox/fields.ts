/** What `biz_content` may hold, method by method. Alipay ignores unknown fields; the sandbox refuses them, to find typos. */
import { invalidParameter, refused } from './errors';
import { fromBeijing } from './signing';
import type { JsonObject, SandboxApp } from './types';

const TRADE = 'out_trade_no total_amount subject';
const TRADE_MAY = 'product_code time_expire passback_params seller_id trans_currency settle_currency body';

/** [what must be there, what may be there] */
const FIELDS: Readonly<Record<string, readonly [must: string, may: string]>> = {
  'trade.page.pay': [`${TRADE} product_code`, TRADE_MAY],
  'trade.precreate': [TRADE, TRADE_MAY],
  'trade.pay': [`${TRADE} product_code auth_no`, `${TRADE_MAY} auth_confirm_mode`],
  'trade.query': ['out_trade_no', 'query_options'],
  'trade.close': ['out_trade_no', 'operator_id'],
  'trade.refund': [
    'out_trade_no refund_amount',
    'out_request_no refund_reason refund_currency query_options',
  ],
  'trade.fastpay.refund.query': ['out_trade_no out_request_no', 'query_options'],
  'fund.auth.order.app.freeze': [
    'out_order_no out_request_no order_title amount product_code payee_user_id',
    'pay_timeout trans_currency settle_currency extra_param',
  ],
  'fund.auth.operation.detail.query': ['out_order_no out_request_no', 'operation_type'],
  'fund.auth.order.unfreeze': ['auth_no out_request_no amount remark', 'extra_param'],
  'fund.auth.operation.cancel': ['out_order_no out_request_no remark', ''],
};

const LIMITS: Readonly<Record<string, RegExp>> = {
  out_trade_no: /^\w{1,64}$/,
  out_order_no: /^\w{1,64}$/,
  out_request_no: /^\w{1,64}$/,
  total_amount: /^\d{1,9}\.\d{2}$/,
  refund_amount: /^\d{1,9}\.\d{2}$/,
  amount: /^\d{1,9}\.\d{2}$/,
  subject: /^[^/=&]{1,256}$/s,
  order_title: /^[^/=&]{1,100}$/s,
  remark: /^.{1,100}$/s,
  passback_params: /^[^=&]{1,512}$/,
  time_expire: /^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$/,
  pay_timeout: /^\d{1,5}[mhd]$/,
  auth_confirm_mode: /^(COMPLETE|NOT_COMPLETE)$/,
  operation_type: /^(FREEZE|UNFREEZE|PAY)$/,
};

export type Fields = Readonly<Record<string, string>>;

export function isKnownOperation(operation: string): boolean {
  return Object.hasOwn(FIELDS, operation);
}

/** @throws AlipayError INVALID_PARAMETER naming the field */
export function readFields(operation: string, text: string): Fields {
  const content = parse(text);
  const [must = '', may = ''] = FIELDS[operation] ?? [];
  const allowed = new Set(`${must} ${may}`.split(' '));
  for (const [name, value] of Object.entries(content)) {
    if (!allowed.has(name) || typeof value !== 'string') throw invalidParameter(name);
    if (LIMITS[name]?.test(value) === false) throw invalidParameter(name);
  }
  for (const name of must.split(' ')) if (!Object.hasOwn(content, name)) throw invalidParameter(name);
  return content as Fields;
}

function parse(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as JsonObject;
  } catch {
    // Refused below, like everything that is no object.
  }
  throw invalidParameter('biz_content');
}

/** `12.34` -> 1234. The form was checked. @throws AlipayError for nothing at all */
export function amountOf(text: string | undefined): number {
  const amount = Number((text ?? '').replace('.', ''));
  if (!(amount > 0)) throw refused('ACQ.TOTAL_FEE_EXCEED', '订单总金额超过限额');
  return amount;
}

export function formatAmount(amount: number): string {
  const digits = String(amount).padStart(3, '0');
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** @throws AlipayError for a currency that the contract does not have */
export function currencyOf(app: SandboxApp, fields: Fields): string {
  const currency = fields['trans_currency'] ?? 'CNY';
  if (!app.currencies.includes(currency)) throw refused('ACQ.CURRENCY_NOT_SUPPORT', '订单币种不支持');
  return currency;
}

const DEFAULT_LIFE_MS = 15 * 86_400_000;

/** @throws AlipayError for a time that is over */
export function expiryOf(fields: Fields): number {
  const text = fields['time_expire'];
  if (text === undefined) return Date.now() + DEFAULT_LIFE_MS;
  const expiresMs = fromBeijing(text);
  if (Number.isNaN(expiresMs)) throw invalidParameter('time_expire');
  if (expiresMs <= Date.now())
    throw refused('ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR', '当前时间已超过允许支付的时间');
  return expiresMs;
}
