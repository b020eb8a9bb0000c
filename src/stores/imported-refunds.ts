/** Refunds made by hand in the channel's dashboard: found when the object is read, and counted against what can be given back. */
import type { ChannelRefundStatus, RefundSnapshot } from '../domain/channel-payment';
import type { RefundedRef } from '../domain/refund';
import { appendNote } from './outbox';
import type { Queryable } from './postgres';
import { freeOrderIfRefunded, lockRefundable } from './refund-reservations';
import { readRefundsOf } from './refunds';
import type { RefundRow } from './refunds';

const UPSERT = `
INSERT INTO imported_refunds AS known (channel_account_id, channel_refund_no, merchant_id, object_kind, object_no, currency, amount, status)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (channel_account_id, channel_refund_no) DO UPDATE SET amount = excluded.amount, status = excluded.status, updated_at = now()
WHERE (known.amount, known.status) IS DISTINCT FROM (excluded.amount, excluded.status)`;

const recount = (table: string, number: string) => `
UPDATE ${table} SET refunded_external = (
  SELECT coalesce(sum(amount), 0) FROM imported_refunds i
  WHERE i.merchant_id = $1 AND i.object_kind = $3 AND i.object_no = $2 AND i.status <> 'failed' AND i.currency = ${table}.currency
) WHERE merchant_id = $1 AND ${number} = $2 RETURNING refunded_external`;

const RECOUNT = {
  payment: recount('payments', 'payment_no'),
  pre_auth: recount('pre_auths', 'pre_auth_no'),
} as const;

/** Money that is neither known to have come back nor known to be gone counts as gone. */
export const IMPORTED_STATUS: Readonly<Record<ChannelRefundStatus, string>> = {
  pending: 'pending',
  succeeded: 'success',
  failed: 'failed',
  unknown: 'pending',
};

/**
 * Takes over what a read of the object showed: refunds that are not ours are kept, and `refunded_external` becomes their
 * sum. Safe to repeat; runs in the transaction of the read, which locks the object.
 * @param snapshots all refunds of the object as the channel lists them, ours too
 * @returns the sum, in minor units; undefined: there is no such object
 */
export async function importRefunds(
  tx: Queryable,
  object: RefundedRef,
  snapshots: readonly RefundSnapshot[],
): Promise<number | undefined> {
  const { merchantId, kind, no } = object;
  const row = await lockRefundable(tx, object);
  if (row === undefined) return undefined;
  const ours = await readRefundsOf(tx, object);
  for (const snapshot of snapshots) {
    if (snapshot.amount <= 0 || isOurs(snapshot, ours)) continue;
    const { channelRefundNo, currency, amount, status } = snapshot;
    const identity = [row.channel_account_id, channelRefundNo, merchantId, kind, no];
    await tx.query(UPSERT, [...identity, currency, amount, IMPORTED_STATUS[status]]);
  }
  const counted = await tx.query<{ refunded_external: number }>(RECOUNT[kind], [merchantId, no, kind]);
  const sum = counted.rows[0]?.refunded_external ?? 0;
  if (sum !== row.refunded_external) {
    const data = { refunded_external: sum, before: row.refunded_external };
    const subject = { merchantId, objectKind: kind, objectNo: no, status: row.status };
    await appendNote(tx, { ...subject, type: 'channel.refunds_imported', data });
    await freeOrderIfRefunded(tx, object, row.order_no);
  }
  return sum;
}

/**
 * Whether the money stands in a reservation of ours. One whose row says that it failed does not: what the channel gave
 * back all the same counts as made by hand.
 */
export function isOurs(snapshot: RefundSnapshot, rows: readonly RefundRow[]): boolean {
  const row = rows.find(
    ({ refund_no, channel_refund_no }) =>
      refund_no === snapshot.refundNo || channel_refund_no === snapshot.channelRefundNo,
  );
  return row !== undefined && (row.status !== 'failed' || snapshot.status === 'failed');
}
