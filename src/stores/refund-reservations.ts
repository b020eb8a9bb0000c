/**
 * What refunds do to the payment or hold whose money they give back: reserve on its row, give the reservation back, free
 * its order. None of it raises the version of the row, which belongs to the object's own workflow.
 */
import type { ChannelName, World } from '../domain/channel';
import type { RefundTarget } from '../domain/channel-payment';
import type { Refundable } from '../domain/refund-request';
import type { Refund, RefundedRef } from '../domain/refund';
import type { Queryable } from './postgres';

/** A payment or hold as refunds see it. */
export interface RefundableRow {
  order_no: string;
  world: World;
  channel: ChannelName;
  channel_account_id: string;
  channel_no: string | null;
  channel_trade_no: string | null;
  currency: string;
  status: string;
  paid: number;
  refund_reserved: number;
  refunded_external: number;
  notify_url: string | null;
  is_closed: boolean;
}

const TABLES = {
  payment: {
    table: 'payments',
    number: 'payment_no',
    channelNo: 'channel_payment_no',
    paid: 'amount_paid',
  },
  pre_auth: {
    table: 'pre_auths',
    number: 'pre_auth_no',
    channelNo: 'channel_pre_auth_no',
    paid: 'amount_captured',
  },
} as const;

type Table = (typeof TABLES)[keyof typeof TABLES];

const ofBoth = (statement: (table: Table) => string) => ({
  payment: statement(TABLES.payment),
  pre_auth: statement(TABLES.pre_auth),
});

const READ = ofBoth(
  ({ table, number, channelNo, paid }) => `
SELECT order_no, world, channel, channel_account_id, ${channelNo} AS channel_no, channel_trade_no, currency, status, ${paid} AS paid,
  refund_reserved, refunded_external, notify_url, closed_at IS NOT NULL AS is_closed
FROM ${table} WHERE merchant_id = $1 AND ${number} = $2`,
);

const LOCK = { payment: `${READ.payment} FOR NO KEY UPDATE`, pre_auth: `${READ.pre_auth} FOR NO KEY UPDATE` };

export async function readRefundable(q: Queryable, object: RefundedRef): Promise<RefundableRow | undefined> {
  return (await q.query<RefundableRow>(READ[object.kind], [object.merchantId, object.no])).rows[0];
}

/**
 * The row, locked until the transaction ends. Whoever changes a refund locks its object first and the refund second, so
 * that nobody waits for each other in a circle.
 */
export async function lockRefundable(q: Queryable, object: RefundedRef): Promise<RefundableRow | undefined> {
  return (await q.query<RefundableRow>(LOCK[object.kind], [object.merchantId, object.no])).rows[0];
}

// One in another currency cannot be subtracted: then nothing is free of it.
// A dispute about money at a channel that was left (channel_no) says nothing of the object's own.
const DISPUTED = `
SELECT coalesce(sum(CASE WHEN currency = $4 THEN amount ELSE $5::bigint END), 0)::bigint AS disputed FROM disputes
WHERE merchant_id = $1 AND object_kind = $2 AND object_no = $3 AND status <> 'won' AND channel_no IS NULL`;

/** The figures to judge by. The row must be locked: disputes are written under its lock too. */
export async function refundableOf(
  q: Queryable,
  object: RefundedRef,
  row: RefundableRow,
): Promise<Refundable> {
  const { merchantId, kind, no } = object;
  const values = [merchantId, kind, no, row.currency, row.paid];
  const disputed = (await q.query<{ disputed: number }>(DISPUTED, values)).rows[0]?.disputed ?? 0;
  return {
    kind,
    status: row.status,
    channel: row.channel,
    currency: row.currency,
    paid: row.paid,
    reserved: row.refund_reserved,
    refundedExternal: row.refunded_external,
    disputed,
  };
}

// The last line against giving back more than was taken, whatever the judgement was.
const RESERVE = ofBoth(
  ({ table, number, paid }) => `
UPDATE ${table} SET refund_reserved = refund_reserved + $3
WHERE merchant_id = $1 AND ${number} = $2 AND refund_reserved + refunded_external + $3 <= ${paid}`,
);

/** @returns false when there is not so much left: then nothing is reserved */
export async function reserveRefund(q: Queryable, object: RefundedRef, amount: number): Promise<boolean> {
  const result = await q.query(RESERVE[object.kind], [object.merchantId, object.no, amount]);
  return result.rowCount === 1;
}

const RELEASE = ofBoth(
  ({ table, number }) =>
    `UPDATE ${table} SET refund_reserved = refund_reserved - $3 WHERE merchant_id = $1 AND ${number} = $2`,
);

const RELEASE_LATE = `
UPDATE late_payments SET refund_reserved = refund_reserved - $2, state = 'needs_attention', updated_at = now() WHERE id = $1`;

/** The refund has failed: what it had reserved can be given back another time. */
export async function releaseRefund(q: Queryable, refund: Refund): Promise<void> {
  const { merchantId, objectKind, objectNo, latePaymentId, amount } = refund;
  if (latePaymentId !== null) await q.query(RELEASE_LATE, [latePaymentId, amount]);
  else await q.query(RELEASE[objectKind], [merchantId, objectNo, amount]);
}

const LATE_REFUNDED = `UPDATE late_payments SET state = 'refunded', updated_at = now() WHERE id = $1 AND refund_reserved = amount`;

/** Money that arrived late has gone back. */
export async function markLateRefunded(q: Queryable, latePaymentId: string): Promise<void> {
  await q.query(LATE_REFUNDED, [latePaymentId]);
}

const FREE_ORDER = ofBoth(
  ({ table, number, paid }) => `
DELETE FROM order_claims
WHERE merchant_id = $1::uuid AND order_no = $4::text AND kind = $2::text AND number = $3::text AND state = 'paid' AND (
  SELECT ${paid} FROM ${table} WHERE merchant_id = $1::uuid AND ${number} = $3::text
) <= (
  SELECT coalesce(sum(amount), 0) FROM refunds
  WHERE merchant_id = $1::uuid AND object_kind = $2::text AND object_no = $3::text AND status = 'success' AND late_payment_id IS NULL
) + (
  SELECT coalesce(sum(amount), 0) FROM imported_refunds
  WHERE merchant_id = $1::uuid AND object_kind = $2::text AND object_no = $3::text AND status = 'success'
)`,
);

/** Drops the order's claim when everything has been given back, so that the order can be paid again. */
export async function freeOrderIfRefunded(
  q: Queryable,
  { merchantId, kind, no }: RefundedRef,
  orderNo: string,
): Promise<void> {
  await q.query(FREE_ORDER[kind], [merchantId, kind, no, orderNo]);
}

/** @throws Error when the object has no number at its channel: then it never took money */
export function targetOf(object: RefundedRef, row: RefundableRow): RefundTarget {
  if (row.channel_no === null) throw new Error(`${object.kind} ${object.no} is not known at its channel`);
  return {
    kind: object.kind,
    channelNo: row.channel_no,
    ...(row.channel_trade_no !== null && { channelTradeNo: row.channel_trade_no }),
    currency: row.currency,
    amount: row.paid,
  };
}
