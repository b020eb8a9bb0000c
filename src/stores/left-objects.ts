/**
 * What stands at a channel that its payment or hold has left: found by news of it, and cancelled there. A row is written
 * under the lock of the payment or hold, before the cancel is sent.
 */
import { channelIdempotencyKey, workflowIdOf } from '../domain/ids';
import type { RefundedKind, RefundedRef } from '../domain/refund';
import type { Queryable } from './postgres';

/** What is called a cancel of these, in keys and at the channel: the object's own cancels are others. */
export const LEFT_CANCEL = 'cancel-left';

/** Where it stands. */
export interface LeftPlace {
  readonly accountId: string;
  readonly channelNo: string;
}

export interface LeftRow {
  merchant_id: string;
  object_kind: RefundedKind;
  object_no: string;
  channel_trade_no: string | null;
  /** n of the latest cancel. */
  cancels: number;
  /** The key of the cancel that is under way; null: none is. */
  cancel_key: string | null;
  cancelled_at: Date | null;
  needs_attention: string | null;
}

const COLUMNS = `merchant_id, object_kind, object_no, channel_trade_no, cancels, cancel_key, cancelled_at, needs_attention`;

const SAVE = `
INSERT INTO left_objects AS known (channel_account_id, channel_no, merchant_id, object_kind, object_no, channel_trade_no)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (channel_account_id, channel_no) DO UPDATE
SET channel_trade_no = coalesce(excluded.channel_trade_no, known.channel_trade_no), updated_at = now()
WHERE (known.merchant_id, known.object_kind, known.object_no) = (excluded.merchant_id, excluded.object_kind, excluded.object_no)
RETURNING ${COLUMNS}`;

/**
 * Writes down that it is there, and locks its row. The object must be locked.
 * @throws Error where it is known as another object's
 */
export async function saveLeftObject(
  tx: Queryable,
  { merchantId, kind, no }: RefundedRef,
  { accountId, channelNo }: LeftPlace,
  tradeNo: string | undefined,
): Promise<LeftRow> {
  const values = [accountId, channelNo, merchantId, kind, no, tradeNo ?? null];
  const row = (await tx.query<LeftRow>(SAVE, values)).rows[0];
  if (row === undefined) throw new Error(`${channelNo} is known as another object than ${kind} ${no}`);
  return row;
}

const READ = `SELECT ${COLUMNS} FROM left_objects WHERE channel_account_id = $1 AND channel_no = $2`;

/** undefined: nothing is known to be there. */
export async function readLeftObject(
  q: Queryable,
  { accountId, channelNo }: LeftPlace,
): Promise<LeftRow | undefined> {
  return (await q.query<LeftRow>(READ, [accountId, channelNo])).rows[0];
}

// n counts the cancels of everything that the object has left: its key has no other part that would tell them apart.
const BEGIN_CANCEL = `
UPDATE left_objects SET cancels = next.n, cancel_key = $6::text || next.n, cancelled_at = NULL, updated_at = now() FROM (
  SELECT coalesce(max(cancels), 0) + 1 AS n FROM left_objects WHERE merchant_id = $3 AND object_kind = $4 AND object_no = $5
) next
WHERE channel_account_id = $1 AND channel_no = $2 AND cancel_key IS NULL RETURNING ${COLUMNS}`;

/** A cancel that is about to be sent, under a key of its own. @throws Error when one is under way: the object is not locked */
export async function beginLeftCancel(
  tx: Queryable,
  object: RefundedRef,
  { accountId, channelNo }: LeftPlace,
): Promise<LeftRow> {
  const key = channelIdempotencyKey(workflowIdOf(object), LEFT_CANCEL, '');
  const values = [accountId, channelNo, object.merchantId, object.kind, object.no, key];
  const row = (await tx.query<LeftRow>(BEGIN_CANCEL, values)).rows[0];
  if (row === undefined) throw new Error(`a cancel of ${channelNo} is under way already`);
  return row;
}

const END_CANCEL = `
UPDATE left_objects SET cancel_key = NULL, cancelled_at = CASE WHEN $4 THEN now() END, updated_at = now()
WHERE channel_account_id = $1 AND channel_no = $2 AND cancel_key = $3`;

/** @param isOver it was read to be over; false: the channel has refused, and another key is needed. @returns false: ended before */
export async function endLeftCancel(
  q: Queryable,
  { accountId, channelNo }: LeftPlace,
  key: string,
  isOver: boolean,
): Promise<boolean> {
  return (await q.query(END_CANCEL, [accountId, channelNo, key, isOver])).rowCount === 1;
}

const SET_ATTENTION = `
UPDATE left_objects SET needs_attention = $3, updated_at = now()
WHERE channel_account_id = $1 AND channel_no = $2 AND needs_attention IS DISTINCT FROM $3`;

/** @returns false when it was noted before, or nothing is known to be there */
export async function setLeftAttention(
  q: Queryable,
  { accountId, channelNo }: LeftPlace,
  reason: string,
): Promise<boolean> {
  return (await q.query(SET_ATTENTION, [accountId, channelNo, reason.slice(0, 200)])).rowCount === 1;
}
