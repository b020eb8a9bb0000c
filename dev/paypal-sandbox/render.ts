/** What the API answers and what events carry: the same objects in PayPal's words. */
import { renderAmount } from './money';
import type { Authorization, Capture, Dispute, JsonObject, Order, Refund } from './types';

const iso = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;
const optional = (fields: Record<string, unknown>): JsonObject =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
const link = (href: string, rel: string, method = 'GET') => ({ href, rel, method });
/** Which order it belongs to: on objects that are read or sent by themselves. */
const related = (order: Order) => ({ supplementary_data: { related_ids: { order_id: order.id } } });

export function renderAuthorization(base: string, order: Order, one: Authorization): JsonObject {
  return {
    id: one.id,
    status: one.status,
    amount: renderAmount(one.amount, order.currency),
    ...optional({ custom_id: order.customId, invoice_id: order.invoiceId }),
    expiration_time: iso(one.expiresMs),
    create_time: iso(one.createdMs),
    update_time: iso(one.updatedMs),
    links: [link(`${base}/v2/payments/authorizations/${one.id}`, 'self')],
  };
}

export function renderCapture(base: string, order: Order, one: Capture): JsonObject {
  const refunded = refundedOf(order, one);
  const whenTaken = refunded === 0 ? 'COMPLETED' : refunded < one.amount ? 'PARTIALLY_REFUNDED' : 'REFUNDED';
  return {
    id: one.id,
    status: one.status === 'COMPLETED' ? whenTaken : one.status,
    ...(one.status === 'PENDING' ? { status_details: { reason: 'PENDING_REVIEW' } } : {}),
    amount: renderAmount(one.amount, order.currency),
    final_capture: one.isFinal,
    ...optional({ custom_id: order.customId, invoice_id: one.invoiceId }),
    create_time: iso(one.createdMs),
    update_time: iso(one.createdMs),
    links: [
      link(`${base}/v2/payments/captures/${one.id}`, 'self'),
      link(`${base}/v2/payments/captures/${one.id}/refund`, 'refund', 'POST'),
      link(`${base}/v2/checkout/orders/${order.id}`, 'up'),
    ],
  };
}

export function refundedOf(order: Order, { id }: Capture): number {
  return order.refunds
    .filter((refund) => refund.capture === id && refund.status !== 'FAILED')
    .reduce((total, { amount }) => total + amount, 0);
}

export function renderRefund(base: string, order: Order, one: Refund): JsonObject {
  return {
    id: one.id,
    status: one.status,
    amount: renderAmount(one.amount, order.currency),
    ...optional({ custom_id: one.customId, invoice_id: one.invoiceId, note_to_payer: one.note }),
    create_time: iso(one.createdMs),
    update_time: iso(one.createdMs),
    links: [
      link(`${base}/v2/payments/refunds/${one.id}`, 'self'),
      link(`${base}/v2/payments/captures/${one.capture}`, 'up'),
    ],
  };
}

export function renderOrder(base: string, order: Order): JsonObject {
  const payments = {
    ...(order.authorizations.length === 0
      ? {}
      : { authorizations: order.authorizations.map((one) => renderAuthorization(base, order, one)) }),
    ...(order.captures.length === 0
      ? {}
      : { captures: order.captures.map((one) => renderCapture(base, order, one)) }),
    ...(order.refunds.length === 0
      ? {}
      : { refunds: order.refunds.map((one) => renderRefund(base, order, one)) }),
  };
  return {
    id: order.id,
    intent: order.intent,
    status: order.status,
    ...(order.hasSource ? { payment_source: { paypal: optional({ email_address: order.email }) } } : {}),
    purchase_units: [
      {
        reference_id: 'default',
        amount: renderAmount(order.amount, order.currency),
        ...optional({
          description: order.description,
          custom_id: order.customId,
          invoice_id: order.invoiceId,
        }),
        ...(Object.keys(payments).length === 0 ? {} : { payments }),
      },
    ],
    create_time: iso(order.createdMs),
    links: orderLinks(base, order),
  };
}

function orderLinks(base: string, order: Order): JsonObject[] {
  const self = link(`${base}/v2/checkout/orders/${order.id}`, 'self');
  if (order.status === 'COMPLETED' || order.status === 'VOIDED') return [self];
  return [self, link(approvalAddress(base, order), order.hasSource ? 'payer-action' : 'approve')];
}

export const approvalAddress = (base: string, order: Order) => `${base}/checkoutnow?token=${order.id}`;

/** PayPal's short answer, for callers that do not send `Prefer: return=representation`. */
export function minimal(full: JsonObject): JsonObject {
  const { id, status, links } = full;
  return { id, status, links };
}

export const withOrder = (order: Order, rendered: JsonObject): JsonObject => ({
  ...rendered,
  ...related(order),
});

export function renderDispute(base: string, dispute: Dispute): JsonObject {
  return {
    dispute_id: dispute.id,
    create_time: iso(dispute.createdMs),
    update_time: iso(dispute.createdMs),
    reason: dispute.reason,
    status: dispute.status,
    dispute_state: dispute.outcome === null ? 'OPEN_INQUIRIES' : 'RESOLVED',
    dispute_amount: renderAmount(dispute.amount, dispute.currency),
    links: [link(`${base}/v1/customer/disputes/${dispute.id}`, 'self')],
  };
}

/** What the list leaves out. */
export function renderDisputeDetails(base: string, dispute: Dispute): JsonObject {
  return {
    ...renderDispute(base, dispute),
    disputed_transactions: [{ seller_transaction_id: dispute.capture }],
    ...(dispute.outcome === null ? {} : { dispute_outcome: { outcome_code: dispute.outcome } }),
  };
}
