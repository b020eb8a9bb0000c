/** The refunds of a payment or hold that we know of, as a channel that lists none of itself must be asked for them. */
import type { KnownRefund } from '../domain/channel-payment';
import { callName, workflowIdOf } from '../domain/ids';
import type { RefundedRef } from '../domain/refund';
import type { LeftPlace } from './left-objects';
import type { Queryable } from './postgres';

// Those of money at a channel that the object has left are known there, and nowhere else.
const known = (ofRefunds: string, byHand: string) => `
SELECT refund_no, channel_refund_no, (
  SELECT coalesce(max(n), 1) FROM channel_calls c
  WHERE c.merchant_id = r.merchant_id AND c.object_kind = 'refund' AND c.object_no = r.refund_no
) AS calls FROM refunds r WHERE merchant_id = $1 AND object_kind = $2 AND object_no = $3 AND ${ofRefunds}
UNION ALL
SELECT NULL, channel_refund_no, 0 FROM ${byHand}`;

const KNOWN = known(
  `NOT EXISTS (SELECT FROM late_payments l WHERE l.id = r.late_payment_id AND l.channel_no IS NOT NULL)`,
  `imported_refunds WHERE merchant_id = $1 AND object_kind = $2 AND object_no = $3`,
);
const KNOWN_LEFT = known(
  `EXISTS (SELECT FROM late_payments l WHERE l.id = r.late_payment_id AND l.channel_account_id = $4 AND l.channel_no = $5)`,
  `left_refunds WHERE channel_account_id = $4 AND channel_no = $5`,
);

type KnownRow =
  | { readonly refund_no: string | null; readonly channel_refund_no: string; readonly calls: number }
  | { readonly refund_no: string; readonly channel_refund_no: null; readonly calls: number };

/**
 * Ours, by their number or else by each of their calls, any of which may have made it, and those made by hand that were
 * imported.
 * @param left of money there, at a channel that the object has left; absent: of the object's own
 */
export async function readKnownRefunds(
  q: Queryable,
  { merchantId, kind, no }: RefundedRef,
  left?: LeftPlace,
): Promise<KnownRefund[]> {
  const place = left === undefined ? [] : [left.accountId, left.channelNo];
  const { rows } = await q.query<KnownRow>(left === undefined ? KNOWN : KNOWN_LEFT, [
    ...[merchantId, kind, no],
    ...place,
  ]);
  return rows.flatMap((row): KnownRefund[] => {
    const { channel_refund_no: channelRefundNo } = row;
    if (channelRefundNo !== null) return [{ channelRefundNo }];
    const { refund_no: refundNo, calls } = row;
    const holdfastId = workflowIdOf({ merchantId, kind: 'refund', no: refundNo });
    return Array.from({ length: calls }, (_, index) => ({
      ...{ refundNo, holdfastId },
      holdfastCall: callName('refund', index + 1),
    }));
  });
}
