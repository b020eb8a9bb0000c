/** Alipay's notifications: forms, signed in the form itself. */
import { createHash } from 'node:crypto';
import { InvalidEventSignature } from '../../domain/channel';
import type { InboundEvent } from '../../domain/channel';
import type { InboundSubject } from '../../domain/channel-payment';
import { parseAmount } from './amounts';
import type { AlipayClient } from './client';
import { currencyOf } from './mapping';
import { holdOfCapture, readNumber, readPassback, withDetails } from './numbers';

/** Alipay repeats a notification until it reads exactly this. */
export const ACKNOWLEDGEMENT = { contentType: 'text/plain; charset=utf-8', body: 'success' } as const;

/** @throws InvalidEventSignature for what Alipay has not signed for this application and seller */
export function parseNotification(
  client: AlipayClient,
  expected: { readonly appId: string; readonly sellerId: string },
  rawBody: Buffer,
): InboundEvent {
  const params = readForm(rawBody);
  if (!client.isNotification(params)) throw refusedEvent();
  // A right signature for another application or seller of the same Alipay key is not for this account.
  if ((params['app_id'] ?? params['auth_app_id']) !== expected.appId) throw refusedEvent();
  const payee = params['seller_id'] ?? params['payee_user_id'];
  if (expected.sellerId !== '' && payee !== undefined && payee !== expected.sellerId) throw refusedEvent();
  const { holdfastId } = readPassback(params['passback_params']);
  const objectId = objectOf(params);
  const refundNo = isRefund(params) ? refundNoOf(params) : undefined;
  return {
    eventId: params['notify_id'] ?? createHash('sha256').update(rawBody).digest('hex'),
    type: typeOf(params),
    subject: subjectOf(params),
    ...(objectId === undefined ? {} : { objectId }),
    ...(holdfastId === undefined ? {} : { holdfastId }),
    ...(refundNo === undefined ? {} : { channelRefundNo: refundNo }),
  };
}

function refusedEvent(): InvalidEventSignature {
  return new InvalidEventSignature('the signature of this Alipay notification does not hold');
}

function readForm(rawBody: Buffer): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(rawBody.toString('utf8')));
}

type Params = Readonly<Record<string, string>>;

const isRefund = (params: Params): boolean => params['gmt_refund'] !== undefined;

/** Of one made by hand too: the only way to learn of those. One that was made without a number has its trade's. */
function refundNoOf(params: Params): string | undefined {
  const refundNo = params['out_biz_no'];
  return refundNo === undefined || refundNo === '' ? params['out_trade_no'] : refundNo;
}

function typeOf(params: Params): string {
  const parts = [params['notify_type'] ?? 'unknown', params['trade_status'] ?? params['status']];
  const type = parts.filter((part) => part !== undefined && part !== '').join('.');
  return isRefund(params) ? `${type}.refund` : type;
}

function subjectOf(params: Params): InboundSubject {
  if (params['notify_type']?.startsWith('fund_auth') === true) return 'pre_auth';
  if (params['out_trade_no'] === undefined) return 'other';
  if (isRefund(params)) return 'refund';
  return holdOfCapture(params['out_trade_no']) === undefined ? 'payment' : 'pre_auth';
}

/** The number as Holdfast keeps it, where the notification tells enough to say it. */
function objectOf(params: Params): string | undefined {
  const outNo = params['out_order_no'] ?? params['out_trade_no'];
  if (outNo === undefined) return undefined;
  const { number } = readPassback(params['passback_params']);
  const own = holdOfCapture(outNo) ?? outNo;
  if (number !== undefined && readNumber(number).outNo === own) return number;
  // Without the words we sent with it only the trade's own number leads to the payment, whose row has it since it was paid.
  if (own === outNo && isRefund(params)) return params['trade_no'] ?? own;
  const frozen = parseAmount(params['total_freeze_amount']);
  if (params['out_order_no'] === undefined || frozen === undefined) return own;
  return withDetails(outNo, { amount: frozen, currency: currencyOf(params) });
}
