/** How a refund looks to its merchant. */
import type { z } from 'zod';
import { REFUND_CLAIM_PURPOSE } from '../../stores/refunds';
import type { RefundRow } from '../../stores/refunds';
import type { SecretBox } from '../../stores/secret-box';
import type { refundView } from './schemas';

const seconds = (date: Date) => Math.floor(date.getTime() / 1000);

/** @param box opens the address where the money is claimed; without it (lists) the secret stays closed */
export function showRefund(row: RefundRow, box?: SecretBox): z.infer<typeof refundView> {
  const claimUrl = box === undefined ? undefined : claimUrlOf(row, box);
  return {
    refund_no: row.refund_no,
    ...(row.object_kind === 'payment' ? { payment_no: row.object_no } : { pre_auth_no: row.object_no }),
    order_no: row.order_no,
    channel: row.channel,
    channel_refund_no: row.channel_refund_no,
    amount: row.amount,
    currency: row.currency,
    status: row.status,
    ...(row.reason !== null ? { reason: row.reason } : {}),
    ...(claimUrl !== undefined ? { next_action: { type: 'redirect', url: claimUrl } } : {}),
    ...(row.decline_code !== null ? { decline_code: row.decline_code } : {}),
    created_at: seconds(row.created_at),
    ...(row.closed_at !== null ? { closed_at: seconds(row.closed_at) } : {}),
  };
}

/** Shown only while there is something to claim. */
function claimUrlOf(row: RefundRow, box: SecretBox): string | undefined {
  if (row.claim_sealed === null || row.status !== 'pending') return undefined;
  return box.open(row.claim_sealed, REFUND_CLAIM_PURPOSE);
}
