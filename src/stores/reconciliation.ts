/**
 * The walk of reconciliation: by account and kind through live objects first, then through those closed last. How far it
 * has come stands in reconciliation_cursors, so that a run that was cut is carried on by the next one.
 */
import type { QueryResultRow } from 'pg';
import type { ObjectKind, ObjectRef } from '../domain/ids';
import type { Payment } from '../domain/payment';
import type { Hold } from '../domain/pre-auth';
import type { Beside, ComparedRefund } from '../domain/reconcile';
import { PAYMENT_COLUMNS, toPayment } from './payments';
import type { PaymentRow } from './payments';
import type { Queryable } from './postgres';
import { PRE_AUTH_COLUMNS, toHold } from './pre-auths';
import type { PreAuthRow } from './pre-auths';

export const RECONCILED_KINDS: readonly ObjectKind[] = ['pre_auth', 'payment', 'refund'];

/** The last object looked at. `closedAt` is PostgreSQL's own text of a time, `infinity` for a live object. */
export interface Position {
  readonly closedAt: string;
  readonly merchantId: string;
  readonly no: string;
}

/** Before all others: nothing is closed later than never, and no id is as high. */
const START: Position = { closedAt: 'infinity', merchantId: 'ffffffff-ffff-ffff-ffff-ffffffffffff', no: '' };

/** An object as our tables have it. */
interface Seen<Kind extends ObjectKind> {
  readonly kind: Kind;
  readonly object: ObjectRef;
  readonly position: Position;
  readonly isLive: boolean;
  readonly channel: string;
}

export interface SeenHold extends Seen<'pre_auth'> {
  readonly hold: Hold;
  readonly beside: Beside;
}

export interface SeenPayment extends Seen<'payment'> {
  readonly payment: Payment;
  readonly beside: Beside;
}

export interface SeenRefund extends Seen<'refund'> {
  readonly refund: ComparedRefund;
  /** How many calls there were, each of which may have made it. */
  readonly calls: number;
}

export type SeenObject = SeenHold | SeenPayment | SeenRefund;

const AT = `coalesce(o.closed_at, 'infinity'::timestamptz)`;
const POSITION = `${AT}::text AS position_at`;
const NUMBER = { pre_auth: 'pre_auth_no', payment: 'payment_no', refund: 'refund_no' } as const;

/** What was given back of it, whoever gave it, not counting money at a channel that it had left. */
const refunded = (kind: 'payment' | 'pre_auth') => `
(SELECT coalesce(sum(given.amount), 0)::bigint FROM (
  SELECT r.amount FROM refunds r
  WHERE r.merchant_id = o.merchant_id AND r.object_kind = '${kind}' AND r.object_no = o.${NUMBER[kind]} AND r.status <> 'failed'
    AND NOT EXISTS (SELECT FROM late_payments l WHERE l.id = r.late_payment_id AND l.channel_no IS NOT NULL)
  UNION ALL
  SELECT i.amount FROM imported_refunds i
  WHERE i.merchant_id = o.merchant_id AND i.object_kind = '${kind}' AND i.object_no = o.${NUMBER[kind]} AND i.status <> 'failed'
) given) AS refunded`;

const lateMoney = (kind: 'payment' | 'pre_auth') => `
(SELECT coalesce(sum(l.amount), 0)::bigint FROM late_payments l
 WHERE l.merchant_id = o.merchant_id AND l.object_kind = '${kind}' AND l.object_no = o.${NUMBER[kind]} AND l.channel_no IS NULL) AS late_money`;

const CALLS = `
(SELECT coalesce(max(c.n), 1) FROM channel_calls c
 WHERE c.merchant_id = o.merchant_id AND c.object_kind = 'refund' AND c.object_no = o.refund_no) AS calls`;

const SELECT: Readonly<Record<ObjectKind, string>> = {
  pre_auth: `SELECT ${PRE_AUTH_COLUMNS}, ${POSITION}, ${lateMoney('pre_auth')}, ${refunded('pre_auth')} FROM pre_auths o`,
  payment: `SELECT ${PAYMENT_COLUMNS}, ${POSITION}, ${lateMoney('payment')}, ${refunded('payment')} FROM payments o`,
  refund: `SELECT merchant_id, refund_no, channel, channel_refund_no, currency, amount, status, closed_at, ${POSITION}, ${CALLS}
FROM refunds o`,
};

const pageOf = (kind: ObjectKind) => `${SELECT[kind]}
WHERE o.channel_account_id = $1 AND ${AT} >= now() - make_interval(secs => $2)
  AND (${AT}, o.merchant_id, o.${NUMBER[kind]}) < ($3::timestamptz, $4::uuid, $5::text)
ORDER BY ${AT} DESC, o.merchant_id DESC, o.${NUMBER[kind]} DESC LIMIT $6`;

const oneOf = (kind: ObjectKind) => `${SELECT[kind]} WHERE o.merchant_id = $1 AND o.${NUMBER[kind]} = $2`;

const perKind = (make: (kind: ObjectKind) => string): Readonly<Record<ObjectKind, string>> => ({
  pre_auth: make('pre_auth'),
  payment: make('payment'),
  refund: make('refund'),
});
const PAGE = perKind(pageOf);
const ONE = perKind(oneOf);

/** Objects of one account that are live or were closed within these seconds, in the order of the walk. */
export async function findNextObjects(
  q: Queryable,
  from: { accountId: string; kind: ObjectKind; after: Position; closedWithinSeconds: number },
  limit: number,
): Promise<SeenObject[]> {
  const { closedAt, merchantId, no } = from.after;
  const values = [from.accountId, from.closedWithinSeconds, closedAt, merchantId, no, limit];
  return (await q.query(PAGE[from.kind], values)).rows.map((row) => toSeen(from.kind, row));
}

