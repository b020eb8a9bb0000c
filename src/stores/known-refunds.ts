/** The refunds of a payment or hold that we know of, as a channel that lists none of itself must be asked for them. */
import type { KnownRefund } from '../domain/channel-payment';
import { callName, workflowIdOf } from '../domain/ids';
import type { RefundedRef } from '../domain/refund';
import type { Queryable } from './postgres';

const KNOWN = `
SELECT refund_no, channel_refund_no, (
  SELECT coalesce(max(n), 1) FROM channel_calls c
  WHERE c.merchant_id = r.merchant_id AND c.object_kind = 'refund' AND c.object_no = r.refund_no
) AS calls FROM refunds r WHERE merchant_id = $1 AND object_kind = $2 AND object_no = $3
UNION ALL
SELECT NULL, channel_refund_no, 0 FROM imported_refunds WHERE merchant_id = $1 AND object_kind = $2 AND object_no = $3`;

type KnownRow =
  | { readonly refund_no: string | null; readonly channel_refund_no: string; readonly calls: number }
  | { readonly refund_no: string; readonly channel_refund_no: null; readonly calls: number };

/**
 * Ours, by their number or else by each of their calls, any of which may have made it, and those made by hand that were
 * imported.
 */
export async function readKnownRefunds(
  q: Queryable,
  { merchantId, kind, no }: RefundedRef,
): Promise<KnownRefund[]> {
  const { rows } = await q.query<KnownRow>(KNOWN, [merchantId, kind, no]);
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
