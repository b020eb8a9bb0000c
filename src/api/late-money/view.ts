/** How late money and disputes look to their merchant. */
import type { z } from 'zod';
import type { RefundedKind } from '../../domain/refund';
import type { DisputeRow } from '../../stores/disputes';
import type { LatePaymentRow } from '../../stores/late-payments';
import type { disputeView, latePaymentView } from './schemas';

const seconds = (date: Date) => Math.floor(date.getTime() / 1000);

const objectOf = ({ object_kind: kind, object_no: no }: { object_kind: RefundedKind; object_no: string }) =>
  kind === 'payment' ? { payment_no: no } : { pre_auth_no: no };

export function showLatePayment(
  row: LatePaymentRow,
  refundNo: string | null | undefined,
): z.infer<typeof latePaymentView> {
  return {
    id: row.id,
    ...objectOf(row),
    kind: row.kind,
    amount: row.amount,
    currency: row.currency,
    state: row.state,
    channel_trade_no: row.channel_trade_no,
    ...(typeof refundNo === 'string' ? { refund_no: refundNo } : {}),
    created_at: seconds(row.created_at),
  };
}

export function showDispute(row: DisputeRow): z.infer<typeof disputeView> {
  return {
    id: row.id,
    ...objectOf(row),
    channel_dispute_no: row.channel_dispute_no,
    amount: row.amount,
    currency: row.currency,
    reason: row.reason,
    status: row.status,
    opened_at: seconds(row.opened_at),
    ...(row.closed_at === null ? {} : { closed_at: seconds(row.closed_at) }),
  };
}
