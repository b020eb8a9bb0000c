/** One live or successful payment or hold per order. The claim is taken with the row and follows it (stores/pre-auths.ts). */
import type { Queryable } from './postgres';

export interface OrderClaim {
  kind: 'payment' | 'pre_auth';
  number: string;
  state: 'live' | 'paid';
}

/** @returns undefined when the claim was taken, else the claim that stands in the way */
export async function takeOrderClaim(
  q: Queryable,
  merchantId: string,
  orderNo: string,
  kind: OrderClaim['kind'],
  number: string,
): Promise<OrderClaim | undefined> {
  const taken = await q.query(
    `INSERT INTO order_claims (merchant_id, order_no, kind, number, state) VALUES ($1, $2, $3, $4, 'live') ON CONFLICT DO NOTHING`,
    [merchantId, orderNo, kind, number],
  );
  if (taken.rowCount === 1) return undefined;
  const found = await q.query<OrderClaim>(
    'SELECT kind, number, state FROM order_claims WHERE merchant_id = $1 AND order_no = $2',
    [merchantId, orderNo],
  );
  // Dropped between the two statements: the next try will get it, and "in progress" is what it was a moment ago.
  return found.rows[0] ?? { kind, number: '', state: 'live' };
}
