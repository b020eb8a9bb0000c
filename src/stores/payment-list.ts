/** Reading payments for people: pages of them, and why a channel was chosen. */
import type { PaymentStatus } from '../domain/payment';
import type { RoutingDecision } from '../domain/routing/types';
import { listOfOrders } from './page';
import { PAYMENT_COLUMNS } from './payments';
import type { PaymentRow } from './payments';
import type { Queryable } from './postgres';

/** Why the channel was chosen, as it was decided then. */
export async function readPaymentDecision(
  q: Queryable,
  merchantId: string,
  paymentNo: string,
): Promise<RoutingDecision | undefined> {
  const result = await q.query<{ decision: RoutingDecision }>(
    `SELECT decision FROM routing_decisions WHERE merchant_id = $1 AND kind = 'payment' AND number = $2`,
    [merchantId, paymentNo],
  );
  return result.rows[0]?.decision;
}

/** Newest first. */
export const listPayments = listOfOrders<PaymentRow, PaymentStatus>({
  table: 'payments',
  columns: PAYMENT_COLUMNS,
  id: 'payment_no',
});
