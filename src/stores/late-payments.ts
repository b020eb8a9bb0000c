/** Late money: one row per arrival, written under the lock of its object; what is given back is reserved on it. */
import { randomUUID } from 'node:crypto';
import type { LateKind, LatePaymentState } from '../domain/late-money';
import type { RefundedKind, RefundedRef } from '../domain/refund';
import { microsOf, sinceEpoch } from './page';
import type { Page } from './page';
import type { Queryable } from './postgres';

export interface LatePaymentRow {
  id: string;
  merchant_id: string;
  object_kind: RefundedKind;
  object_no: string;
  channel_account_id: string;
  channel_trade_no: string;
  /** Of money at a channel that the object has left: its number there. null: the object's own. */
  channel_no: string | null;
  kind: LateKind;
  currency: string;
  amount: number;
  refund_reserved: number;
  state: LatePaymentState;
  created_at: Date;
  updated_at: Date;
}

const COLUMNS = `id, merchant_id, object_kind, object_no, channel_account_id, channel_trade_no, channel_no, kind, currency, amount,
  refund_reserved, state, created_at, updated_at`;

const ofPlace = (row: string) => `${row}.merchant_id = l.merchant_id AND ${row}.object_kind = l.object_kind
  AND ${row}.object_no = l.object_no AND ${row}.channel_no IS NOT DISTINCT FROM l.channel_no`;

const RECORDED = `
SELECT coalesce(sum(amount), 0)::bigint AS amount, count(*)::int AS rows FROM late_payments
WHERE merchant_id = $1 AND object_kind = $2 AND object_no = $3 AND channel_no IS NOT DISTINCT FROM $4
  AND ($4::text IS NULL OR channel_account_id = $5)`;

/**
 * What is written down of an object's late money, at its own channel or at one that it has left. The object must be locked:
 * late money is written under its lock.
 */
export async function recordedLateMoney(
  q: Queryable,
  { merchantId, kind, no }: RefundedRef,
  left?: { readonly channelAccountId: string; readonly channelNo: string },
): Promise<{ amount: number; rows: number }> {
  const values = [merchantId, kind, no, left?.channelNo ?? null, left?.channelAccountId ?? null];
  const result = await q.query<{ amount: number; rows: number }>(RECORDED, values);
  return result.rows[0] ?? { amount: 0, rows: 0 };
}

const INSERT = `
INSERT INTO late_payments (id, merchant_id, object_kind, object_no, channel_account_id, channel_trade_no, channel_no, kind, currency,
  amount, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'needs_attention')
ON CONFLICT (channel_account_id, channel_trade_no, kind) DO NOTHING RETURNING ${COLUMNS}`;

export interface NewLatePayment {
  readonly object: RefundedRef;
  readonly channelAccountId: string;
  readonly channelTradeNo: string;
  /** Of money at a channel that the object has left; absent: the object's own. */
  readonly channelNo?: string | undefined;
  readonly kind: LateKind;
  readonly currency: string;
  readonly amount: number;
}

/** @returns undefined: this money is written down already */
export async function insertLatePayment(
  q: Queryable,
  late: NewLatePayment,
): Promise<LatePaymentRow | undefined> {
  const { merchantId, kind, no } = late.object;
  const numbers = [late.channelAccountId, late.channelTradeNo, late.channelNo ?? null];
  const values = [randomUUID(), merchantId, kind, no, ...numbers, late.kind, late.currency, late.amount];
  return (await q.query<LatePaymentRow>(INSERT, values)).rows[0];
}

// At the place of this money: the object's own channel, or one that it has left. A dispute in another currency, which cannot
// be compared, is about all of it.
const DISPUTED = `
SELECT (SELECT coalesce(sum(p.amount - p.refund_reserved), 0) FROM late_payments p WHERE ${ofPlace('p')})::bigint AS late,
  coalesce(sum(d.amount), 0)::bigint AS disputed, coalesce(bool_or(d.currency <> l.currency), false) AS is_unclear
FROM late_payments l LEFT JOIN disputes d ON d.status <> 'won' AND ${ofPlace('d')}
WHERE l.id = $1 GROUP BY l.id`;

