/** Payments at PayPal: orders with intent CAPTURE. */
import type { CallIdentity } from '../../domain/channel';
import type { CreatePaymentRequest, PaymentAnswer, PaymentSnapshot } from '../../domain/channel-payment';
import { findOrder, isDecline, orderFor, refused } from './calls';
import type { Scene } from './calls';
import { OPEN_FOR_ANOTHER_TRY } from './errors';
import { needsCompletion, toPaymentAnswer, toPaymentSnapshot } from './mapping';
import { completeOrder, createOrder, markCancelled } from './orders';

export async function createPayment(scene: Scene, request: CreatePaymentRequest, call: CallIdentity) {
  const created = await createOrder(scene, 'CAPTURE', request, call);
  if (isDecline(created)) return { answer: created, customer: {} };
  return { answer: toPaymentAnswer(toPaymentSnapshot(created.order)), customer: created.customer };
}

export async function queryPayment(scene: Scene, id: string): Promise<PaymentSnapshot | undefined> {
  const order = await findOrder(scene, id);
  return order === undefined ? undefined : toPaymentSnapshot(order);
}

/**
 * Captures an order that the payer has approved. The order is read first: what is captured answers from that, and what
 * was cancelled is not captured.
 */
export async function completePayment(scene: Scene, id: string, call: CallIdentity): Promise<PaymentAnswer> {
  const order = await orderFor(scene, id);
  if (isDecline(order)) return order;
  const before = toPaymentSnapshot(order);
  if (before.channelTradeNo !== undefined) return toPaymentAnswer(before);
  if (!needsCompletion(before) && before.status !== 'unknown') {
    return refused(
      'invalid_state',
      before.status === 'requires_action' ? 'ORDER_NOT_APPROVED' : before.status,
    );
  }
  const done = await completeOrder(scene, order, 'capture', call);
  if (!isDecline(done)) return toPaymentAnswer(toPaymentSnapshot(done));
  if (!OPEN_FOR_ANOTHER_TRY.has(done.providerCode)) return done;
  const lastDecline = { code: done.code, providerCode: done.providerCode };
  return { kind: 'pending', snapshot: { ...before, status: 'requires_action', lastDecline } };
}

/** Closes an order that was not captured, by our mark on it (see orders.ts). */
export async function cancelPayment(scene: Scene, id: string): Promise<PaymentAnswer> {
  const order = await orderFor(scene, id);
  if (isDecline(order)) return order;
  const before = toPaymentSnapshot(order);
  if (before.status === 'canceled' || before.status === 'failed') return toPaymentAnswer(before);
  const after = isOpen(before) ? toPaymentSnapshot(await markCancelled(scene, order)) : before;
  return after.status === 'canceled'
    ? toPaymentAnswer(after)
    : refused('invalid_state', after.status === 'succeeded' ? 'ORDER_ALREADY_CAPTURED' : 'ORDER_NOT_OPEN');
}

const isOpen = (snapshot: PaymentSnapshot) =>
  snapshot.status === 'requires_action' || needsCompletion(snapshot);
