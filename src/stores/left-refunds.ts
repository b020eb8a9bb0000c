/** Refunds made by hand of money at a channel that its payment or hold has left: they count against late money alone. */
import type { RefundSnapshot } from '../domain/channel-payment';
import type { RefundedRef } from '../domain/refund';
import { IMPORTED_STATUS, isOurs } from './imported-refunds';
import type { LeftPlace } from './left-objects';
import type { Queryable } from './postgres';
import { readRefundsOf } from './refunds';

const UPSERT = `
INSERT INTO left_refunds AS known (channel_account_id, channel_refund_no, channel_no, currency, amount, status)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (channel_account_id, channel_refund_no) DO UPDATE SET amount = excluded.amount, status = excluded.status, updated_at = now()
WHERE (known.amount, known.status) IS DISTINCT FROM (excluded.amount, excluded.status)`;

// What has gone back by hand needs nobody's decision any more, as soon as that and the refunds of ours are all of it.
const COUNT = `
WITH late AS (
  SELECT id, state, refund_reserved, currency FROM late_payments WHERE channel_account_id = $1 AND channel_no = $2
), by_hand AS (
  SELECT currency, sum(amount) AS amount FROM left_refunds
  WHERE channel_account_id = $1 AND channel_no = $2 AND status <> 'failed' GROUP BY currency
), judged AS (
  SELECT l.id, l.state, coalesce((SELECT amount FROM by_hand b WHERE b.currency = l.currency), 0) >= (
    SELECT sum(p.amount - p.refund_reserved) FROM late_payments p
    WHERE p.channel_account_id = $1 AND p.channel_no = $2 AND p.currency = l.currency
  ) AS is_gone
  FROM late l WHERE l.refund_reserved = 0
)
UPDATE late_payments SET state = CASE WHEN is_gone THEN 'refunded' ELSE 'needs_attention' END, updated_at = now() FROM judged
WHERE late_payments.id = judged.id AND is_gone <> (judged.state = 'refunded')`;

/**
 * Takes over what a read showed: refunds that are not ours are kept, and late money that has gone back whole is refunded.
 * Safe to repeat; runs in the transaction that has locked the object and has written down its late money.
 * @param snapshots all refunds of it as the channel lists them, ours too
 * @returns how many were new, or have changed
 */
export async function importLeftRefunds(
  tx: Queryable,
  object: RefundedRef,
  { accountId, channelNo }: LeftPlace,
  snapshots: readonly RefundSnapshot[],
): Promise<number> {
  const ours = await readRefundsOf(tx, object);
  let changed = 0;
  for (const snapshot of snapshots) {
    if (snapshot.amount <= 0 || isOurs(snapshot, ours)) continue;
    const { channelRefundNo, currency, amount, status } = snapshot;
    const values = [accountId, channelRefundNo, channelNo, currency, amount, IMPORTED_STATUS[status]];
    changed += (await tx.query(UPSERT, values)).rowCount ?? 0;
  }
  await tx.query(COUNT, [accountId, channelNo]);
  return changed;
}
