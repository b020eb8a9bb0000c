/** Money that a closed payment or hold does not account for: a row, an event and, where the merchant wants that, its refund. */
import type { PoolClient } from 'pg';
import type { ChannelName, HoldSnapshot } from '../domain/channel';
import type { PaymentSnapshot } from '../domain/channel-payment';
import type { ObjectRef } from '../domain/ids';
import { LATE_EVENTS, lateMoneyOfHold, newLateMoney } from '../domain/late-money';
import { lateMoneyOf, paymentObject } from '../domain/payment';
import type { LateMoney, Payment } from '../domain/payment';
import { holdObject } from '../domain/pre-auth';
import type { Hold } from '../domain/pre-auth';
import type { RefundedRef } from '../domain/refund';
import { nextEventOf } from '../stores/event-subjects';
import { insertLatePayment, recordedLateMoney } from '../stores/late-payments';
import { insertLateRefund } from '../stores/late-refunds';
import { appendEvent } from '../stores/outbox';
import type { ActivityDeps } from './deps';

const MAX_TRADE_NO_CHARACTERS = 240;

/**
 * The one place that sees every snapshot of a closed payment, in the transaction of whatever else it brings about. Nothing
 * for an open one, and for money that is written down already.
 * @param tx has locked the payment; ring the outbox after it
 * @returns the refund to start after the commit, if there is one: who forgets it leaves it to the pick-up
 */
export async function noteLateMoney(
  deps: ActivityDeps,
  tx: PoolClient,
  payment: Payment,
  snapshot: PaymentSnapshot,
): Promise<ObjectRef | undefined> {
  return note(deps, tx, lateMoneyOf(payment, snapshot), {
    object: { ...paymentObject(payment), kind: 'payment' },
    channelAccountId: payment.channelAccountId,
    tradeNo: snapshot.channelTradeNo ?? snapshot.channelPaymentNo,
    currency: payment.currency,
  });
}

/** Money at a channel that payment or hold has left. Whatever it is now, it does not account for that: all of it is late. */
export async function noteMoneyLeft(
  deps: ActivityDeps,
  tx: PoolClient,
  object: RefundedRef,
  left: MoneyLeft,
): Promise<ObjectRef | undefined> {
  const { taken: amount, channelAccountId, tradeNo, currency } = left;
  const money: LateMoney | null = amount > 0 ? { kind: 'late', amount } : null;
  return note(deps, tx, money, { object, channelAccountId, tradeNo, currency, left });
}

/** The same for a hold from which money was taken at the channel after its end. */
export async function noteLateCapture(
  deps: ActivityDeps,
  tx: PoolClient,
  hold: Hold,
  snapshot: HoldSnapshot,
): Promise<ObjectRef | undefined> {
  return note(deps, tx, lateMoneyOfHold(hold, snapshot), {
    object: { ...holdObject(hold), kind: 'pre_auth' },
    channelAccountId: hold.channelAccountId,
    tradeNo: snapshot.channelPreAuthNo,
    currency: hold.currency,
  });
}

/** What was taken at a channel that the object has left, under its number there. */
export interface MoneyLeft {
  readonly channel: ChannelName;
  readonly channelAccountId: string;
  readonly channelNo: string;
  readonly tradeNo: string;
  readonly currency: string;
  /** Minor units. */
  readonly taken: number;
}

interface Arrival {
  readonly object: RefundedRef;
  readonly channelAccountId: string;
  readonly tradeNo: string;
  readonly currency: string;
  readonly left?: MoneyLeft;
}

async function note(
  deps: ActivityDeps,
  tx: PoolClient,
  all: LateMoney | null,
  { object, channelAccountId, tradeNo, currency, left }: Arrival,
): Promise<ObjectRef | undefined> {
  if (all === null) return undefined;
  const recorded = await recordedLateMoney(tx, object, left);
  const late = newLateMoney(all, recorded.amount);
  if (late === null) return undefined;
  // Every further part that arrives under one number of the channel is a row of its own.
  const part = recorded.rows === 0 ? '' : `#${recorded.rows + 1}`;
  const channelTradeNo = `${tradeNo.slice(0, MAX_TRADE_NO_CHARACTERS)}${part}`;
  const channelNo = left?.channelNo;
  const arrived = { object, channelAccountId, channelTradeNo, channelNo, currency, ...late };
  const row = await insertLatePayment(tx, arrived);
  if (row === undefined) return undefined;
  const subject = await nextEventOf(tx, object);
  const refundNo =
    subject.late_money === 'refund'
      ? await insertLateRefund(tx, row, subject, new Date(deps.now()))
      : undefined;
  await appendEvent(tx, {
    merchantId: object.merchantId,
    objectKind: object.kind,
    objectNo: object.no,
    orderNo: subject.order_no,
    sequence: subject.event_sequence,
    type: LATE_EVENTS[late.kind],
    status: subject.status,
    amount: late.amount,
    currency,
    at: new Date(deps.now()),
    extra: {
      late_payment_id: row.id,
      channel: left?.channel ?? subject.channel,
      channel_trade_no: tradeNo,
      ...(refundNo === undefined ? {} : { refund_no: refundNo }),
    },
    notifyUrl: subject.notify_url,
    defaultMaxRetries: deps.defaultMaxRetries,
  });
  if (refundNo !== undefined) return { merchantId: object.merchantId, kind: 'refund', no: refundNo };
  const { kind: objectKind, no: objectNo } = object;
  deps.log.error({ objectKind, objectNo, latePaymentId: row.id, ...late }, 'late money needs attention');
  return undefined;
}
