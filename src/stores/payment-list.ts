/** Reading payments for people: pages of them, and why a channel was chosen. */
import type { PaymentStatus } from '../domain/payment';
import type { RoutingDecision } from '../domain/routing/decision';
import { microsOf, sinceEpoch } from './page';
import type { Page } from './page';
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

export interface PaymentFilter {
  merchantId: string;
  status?: PaymentStatus | undefined;
  orderNo?: string | undefined;
  createdFrom?: Date | undefined;
  createdTo?: Date | undefined;
}

const LIST = `
SELECT ${PAYMENT_COLUMNS}, ${microsOf('created_at')} AS created_at_micros FROM payments
WHERE merchant_id = $1
  AND ($2::text IS NULL OR status = $2)
  AND ($3::text IS NULL OR order_no = $3)
  AND ($4::timestamptz IS NULL OR created_at >= $4)
  AND ($5::timestamptz IS NULL OR created_at < $5)
  AND ($6::bigint IS NULL OR (created_at, payment_no) < (${sinceEpoch('$6')}, $7))
ORDER BY created_at DESC, payment_no DESC LIMIT $8`;

/** Newest first. A cursor names the last row seen, so that inserts never shift a page. */
export async function listPayments(
  q: Queryable,
  filter: PaymentFilter,
  page: Page,
): Promise<(PaymentRow & { created_at_micros: number })[]> {
  const result = await q.query<PaymentRow & { created_at_micros: number }>(LIST, [
    filter.merchantId,
    filter.status ?? null,
    filter.orderNo ?? null,
    filter.createdFrom ?? null,
    filter.createdTo ?? null,
    page.after?.micros ?? null,
    page.after?.id ?? null,
    page.limit,
  ]);
  return result.rows;
}
