/** The sandbox's own books: what tests compare our rows with. Amounts in ISO minor units. */
import { refundedOf } from './render';
import type { State } from './state';
import type { CallRecord, Dispute, Order } from './types';

export interface BookedOrder {
  id: string;
  intent: Order['intent'];
  status: string;
  currency: string;
  custom_id: string | null;
  amount: number;
  held: number;
  captured: number;
  refunded: number;
  refunds: {
    id: string;
    amount: number;
    status: string;
    custom_id: string | null;
    invoice_id: string | null;
  }[];
}

export interface Books {
  orders: BookedOrder[];
  totals: Record<string, { held: number; captured: number; refunded: number }>;
  disputes: Dispute[];
  calls: CallRecord[];
}

/** @param holdfastId only what belongs to this workflow; undefined: everything */
export function readBooks(state: State, holdfastId?: string): Books {
  const isAsked = (customId: string | null) =>
    holdfastId === undefined || customId?.startsWith(`${holdfastId}|`) === true;
  const orders = [...state.orders.values()].filter(({ customId }) => isAsked(customId)).map(book);
  const totals: Books['totals'] = {};
  for (const order of orders) {
    const total = (totals[order.currency] ??= { held: 0, captured: 0, refunded: 0 });
    total.held += order.held;
    total.captured += order.captured;
    total.refunded += order.refunded;
  }
  const ids = new Set(orders.map(({ id }) => id));
  return {
    orders,
    totals,
    disputes: [...state.disputes.values()].filter(({ order }) => ids.has(order)),
    calls: state.calls.filter(({ custom_id: customId }) => isAsked(customId)),
  };
}

function book(order: Order): BookedOrder {
  const taken = order.captures.filter(({ status }) => status === 'COMPLETED');
  const captured = taken.reduce((total, { amount }) => total + amount, 0);
  const isHeld = order.authorizations.some(
    ({ status }) => status === 'CREATED' || status === 'PARTIALLY_CAPTURED',
  );
  return {
    id: order.id,
    intent: order.intent,
    status: order.status,
    currency: order.currency,
    custom_id: order.customId,
    amount: order.amount,
    held: isHeld ? order.amount - captured : 0,
    captured,
    refunded: taken.reduce((total, capture) => total + refundedOf(order, capture), 0),
    refunds: order.refunds.map(({ id, amount, status, customId, invoiceId }) => ({
      id,
      amount,
      status,
      custom_id: customId,
      invoice_id: invoiceId,
    })),
  };
}
