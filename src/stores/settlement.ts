/** What moved on one day, added up as far as the database can: equal amounts are counted, fees are the domain's business. */
import type { ChannelName } from '../domain/channel';
import type { MoneyKind, MoneyLine } from '../domain/settlement';
import type { Queryable } from './postgres';

interface LineRow {
  merchant_id: string;
  merchant_name: string;
  channel: ChannelName;
  channel_account_id: string;
  account_name: string;
  currency: string;
  country: string | null;
  kind: MoneyKind;
  amount: number;
  count: number;
}

const DURING = (column: string) => `${column} >= $1 AND ${column} < $2`;
const OF_MERCHANT = (alias: string) => `($3::uuid IS NULL OR ${alias}.merchant_id = $3)`;
const EVENT = (type: string) =>
  `e.type = '${type}' AND e.sequence > 0 AND ${DURING('e.created_at')} AND ${OF_MERCHANT('e')}`;

// An amount counts for the day on which its event was written, and what was reported once stays: a refund that comes back
// after it had succeeded is taken off on the day on which that became known. The country is told where it may tell the price.
const LINES = `
WITH moved AS (
  SELECT p.merchant_id, p.channel_account_id, p.currency, p.country, 'capture' AS kind,
    (e.data->>'amount_paid')::bigint AS amount
  FROM payment_events e JOIN payments p ON p.merchant_id = e.merchant_id AND p.payment_no = e.object_no
  WHERE e.object_kind = 'payment' AND ${EVENT('payment.success')}
  UNION ALL
  SELECT h.merchant_id, h.channel_account_id, h.currency, h.country, 'capture', (e.data->>'amount_this_capture')::bigint
  FROM payment_events e JOIN pre_auths h ON h.merchant_id = e.merchant_id AND h.pre_auth_no = e.object_no
  WHERE e.object_kind = 'pre_auth' AND ${EVENT('pre_auth.captured')}
  UNION ALL
  SELECT r.merchant_id, r.channel_account_id, r.currency, NULL, 'refund', r.amount
  FROM payment_events e JOIN refunds r ON r.merchant_id = e.merchant_id AND r.refund_no = e.object_no
  WHERE e.object_kind = 'refund' AND ${EVENT('refund.success')}
  UNION ALL
  SELECT r.merchant_id, r.channel_account_id, r.currency, NULL, 'refund_failed', r.amount
  FROM payment_events e JOIN refunds r ON r.merchant_id = e.merchant_id AND r.refund_no = e.object_no
  WHERE e.object_kind = 'refund' AND ${EVENT('refund.failed')} AND EXISTS (
    SELECT 1 FROM payment_events s
    WHERE s.merchant_id = e.merchant_id AND s.object_kind = 'refund' AND s.object_no = e.object_no
      AND s.type = 'refund.success' AND s.sequence BETWEEN 1 AND e.sequence)
  UNION ALL
  SELECT i.merchant_id, i.channel_account_id, i.currency, NULL, 'refund', i.amount FROM imported_refunds i
  WHERE i.status = 'success' AND ${DURING('i.updated_at')} AND ${OF_MERCHANT('i')}
  UNION ALL
  SELECT o.merchant_id, r.channel_account_id, r.currency, NULL, 'refund', r.amount
  FROM left_refunds r JOIN left_objects o ON o.channel_account_id = r.channel_account_id AND o.channel_no = r.channel_no
  WHERE r.status = 'success' AND ${DURING('r.updated_at')} AND ${OF_MERCHANT('o')}
  UNION ALL
  SELECT d.merchant_id, d.channel_account_id, d.currency, NULL, 'dispute_lost', d.amount FROM disputes d
  WHERE d.status = 'lost' AND ${DURING('d.closed_at')} AND ${OF_MERCHANT('d')}
  UNION ALL
  SELECT l.merchant_id, l.channel_account_id, l.currency, coalesce(p.country, h.country), 'late', l.amount FROM late_payments l
  LEFT JOIN payments p ON l.object_kind = 'payment' AND p.merchant_id = l.merchant_id AND p.payment_no = l.object_no
  LEFT JOIN pre_auths h ON l.object_kind = 'pre_auth' AND h.merchant_id = l.merchant_id AND h.pre_auth_no = l.object_no
  WHERE ${DURING('l.created_at')} AND ${OF_MERCHANT('l')}
), counted AS (
  SELECT merchant_id, channel_account_id, currency, country, kind, amount, count(*) AS count FROM moved
  GROUP BY merchant_id, channel_account_id, currency, country, kind, amount
)
SELECT c.*, m.name AS merchant_name, a.channel, a.name AS account_name
FROM counted c JOIN merchants m ON m.id = c.merchant_id JOIN channel_accounts a ON a.id = c.channel_account_id`;

/** @param day from inclusive, to exclusive; @param merchantId undefined: every merchant's */
export async function readMoneyLines(
  q: Queryable,
  day: { readonly from: Date; readonly to: Date },
  merchantId?: string,
): Promise<MoneyLine[]> {
  const { rows } = await q.query<LineRow>(LINES, [day.from, day.to, merchantId ?? null]);
  return rows.map((row) => ({
    merchantId: row.merchant_id,
    merchantName: row.merchant_name,
    channel: row.channel,
    channelAccountId: row.channel_account_id,
    accountName: row.account_name,
    currency: row.currency,
    ...(row.country !== null && { country: row.country }),
    kind: row.kind,
    amount: row.amount,
    count: row.count,
  }));
}
