/** One live or successful payment or hold per order. The claim is taken with the row and follows it (stores/pre-auths.ts). */
import type { Queryable } from './postgres';

export interface OrderClaim {
  kind: 'payment' | 'pre_auth';
  number: string;
  state: 'live' | 'paid';
}

/** The claim on an order; undefined when it was dropped a moment ago. */
export async function findOrderClaim(
  q: Queryable,
  merchantId: string,
  orderNo: string,
): Promise<OrderClaim | undefined> {
  const found = await q.query<OrderClaim>(
    'SELECT kind, number, state FROM order_claims WHERE merchant_id = $1 AND order_no = $2',
    [merchantId, orderNo],
  );
  return found.rows[0];
}
