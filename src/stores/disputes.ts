/** Disputes: one row each, written under the lock of the payment or hold whose money is disputed. */
import { randomUUID } from 'node:crypto';
import type { DisputeSnapshot } from '../domain/channel-payment';
import type { DisputeChange, DisputeStatus } from '../domain/dispute';
import type { RefundedKind, RefundedRef } from '../domain/refund';
import { microsOf, sinceEpoch } from './page';
import type { Page } from './page';
import type { Queryable } from './postgres';

export interface DisputeRow {
  id: string;
  merchant_id: string;
  object_kind: RefundedKind;
  object_no: string;
  channel_account_id: string;
  channel_dispute_no: string;
  /** Of one about money at a channel that the object has left: its number there. null: the object's own. */
  channel_no: string | null;
  currency: string;
  amount: number;
  reason: string;
  status: DisputeStatus;
  opened_at: Date;
  closed_at: Date | null;
}

const COLUMNS = `id, merchant_id, object_kind, object_no, channel_account_id, channel_dispute_no, channel_no, currency, amount, reason, status,
  opened_at, closed_at`;

/** The disputes of an object. The object must be locked by whoever is about to change them. */
export async function readDisputesOf(
  q: Queryable,
  { merchantId, kind, no }: RefundedRef,
): Promise<DisputeRow[]> {
  const text = `SELECT ${COLUMNS} FROM disputes WHERE merchant_id = $1 AND object_kind = $2 AND object_no = $3`;
  return (await q.query<DisputeRow>(text, [merchantId, kind, no])).rows;
}

const SAVE = `
INSERT INTO disputes AS known (id, merchant_id, object_kind, object_no, channel_account_id, channel_dispute_no, currency, amount, reason,
  status, channel_no, closed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text, $11, CASE WHEN $10::text <> 'open' THEN now() END)
ON CONFLICT (channel_account_id, channel_dispute_no) DO UPDATE SET amount = excluded.amount, status = excluded.status,
  closed_at = coalesce(known.closed_at, excluded.closed_at)
WHERE (known.merchant_id, known.object_kind, known.object_no) = (excluded.merchant_id, excluded.object_kind, excluded.object_no)
RETURNING ${COLUMNS}`;

const MAX_REASON_CHARACTERS = 100;

/** Where its money is. */
export interface DisputedPlace {
  readonly channelAccountId: string;
  /** At a channel that the object has left: its number there. Absent: the object's own. */
  readonly channelNo?: string;
}

/** @returns undefined: a dispute of this number belongs to another object */
export async function saveDispute(
  q: Queryable,
  object: RefundedRef,
  { channelAccountId, channelNo }: DisputedPlace,
  snapshot: DisputeSnapshot,
  change: DisputeChange,
): Promise<DisputeRow | undefined> {
  const { merchantId, kind, no } = object;
  const result = await q.query<DisputeRow>(SAVE, [
    randomUUID(),
    merchantId,
    kind,
    no,
    channelAccountId,
    snapshot.channelDisputeNo,
    snapshot.currency,
    change.amount,
    snapshot.reason.slice(0, MAX_REASON_CHARACTERS),
    change.status,
    channelNo ?? null,
  ]);
  return result.rows[0];
}

export type ListedDispute = DisputeRow & { opened_at_micros: number };

const LIST = `
SELECT ${COLUMNS}, ${microsOf('opened_at')} AS opened_at_micros FROM disputes
WHERE merchant_id = $1 AND ($2::text IS NULL OR status = $2) AND ($3::text IS NULL OR object_no = $3)
  AND ($4::bigint IS NULL OR (opened_at, id) < (${sinceEpoch('$4')}, $5::uuid))
ORDER BY opened_at DESC, id DESC LIMIT $6`;

/** Newest first. */
export async function listDisputeRows(
  q: Queryable,
  filter: { merchantId: string; status?: DisputeStatus | undefined; objectNo?: string | undefined },
  page: Page,
): Promise<ListedDispute[]> {
  const values = [filter.merchantId, filter.status ?? null, filter.objectNo ?? null];
  const place = [page.after?.micros ?? null, page.after?.id ?? null, page.limit];
  return (await q.query<ListedDispute>(LIST, [...values, ...place])).rows;
}
