/** Refunds. The API inserts a row; from then on only the refund's workflow changes it, through its activities. */
import type { ChannelName, World } from '../domain/channel';
import type { ChannelCall } from '../domain/channel-call';
import type { Refund, RefundedKind, RefundedRef, RefundStatus } from '../domain/refund';
import { isRefundClosed } from '../domain/refund';
import { CALL_COLUMNS, toCall } from './channel-calls';
import type { CallEnd, CallRow } from './channel-calls';
import { pageSql, pageValues } from './page';
import type { Listed, Page } from './page';
import type { Queryable } from './postgres';

export interface RefundRow {
  merchant_id: string;
  refund_no: string;
  object_kind: RefundedKind;
  object_no: string;
  late_payment_id: string | null;
  order_no: string;
  world: World;
  channel: ChannelName;
  channel_account_id: string;
  channel_refund_no: string | null;
  currency: string;
  amount: number;
  status: RefundStatus;
  version: number;
  event_sequence: number;
  reason: string | null;
  notify_url: string | null;
  claim_sealed: string | null;
  decline_code: string | null;
  body_hash: Buffer;
  needs_attention: string | null;
  created_at: Date;
  updated_at: Date;
  closed_at: Date | null;
}

/** The purpose under which the address is sealed where the customer claims the money. */
export const REFUND_CLAIM_PURPOSE = 'refunds.claim';

// By name: a prepared `SELECT *` breaks in running processes when a migration adds a column.
const REFUND_COLUMNS = `merchant_id, refund_no, object_kind, object_no, late_payment_id, order_no, world, channel, channel_account_id,
  channel_refund_no, currency, amount, status, version, event_sequence, reason, notify_url, claim_sealed, decline_code, body_hash,
  needs_attention, created_at, updated_at, closed_at`;

export type NewRefund = Pick<
  RefundRow,
  | 'merchant_id'
  | 'refund_no'
  | 'object_kind'
  | 'object_no'
  | 'late_payment_id'
  | 'order_no'
  | 'world'
  | 'channel'
  | 'channel_account_id'
  | 'currency'
  | 'amount'
  | 'reason'
  | 'notify_url'
  | 'body_hash'
>;

const INSERT = `
INSERT INTO refunds (merchant_id, refund_no, object_kind, object_no, late_payment_id, order_no, world, channel, channel_account_id,
  currency, amount, reason, notify_url, body_hash, status)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 'pending')
ON CONFLICT (merchant_id, refund_no) DO NOTHING`;

/** Inserts a refund whose amount is reserved already. @returns false: the merchant has a refund of this number */
export async function insertRefund(q: Queryable, row: NewRefund): Promise<boolean> {
  const result = await q.query(INSERT, [
    row.merchant_id,
    row.refund_no,
    row.object_kind,
    row.object_no,
    row.late_payment_id,
    row.order_no,
    row.world,
    row.channel,
    row.channel_account_id,
    row.currency,
    row.amount,
    row.reason,
    row.notify_url,
    row.body_hash,
  ]);
  return result.rowCount === 1;
}

const SELECT_BY_NO = `SELECT ${REFUND_COLUMNS} FROM refunds WHERE merchant_id = $1 AND refund_no = $2`;

export async function readRefund(
  q: Queryable,
  merchantId: string,
  refundNo: string,
): Promise<RefundRow | undefined> {
  return (await q.query<RefundRow>(SELECT_BY_NO, [merchantId, refundNo])).rows[0];
}

/** The row, locked until the transaction ends. Lock its object first (refund-reservations.ts). */
export async function lockRefund(
  q: Queryable,
  merchantId: string,
  refundNo: string,
): Promise<RefundRow | undefined> {
  return (await q.query<RefundRow>(`${SELECT_BY_NO} FOR NO KEY UPDATE`, [merchantId, refundNo])).rows[0];
}

const LOCK_CALL = `
SELECT ${CALL_COLUMNS} FROM channel_calls
WHERE id = $3 AND merchant_id = $1 AND object_kind = 'refund' AND object_no = $2 FOR NO KEY UPDATE`;

/** One of the refund's calls, locked until the transaction ends: for those who are about to settle it. */
export async function lockRefundCall(
  q: Queryable,
  merchantId: string,
  refundNo: string,
  callId: string,
): Promise<ChannelCall<'refund'> | undefined> {
  const row = (await q.query<CallRow>(LOCK_CALL, [merchantId, refundNo, callId])).rows[0];
  return row === undefined ? undefined : toCall<'refund'>(row);
}

