/**
 * What payments and holds have in common: an order is made, the payer approves it on PayPal's page, and then a call of
 * ours moves the money (capture) or reserves it (authorize).
 *
 * PayPal has no way to cancel an order that was not completed: it is forgotten after some hours. What keeps money safe
 * is that nothing moves without our call. A cancelled order is therefore closed by us: it gets a mark behind its
 * identity (PATCH of custom_id), so that every later read, also by another process, sees it closed, and neither
 * `completePayment` nor `completePreAuth` completes an order with that mark.
 */
import { ChannelFault } from '../../domain/channel';
import type { CallIdentity, CustomerStep, Decline } from '../../domain/channel';
import type { Money } from '../../domain/money';
import { toPayPalAmount } from './amounts';
import { findOrder, isDecline, mustMatch, notExpressible, orderPath, refused, send } from './calls';
import type { Scene } from './calls';
import { cancelledCustomId, customId, orderInvoiceId, readCustomId } from './identity';
import { toCustomerStep } from './mapping';
import { unitOf } from './order';
import { readOrder } from './wire';
import type { PayPalOrder } from './wire';

export type Intent = 'CAPTURE' | 'AUTHORIZE';

export interface OrderRequest extends Money {
  readonly orderNo: string;
  readonly customerEmail?: string;
  readonly description?: string;
  readonly returnUrl?: string;
}

const MAX_DESCRIPTION_LENGTH = 127;

export async function createOrder(
  scene: Scene,
  intent: Intent,
  request: OrderRequest,
  call: CallIdentity,
): Promise<{ order: PayPalOrder; customer: CustomerStep } | Decline> {
  const amount = toPayPalAmount(request);
  if ('refusal' in amount) return notExpressible(request);
  const ids = { custom_id: customId(call), invoice_id: orderInvoiceId(request.orderNo, call) };
  const body = {
    intent,
    purchase_units: [
      {
        amount: amount.amount,
        ...ids,
        ...(request.description === undefined
          ? {}
          : { description: request.description.slice(0, MAX_DESCRIPTION_LENGTH) }),
      },
    ],
    payment_source: { paypal: payerSource(request) },
  };
  const order = await send(scene, {
    method: 'POST',
    path: '/v2/checkout/orders',
    body,
    identity: call,
    read: readOrder,
  });
  if (isDecline(order)) return order;
  const unit = unitOf(order);
  const isOurs =
    order.intent === intent &&
    unit.invoice_id === ids.invoice_id &&
    // A replay after a cancel shows the mark: still ours.
    (unit.custom_id === ids.custom_id || unit.custom_id === cancelledCustomId(ids.custom_id));
  mustMatch(request, isOurs, unit.amount);
  return { order, customer: toCustomerStep(order) };
}

function payerSource({ customerEmail, returnUrl }: OrderRequest) {
  return {
    ...(customerEmail === undefined ? {} : { email_address: customerEmail }),
    experience_context: {
      // The payer pays on PayPal's page and has nothing more to confirm at the merchant's; addresses are the merchant's.
      user_action: 'PAY_NOW',
      shipping_preference: 'NO_SHIPPING',
      ...(returnUrl === undefined ? {} : { return_url: returnUrl, cancel_url: returnUrl }),
    },
  };
}

/** Captures or authorizes an approved order. PayPal does either at most once per order, whatever the key. */
export async function completeOrder(
  scene: Scene,
  order: PayPalOrder,
  action: 'capture' | 'authorize',
  call: CallIdentity,
): Promise<PayPalOrder | Decline> {
  if (isCancelled(order)) return refused('invalid_state', 'CANCELLED_BY_US');
  const done = await send(scene, {
    method: 'POST',
    path: orderPath(order.id, action),
    body: {},
    identity: call,
    read: readOrder,
  });
  if (!isDecline(done)) {
    if (done.id !== order.id) throw new ChannelFault('maybe_executed', 'answer_of_another_request');
    return done;
  }
  const isAlready =
    done.providerCode === 'ORDER_ALREADY_CAPTURED' || done.providerCode === 'ORDER_ALREADY_AUTHORIZED';
  // Our own call of before, whose key PayPal has forgotten: only we complete our orders.
  return isAlready ? ((await findOrder(scene, order.id)) ?? done) : done;
}

export function isCancelled(order: PayPalOrder): boolean {
  return readCustomId(unitOf(order).custom_id).isCancelled;
}

/**
 * Puts the mark on an order that was not completed.
 * @returns the order as it is then: with the mark, or completed meanwhile
 */
export async function markCancelled(scene: Scene, order: PayPalOrder): Promise<PayPalOrder> {
  const unit = unitOf(order);
  const custom = cancelledCustomId(unit.custom_id ?? '');
  const marked = { ...order, purchase_units: [{ ...unit, custom_id: custom }] };
  const patch = [
    { op: 'replace', path: "/purchase_units/@reference_id=='default'/custom_id", value: custom },
  ];
  const answer = await send(scene, {
    method: 'PATCH',
    path: orderPath(order.id),
    body: patch,
    read: () => marked,
  });
  if (!isDecline(answer)) return answer;
  // Refused: completed in this moment, or forgotten, or PayPal takes no change now. Then the order stays without its
  // mark; the caller's own row, which says cancelled, is what keeps us from completing it.
  const now = await findOrder(scene, order.id);
  return now?.status === 'COMPLETED' ? now : marked;
}
