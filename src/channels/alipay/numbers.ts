/**
 * The numbers Alipay knows our objects by. They are its idempotency keys, so they come from the call alone: the same call
 * is the same trade or refund for ever, whatever else is sent with it.
 *
 * Alipay knows nothing of a trade before the customer opens it, and then has no record of when it may no longer be opened.
 * So the number that Holdfast keeps says more than the one Alipay sees: `{out_trade_no}.{amount}.{currency}.{expiry}`, with
 * amount (minor units) and expiry (Unix seconds) in base 36. A read of a trade that does not exist (yet) is answered from it.
 */
import { createHash } from 'node:crypto';
import type { CallIdentity } from '../../domain/channel';
import type { Money } from '../../domain/money';

/** P: payment, A: hold (fund authorisation), R: refund. */
type Kind = 'P' | 'A' | 'R';
type Identity = Pick<CallIdentity, 'holdfastId' | 'holdfastCall'>;

/** Letters and digits, 35 of the 64 characters that Alipay allows, so that suffixes fit. */
export function numberOf(kind: Kind, { holdfastId, holdfastCall }: Identity): string {
  const hash = createHash('sha256').update(`${holdfastId}\n${holdfastCall}`).digest('hex');
  return `HF${kind}${hash.slice(0, 32)}`;
}

/** What a kept number says of its object. Only `outNo` is there for a number without details. */
export interface NumberDetails {
  /** The part Alipay sees: out_trade_no or out_order_no. */
  readonly outNo: string;
  readonly money?: Money;
  readonly expiresAtUnixSeconds?: number;
}

export function withDetails(outNo: string, money: Money, expiresAtUnixSeconds?: number): string {
  const parts = [outNo, money.amount.toString(36), money.currency];
  if (expiresAtUnixSeconds !== undefined) parts.push(Math.floor(expiresAtUnixSeconds).toString(36));
  return parts.join('.');
}

const DETAILED = /^(\w+)\.([0-9a-z]{1,11})\.([A-Z]{3})(?:\.([0-9a-z]{1,9}))?$/;

export function readNumber(number: string): NumberDetails {
  const match = DETAILED.exec(number);
  const [, outNo, amount, currency, expiry] = match ?? [];
  if (outNo === undefined || amount === undefined || currency === undefined) return { outNo: number };
  return {
    outNo,
    money: { amount: parseInt(amount, 36), currency },
    ...(expiry === undefined ? {} : { expiresAtUnixSeconds: parseInt(expiry, 36) }),
  };
}

/** A hold has several operations at Alipay, each with a number of its own below the hold's. */
export function freezeNumber(outOrderNo: string): string {
  return `${outOrderNo}_F`;
}

/** Captures are trades: `capture/2` of a hold is `{out_order_no}_C2`, so that a refund finds them by counting. */
export function captureNumber(outOrderNo: string, holdfastCall: string): string {
  return `${outOrderNo}_C${attemptOf(holdfastCall)}`;
}

export function releaseNumber(outOrderNo: string, holdfastCall: string): string {
  return `${outOrderNo}_U${attemptOf(holdfastCall)}`;
}

/** `capture/2` -> 2; another form of call gets a hash, which is unique and never found by counting. */
function attemptOf(holdfastCall: string): string {
  const attempt = /\/(\d{1,4})$/.exec(holdfastCall)?.[1];
  return attempt ?? createHash('sha256').update(holdfastCall).digest('hex').slice(0, 16);
}

/** The hold a capture's out_trade_no belongs to; undefined for a payment's. */
export function holdOfCapture(outTradeNo: string): string | undefined {
  return /^(HFA[0-9a-f]{32})_C\w+$/.exec(outTradeNo)?.[1];
}

/** `passback_params`: Alipay gives it back in queries and notifications, and wants it URL-encoded once before it is sent. */
export function writePassback(call: Identity, number: string): string {
  const params = { holdfast_id: call.holdfastId, holdfast_call: call.holdfastCall, holdfast_no: number };
  return encodeURIComponent(new URLSearchParams(params).toString());
}

export interface Passback {
  readonly holdfastId?: string;
  readonly holdfastCall?: string;
  readonly number?: string;
}

/** What is not ours, or not readable, is nothing. */
export function readPassback(text: unknown): Passback {
  if (typeof text !== 'string' || text === '') return {};
  const params = new URLSearchParams(text.includes('=') ? text : decodeOnce(text));
  const [id, call, number] = ['holdfast_id', 'holdfast_call', 'holdfast_no'].map((name) => params.get(name));
  return {
    ...(typeof id === 'string' ? { holdfastId: id } : {}),
    ...(typeof call === 'string' ? { holdfastCall: call } : {}),
    ...(typeof number === 'string' ? { number } : {}),
  };
}

function decodeOnce(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