// The call whose answer this is, if any, is settled by the same statement.
const UPDATE = `
WITH settled AS (
  UPDATE channel_calls SET state = $10::text, outcome = $11::jsonb, settled_at = now() WHERE id = $9::uuid AND state = 'open'
)
UPDATE refunds SET status = $4, channel_refund_no = $5, decline_code = $6, needs_attention = $7, version = version + 1,
  event_sequence = event_sequence + $8, updated_at = now(),
  closed_at = CASE WHEN $12::boolean THEN coalesce(closed_at, now()) END,
  -- Written once, so that most updates touch no index; the pick-up renews it.
  owner_checked_at = coalesce(owner_checked_at, now())
WHERE merchant_id = $1 AND refund_no = $2 AND version = $3`;

/**
 * Writes the next state of a refund.
 * @param before the state it was computed from; the write is conditional on its version
 * @throws Error when the row has moved on: the caller holds its lock, so this is a bug and nothing is committed
 */
export async function updateRefund(
  q: Queryable,
  before: Refund,
  next: Refund,
  extra: { events: number; settles?: CallEnd | undefined },
): Promise<void> {
  const result = await q.query(UPDATE, [
    before.merchantId,
    before.refundNo,
    before.version,
    next.status,
    next.channelRefundNo,
    next.declineCode,
    next.needsAttention,
    extra.events,
    extra.settles?.callId ?? null,
    extra.settles?.state ?? null,
    extra.settles?.outcome ?? null,
    isRefundClosed(next.status),
  ]);
  if (result.rowCount !== 1)
    throw new Error(`refund ${before.refundNo} is no longer at version ${before.version}`);
}

/** Keeps where the customer claims the money. Written before the answer is recorded, so it raises no version. */
export async function storeRefundClaim(
  q: Queryable,
  { merchantId, refundNo }: Pick<Refund, 'merchantId' | 'refundNo'>,
  sealed: string,
): Promise<void> {
  await q.query('UPDATE refunds SET claim_sealed = $3 WHERE merchant_id = $1 AND refund_no = $2', [
    merchantId,
    refundNo,
    sealed,
  ]);
}

/** @returns false when it was noted before, or the refund is closed */
export async function setRefundAttention(
  q: Queryable,
  { merchantId, refundNo }: Pick<Refund, 'merchantId' | 'refundNo'>,
  reason: string,
): Promise<boolean> {
  const result = await q.query(
    `UPDATE refunds SET needs_attention = $3, updated_at = now()
     WHERE merchant_id = $1 AND refund_no = $2 AND closed_at IS NULL AND needs_attention IS DISTINCT FROM $3`,
    [merchantId, refundNo, reason],
  );
  return result.rowCount === 1;
}

export type ListedRefund = Listed<RefundRow>;

const OF_OBJECT = 'merchant_id = $1 AND object_kind = $2 AND object_no = $3';
const LIST = pageSql({ table: 'refunds', columns: REFUND_COLUMNS, id: 'refund_no' }, OF_OBJECT, 3);

/** Newest first. */
export async function listRefundRows(
  q: Queryable,
  { merchantId, kind, no }: RefundedRef,
  page: Page,
): Promise<ListedRefund[]> {
  return (await q.query<ListedRefund>(LIST, [merchantId, kind, no, ...pageValues(page)])).rows;
}

const ALL_OF_OBJECT = `SELECT ${REFUND_COLUMNS} FROM refunds WHERE ${OF_OBJECT}`;

/** All refunds of ours of this object, those of its late money included. */
export async function readRefundsOf(
  q: Queryable,
  { merchantId, kind, no }: RefundedRef,
): Promise<RefundRow[]> {
  return (await q.query<RefundRow>(ALL_OF_OBJECT, [merchantId, kind, no])).rows;
}

export function toRefund(row: RefundRow): Refund {
  return {
    merchantId: row.merchant_id,
    refundNo: row.refund_no,
    objectKind: row.object_kind,
    objectNo: row.object_no,
    latePaymentId: row.late_payment_id,
    orderNo: row.order_no,
    world: row.world,
    channel: row.channel,
    channelAccountId: row.channel_account_id,
    channelRefundNo: row.channel_refund_no,
    currency: row.currency,
    amount: row.amount,
    status: row.status,
    version: row.version,
    createdAtMs: row.created_at.getTime(),
    declineCode: row.decline_code,
    needsAttention: row.needs_attention,
  };
}
