/** The parts of an order, and what a call of ours changed in it. */
import { ChannelFault } from '../../domain/channel';
import { fromPayPalAmount } from './amounts';
import type { PayPalMoney } from './amounts';
import type { PayPalAuthorization, PayPalCapture, PayPalOrder, PayPalRefund } from './wire';

/** Our orders have one purchase unit; the schema lets no other through. */
export const unitOf = (order: PayPalOrder) =>
  order.purchase_units[0] as PayPalOrder['purchase_units'][number];
export const capturesOf = (order: PayPalOrder): readonly PayPalCapture[] =>
  unitOf(order).payments?.captures ?? [];
export const refundsOf = (order: PayPalOrder): readonly PayPalRefund[] =>
  unitOf(order).payments?.refunds ?? [];

/**
 * Oldest first: the first is the original, which is renewed and voided; the others are renewals of it. PayPal need not say
 * when one was made: what it leaves out in an answer to a renewal was made just now.
 */
export function authorizationsOf(order: PayPalOrder): readonly PayPalAuthorization[] {
  const timeOf = ({ create_time: time }: PayPalAuthorization) =>
    Date.parse(time ?? '') || Number.MAX_SAFE_INTEGER;
  return [...(unitOf(order).payments?.authorizations ?? [])].sort((a, b) => timeOf(a) - timeOf(b));
}

/** The one that is captured: the latest. A renewal that was denied has replaced nothing. */
export function currentAuthorization(order: PayPalOrder): PayPalAuthorization | undefined {
  const [original, ...renewals] = authorizationsOf(order);
  return renewals.findLast(({ status }) => status !== 'DENIED') ?? original;
}

/** @throws ChannelFault maybe_executed for an amount that is no whole number of ISO minor units */
export function minorUnits(money: PayPalMoney): number {
  const amount = fromPayPalAmount(money);
  if (amount === undefined) throw new ChannelFault('maybe_executed', 'amount_not_representable');
  return amount;
}

export const sum = (items: readonly { amount: PayPalMoney }[]): number =>
  items.reduce((total, { amount }) => total + minorUnits(amount), 0);

/** The order with this capture in it, as a read right after the call would show it. */
export function withCapture(order: PayPalOrder, capture: PayPalCapture): PayPalOrder {
  const others = capturesOf(order).filter(({ id }) => id !== capture.id);
  return withPayments(order, { captures: [...others, capture] });
}

/** The order with this authorization in it; what an answer leaves out of one that is known is as it was. */
export function withAuthorization(order: PayPalOrder, changed: PayPalAuthorization): PayPalOrder {
  const known = authorizationsOf(order);
  const authorizations = known.some(({ id }) => id === changed.id)
    ? known.map((one) => (one.id === changed.id ? { ...one, ...changed } : one))
    : [...known, changed];
  return withPayments(order, { authorizations });
}

function withPayments(
  order: PayPalOrder,
  change: NonNullable<PayPalOrder['purchase_units'][number]['payments']>,
): PayPalOrder {
  const unit = unitOf(order);
  return { ...order, purchase_units: [{ ...unit, payments: { ...unit.payments, ...change } }] };
}