/**
 * Whether the customer has this money back, or asks for it, by a dispute. The object must be locked: disputes are written
 * under its lock.
 * @param left what the object accounts for and has not given back, minor units, all of it at its own channel
 */
export async function isDisputed(q: Queryable, late: LatePaymentRow, left: number): Promise<boolean> {
  const { rows } = await q.query<{ late: number; disputed: number; is_unclear: boolean }>(DISPUTED, [
    late.id,
  ]);
  const found = rows[0];
  if (found === undefined || found.disputed === 0) return false;
  const there = found.late + (late.channel_no === null ? left : 0);
  return found.is_unclear || found.disputed + late.amount > there;
}

const LOCK = `SELECT ${COLUMNS} FROM late_payments WHERE merchant_id = $1 AND id = $2 FOR NO KEY UPDATE`;

/** The row, locked until the transaction ends. Lock its object first. */
export async function lockLatePayment(
  q: Queryable,
  merchantId: string,
  id: string,
): Promise<LatePaymentRow | undefined> {
  return (await q.query<LatePaymentRow>(LOCK, [merchantId, id])).rows[0];
}

const READ = `SELECT ${COLUMNS} FROM late_payments WHERE merchant_id = $1 AND id = $2`;

export async function readLatePayment(
  q: Queryable,
  merchantId: string,
  id: string,
): Promise<LatePaymentRow | undefined> {
  return (await q.query<LatePaymentRow>(READ, [merchantId, id])).rows[0];
}

const RESERVE = `
UPDATE late_payments SET refund_reserved = amount, state = 'refunding', updated_at = now()
WHERE id = $1 AND refund_reserved = 0 AND state IN ('needs_attention', 'kept')`;

/** Reserves all of it for its refund. @returns false: it is being given back already */
export async function reserveLatePayment(q: Queryable, id: string): Promise<boolean> {
  return (await q.query(RESERVE, [id])).rowCount === 1;
}

export async function keepLatePayment(q: Queryable, id: string): Promise<void> {
  await q.query(
    `UPDATE late_payments SET state = 'kept', updated_at = now() WHERE id = $1 AND state = 'needs_attention'`,
    [id],
  );
}

const REFUND_OF = `
SELECT refund_no FROM refunds WHERE merchant_id = $1 AND late_payment_id = $2 ORDER BY created_at DESC, refund_no DESC LIMIT 1`;

/** The number of its latest refund. */
export async function readLateRefundNo(
  q: Queryable,
  merchantId: string,
  id: string,
): Promise<string | undefined> {
  return (await q.query<{ refund_no: string }>(REFUND_OF, [merchantId, id])).rows[0]?.refund_no;
}

export type ListedLatePayment = LatePaymentRow & { created_at_micros: number; refund_no: string | null };

const LIST = `
SELECT ${COLUMNS}, ${microsOf('created_at')} AS created_at_micros, (
  SELECT refund_no FROM refunds r WHERE r.merchant_id = $1 AND r.late_payment_id = late_payments.id
  ORDER BY r.created_at DESC, r.refund_no DESC LIMIT 1
) AS refund_no FROM late_payments
WHERE merchant_id = $1 AND ($2::text IS NULL OR state = $2) AND ($3::text IS NULL OR object_no = $3)
  AND ($4::bigint IS NULL OR (created_at, id) < (${sinceEpoch('$4')}, $5::uuid))
ORDER BY created_at DESC, id DESC LIMIT $6`;

/** Newest first. */
export async function listLatePayments(
  q: Queryable,
  filter: { merchantId: string; state?: LatePaymentState | undefined; objectNo?: string | undefined },
  page: Page,
): Promise<ListedLatePayment[]> {
  const values = [filter.merchantId, filter.state ?? null, filter.objectNo ?? null];
  const place = [page.after?.micros ?? null, page.after?.id ?? null, page.limit];
  return (await q.query<ListedLatePayment>(LIST, [...values, ...place])).rows;
}