/** The same object as it is now; undefined when there is none. */
export async function findObject(
  q: Queryable,
  { kind, merchantId, no }: ObjectRef,
): Promise<SeenObject | undefined> {
  const row = (await q.query(ONE[kind], [merchantId, no])).rows[0];
  return row === undefined ? undefined : toSeen(kind, row);
}

interface CommonRow {
  merchant_id: string;
  channel: string;
  closed_at: Date | null;
  position_at: string;
}
interface BesideRow extends CommonRow {
  late_money: number;
  refunded: number;
}
interface RefundRow extends CommonRow {
  refund_no: string;
  channel_refund_no: string | null;
  currency: string;
  amount: number;
  status: ComparedRefund['status'];
  calls: number;
}

function toSeen(kind: ObjectKind, row: QueryResultRow): SeenObject {
  switch (kind) {
    case 'pre_auth': {
      const own = row as PreAuthRow & BesideRow;
      const hold = toHold(own);
      return { ...common('pre_auth', own, hold.preAuthNo), hold, beside: toBeside(own) };
    }
    case 'payment': {
      const own = row as PaymentRow & BesideRow;
      const payment = toPayment(own);
      return { ...common('payment', own, payment.paymentNo), payment, beside: toBeside(own) };
    }
    case 'refund': {
      const own = row as RefundRow;
      const { channel_refund_no: channelRefundNo, status, currency, amount, calls } = own;
      const refund = { channelRefundNo, status, currency, amount };
      return { ...common('refund', own, own.refund_no), refund, calls };
    }
  }
}

function toBeside({ late_money: lateMoney, refunded }: BesideRow): Beside {
  return { lateMoney, refunded };
}

function common<Kind extends ObjectKind>(kind: Kind, row: CommonRow, no: string): Seen<Kind> {
  const { merchant_id: merchantId, channel } = row;
  return {
    kind,
    object: { merchantId, kind, no },
    position: { closedAt: row.position_at, merchantId, no },
    isLive: row.closed_at === null,
    channel,
  };
}

// The first one of the walk, so that an account with nothing but old objects costs no more than one look at the index.
const hasObjects = (table: string) =>
  `(SELECT ${AT} FROM ${table} o WHERE o.channel_account_id = a.id ORDER BY ${AT} DESC LIMIT 1) >= now() - make_interval(secs => $1)`;

// Who was finished longest ago comes first, so that nobody is left out for good.
const ACCOUNTS = `
SELECT a.id, now()::text AS now FROM channel_accounts a
WHERE ${['pre_auths', 'payments', 'refunds'].map(hasObjects).join(' OR ')}
ORDER BY (SELECT min(c.finished_at) FROM reconciliation_cursors c WHERE c.channel_account_id = a.id) NULLS FIRST, a.id
LIMIT $2`;

/** Accounts with something to look at, and the database's time, by which a walk counts as this run's or an earlier one's. */
export async function findAccountsToReconcile(
  q: Queryable,
  closedWithinSeconds: number,
  limit: number,
): Promise<{ accountIds: string[]; startedAt: string }> {
  const { rows } = await q.query<{ id: string; now: string }>(ACCOUNTS, [closedWithinSeconds, limit]);
  return { accountIds: rows.map(({ id }) => id), startedAt: rows[0]?.now ?? '' };
}

const READ_CURSOR = `
SELECT closed_at::text AS closed_at, merchant_id, object_no, coalesce(finished_at >= $3::timestamptz, false) AS is_finished
FROM reconciliation_cursors WHERE channel_account_id = $1 AND object_kind = $2`;

/** Where the walk goes on; undefined: it was finished after `startedAt`, by this run or another one. */
export async function readCursor(
  q: Queryable,
  accountId: string,
  kind: ObjectKind,
  startedAt: string,
): Promise<Position | undefined> {
  const result = await q.query<{
    closed_at: string | null;
    merchant_id: string | null;
    object_no: string | null;
    is_finished: boolean;
  }>(READ_CURSOR, [accountId, kind, startedAt]);
  const row = result.rows[0];
  if (row?.is_finished === true) return undefined;
  const { closed_at: closedAt = null, merchant_id: merchantId = null, object_no: no = null } = row ?? {};
  return closedAt === null || merchantId === null || no === null ? START : { closedAt, merchantId, no };
}

const SAVE_CURSOR = `
INSERT INTO reconciliation_cursors (channel_account_id, object_kind, closed_at, merchant_id, object_no, finished_at)
VALUES ($1, $2, $3::timestamptz, $4::uuid, $5::text, CASE WHEN $3::timestamptz IS NULL THEN now() END)
ON CONFLICT (channel_account_id, object_kind) DO UPDATE SET closed_at = EXCLUDED.closed_at, merchant_id = EXCLUDED.merchant_id,
  object_no = EXCLUDED.object_no, finished_at = coalesce(EXCLUDED.finished_at, reconciliation_cursors.finished_at)`;

/** @param position undefined: the walk is finished, and the next one begins at the beginning */
export async function saveCursor(
  q: Queryable,
  accountId: string,
  kind: ObjectKind,
  position: Position | undefined,
): Promise<void> {
  const place = [position?.closedAt ?? null, position?.merchantId ?? null, position?.no ?? null];
  await q.query(SAVE_CURSOR, [accountId, kind, ...place]);
}
