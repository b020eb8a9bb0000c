/** Refunds and disputes: both belong to a capture, which is found through its order. */
import type { CallIdentity, Decline } from '../../domain/channel';
import type {
  CreateRefundRequest,
  DisputeSnapshot,
  RefundAnswer,
  RefundSnapshot,
  RefundTarget,
} from '../../domain/channel-payment';
import { toPayPalAmount } from './amounts';
import {
  findOrder,
  isDecline,
  orderFor,
  mustMatch,
  notExpressible,
  readRefused,
  refused,
  send,
} from './calls';
import type { Scene } from './calls';
import { customId, refundInvoiceId } from './identity';
import { disputeOutcome, disputeState, refundableCapture, toRefundAnswer, toRefundSnapshot } from './mapping';
import { capturesOf, minorUnits, refundsOf } from './order';
import { readDispute, readDisputes, readRefund } from './wire';
import type { PayPalRefund } from './wire';

const MAX_NOTE_LENGTH = 255;
const DISPUTES_PER_PAGE = 50;

/**
 * The order's refunds are read first: what is there under our number answers, because the request id works per capture and
 * must never be spent on another one.
 */
export async function createRefund(
  scene: Scene,
  request: CreateRefundRequest,
  call: CallIdentity,
): Promise<RefundAnswer> {
  const amount = toPayPalAmount(request);
  if ('refusal' in amount) return notExpressible(request);
  const order = await orderFor(scene, request.target.channelNo);
  if (isDecline(order)) return order;
  const ids = { custom_id: customId(call), invoice_id: refundInvoiceId(request.refundNo, call) };
  const isOurs = (refund: PayPalRefund) =>
    refund.invoice_id === ids.invoice_id && (refund.custom_id ?? ids.custom_id) === ids.custom_id;
  const known = refundsOf(order).find(isOurs);
  const target = request.target.channelTradeNo ?? refundableCapture(order, request.amount)?.id;
  if (known === undefined && target === undefined)
    return refused('invalid_amount', 'NO_CAPTURE_WITH_SO_MUCH_LEFT');
  const refund =
    known ??
    (await send(scene, {
      method: 'POST',
      path: `/v2/payments/captures/${encodeURIComponent(target ?? '')}/refund`,
      body: {
        amount: amount.amount,
        ...ids,
        ...(request.reason === undefined ? {} : { note_to_payer: request.reason.slice(0, MAX_NOTE_LENGTH) }),
      },
      identity: call,
      read: readRefund,
    }));
  if (isDecline(refund)) return refund;
  mustMatch(request, isOurs(refund), refund.amount);
  return toRefundAnswer(toRefundSnapshot(refund));
}

export async function listRefunds(scene: Scene, target: RefundTarget): Promise<readonly RefundSnapshot[]> {
  const order = await findOrder(scene, target.channelNo);
  // An object with money has refunds or none; an order that cannot be read proves neither.
  if (order === undefined) throw readRefused(refused('object_not_found', 'RESOURCE_NOT_FOUND'));
  return refundsOf(order).map(toRefundSnapshot);
}

export async function listDisputes(scene: Scene, target: RefundTarget): Promise<readonly DisputeSnapshot[]> {
  const captures =
    target.channelTradeNo === undefined ? await captureIds(scene, target) : [target.channelTradeNo];
  const disputes: DisputeSnapshot[] = [];
  for (const capture of captures) disputes.push(...(await disputesOf(scene, target, capture)));
  return disputes;
}

async function captureIds(scene: Scene, target: RefundTarget): Promise<readonly string[]> {
  const order = await findOrder(scene, target.channelNo);
  return order === undefined ? [] : capturesOf(order).map(({ id }) => id);
}

async function disputesOf(scene: Scene, target: RefundTarget, capture: string): Promise<DisputeSnapshot[]> {
  const query = new URLSearchParams({
    disputed_transaction_id: capture,
    page_size: String(DISPUTES_PER_PAGE),
  });
  const list = mustRead(
    await send(scene, { path: `/v1/customer/disputes?${query.toString()}`, read: readDisputes }),
  );
  const disputes: DisputeSnapshot[] = [];
  for (const { dispute_id: id, reason, status, dispute_amount: money } of list.items ?? []) {
    disputes.push({
      channelDisputeNo: id,
      channelNo: target.channelNo,
      status: await statusOf(scene, id, status),
      currency: money.currency_code,
      amount: minorUnits(money),
      reason,
    });
  }
  return disputes;
}

/** The list does not say who won: that is in the details. */
async function statusOf(scene: Scene, id: string, status: string): Promise<DisputeSnapshot['status']> {
  const state = disputeState(status);
  if (state !== 'resolved') return state;
  const path = `/v1/customer/disputes/${encodeURIComponent(id)}`;
  const { dispute_outcome: outcome } = mustRead(await send(scene, { path, read: readDispute }));
  return disputeOutcome(outcome?.outcome_code);
}

function mustRead<T extends object>(read: T | Decline): T {
  if (isDecline(read)) throw readRefused(read);
  return read;
}
