/** Holds. The API inserts a row; from then on only the hold's workflow changes it, through its activities. */
import type { ChannelName, World } from '../domain/channel';
import type { Hold, PreAuthStatus } from '../domain/pre-auth';
import type { RoutingDecision } from '../domain/routing/types';
import { listOfOrders } from './page';
import type { Queryable } from './postgres';
import { toWay, wayColumns } from './way';
import type { StoredWay, WayRow } from './way';

export interface PreAuthRow {
  merchant_id: string;
  pre_auth_no: string;
  order_no: string;
  world: World;
  channel: ChannelName;
  channel_account_id: string;
  channel_pre_auth_no: string | null;
  currency: string;
  amount: number;
  amount_capturable: number;
  amount_captured: number;
  status: PreAuthStatus;
  version: number;
  event_sequence: number;
  multiple_captures: boolean;
  customer_email: string | null;
  description: string | null;
  country: string | null;
  return_url: string | null;
  notify_url: string | null;
  metadata: Record<string, string>;
  customer_step_sealed: string | null;
  decline_code: string | null;
  cancel_reason: string | null;
  body_hash: Buffer;
  needs_attention: string | null;
  created_at: Date;
  updated_at: Date;
  expires_at: Date;
  warned_at: Date | null;
  closed_at: Date | null;
}

/** The purpose under which client_secret and next action are sealed. */
export const CUSTOMER_STEP_PURPOSE = 'pre_auths.customer_step';

export type NewPreAuth = Pick<
  PreAuthRow,
  | 'merchant_id'
  | 'pre_auth_no'
  | 'order_no'
  | 'world'
  | 'channel'
  | 'channel_account_id'
  | 'currency'
  | 'amount'
  | 'multiple_captures'
  | 'customer_email'
  | 'description'
  | 'country'
  | 'return_url'
  | 'notify_url'
  | 'metadata'
  | 'body_hash'
> & { expires_in_seconds: number };

// By name: a prepared `SELECT *` breaks in running processes when a migration adds a column.
export const PRE_AUTH_COLUMNS = `merchant_id, pre_auth_no, order_no, world, channel, channel_account_id, channel_pre_auth_no, currency, amount,
  amount_capturable, amount_captured, status, version, event_sequence, multiple_captures, customer_email, description, country,
  return_url, notify_url, metadata, customer_step_sealed, decline_code, cancel_reason, body_hash, needs_attention, created_at,
  updated_at, expires_at, warned_at, closed_at`;

// With the order's claim and the routing decision, or none of them: the caller rolls back when the order is taken.
const INSERT = `
WITH hold AS (
  INSERT INTO pre_auths (merchant_id, pre_auth_no, order_no, world, channel, channel_account_id, currency, amount,
    multiple_captures, customer_email, description, country, return_url, notify_url, metadata, body_hash, status, expires_at)
  VALUES ($1::uuid, $2::text, $3::text, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 'processing',
    now() + make_interval(secs => $17))
  ON CONFLICT (merchant_id, pre_auth_no) DO NOTHING RETURNING 1
), decision AS (
  INSERT INTO routing_decisions (merchant_id, kind, number, decision)
  SELECT $1::uuid, 'pre_auth', $2::text, $18::jsonb FROM hold
), claim AS (
  INSERT INTO order_claims (merchant_id, order_no, kind, number, state)
  SELECT $1::uuid, $3::text, 'pre_auth', $2::text, 'live' FROM hold
  ON CONFLICT DO NOTHING RETURNING 1
)
SELECT EXISTS (SELECT FROM hold) AS inserted, EXISTS (SELECT FROM claim) AS claimed`;

/** @returns 'exists': the merchant has a hold of this number already; 'order_taken': roll back, the order has a claim */
export async function insertPreAuth(
  q: Queryable,
  row: NewPreAuth,
  decision: RoutingDecision,
): Promise<'inserted' | 'exists' | 'order_taken'> {
  const result = await q.query<{ inserted: boolean; claimed: boolean }>(INSERT, [
    row.merchant_id,
    row.pre_auth_no,
    row.order_no,
    row.world,
    row.channel,
    row.channel_account_id,
    row.currency,
    row.amount,
    row.multiple_captures,
    row.customer_email,
    row.description,
    row.country,
    row.return_url,
    row.notify_url,
    row.metadata,
    row.body_hash,
    row.expires_in_seconds,
    decision,
  ]);
  if (result.rows[0]?.inserted !== true) return 'exists';
  return result.rows[0].claimed ? 'inserted' : 'order_taken';
}

const SELECT_BY_NO = `SELECT ${PRE_AUTH_COLUMNS} FROM pre_auths WHERE merchant_id = $1 AND pre_auth_no = $2`;

export async function readPreAuth(
  q: Queryable,
  merchantId: string,
  preAuthNo: string,
): Promise<PreAuthRow | undefined> {
  return (await q.query<PreAuthRow>(SELECT_BY_NO, [merchantId, preAuthNo])).rows[0];
}

const SHOWN = [
  ...(['pre_auth_no', 'order_no', 'channel', 'channel_pre_auth_no', 'currency', 'amount'] as const),
  ...(['amount_capturable', 'amount_captured', 'status', 'description', 'metadata'] as const),
  ...(['customer_step_sealed', 'decline_code', 'created_at', 'expires_at', 'closed_at'] as const),
] as const;

/** What its merchant is shown of a hold. */
export type ShownPreAuth = Pick<PreAuthRow, (typeof SHOWN)[number]>;

const SELECT_WITH_WAY = `
SELECT ${SHOWN.join(', ')}, ${wayColumns('$1', "'pre_auth'", '$2')} FROM pre_auths WHERE merchant_id = $1 AND pre_auth_no = $2`;

export interface PreAuthWithWay {
  readonly row: ShownPreAuth;
  readonly way: StoredWay;
}

/** With its way to its channel, in one statement: what merchants ask for most. */
export async function readPreAuthWithWay(
  q: Queryable,
  merchantId: string,
  preAuthNo: string,
): Promise<PreAuthWithWay | undefined> {
  const row = (await q.query<ShownPreAuth & WayRow>(SELECT_WITH_WAY, [merchantId, preAuthNo])).rows[0];
  return row === undefined ? undefined : { row, way: toWay(row) };
}

/** The row, locked until the transaction ends: for those who are about to change it. */
export async function lockPreAuth(
  q: Queryable,
  merchantId: string,
  preAuthNo: string,
): Promise<PreAuthRow | undefined> {
  return (await q.query<PreAuthRow>(`${SELECT_BY_NO} FOR NO KEY UPDATE`, [merchantId, preAuthNo])).rows[0];
}

const SELECT_BY_CHANNEL_NO = `
SELECT ${PRE_AUTH_COLUMNS} FROM pre_auths WHERE merchant_id = $1 AND channel = $2 AND channel_pre_auth_no = $3
  AND channel_account_id IN (SELECT id FROM channel_accounts WHERE channel = $2 AND (merchant_id = $1 OR merchant_id IS NULL))`;

export async function findPreAuthByChannelNo(
  q: Queryable,
  merchantId: string,
  channel: ChannelName,
  channelPreAuthNo: string,
): Promise<PreAuthRow | undefined> {
  return (await q.query<PreAuthRow>(SELECT_BY_CHANNEL_NO, [merchantId, channel, channelPreAuthNo])).rows[0];
}

/** Newest first. */
export const listPreAuths = listOfOrders<PreAuthRow, PreAuthStatus>({
  table: 'pre_auths',
  columns: PRE_AUTH_COLUMNS,
  id: 'pre_auth_no',
});

const STORE_STEP = `
UPDATE pre_auths SET customer_step_sealed = $3
WHERE merchant_id = $1 AND pre_auth_no = $2 AND channel_account_id = $4 AND (closed_at IS NULL OR channel_pre_auth_no IS NOT NULL)`;

/**
 * Keeps what the customer's browser needs. Written before the answer is recorded, so it raises no version. What comes from
 * a channel that the hold has left, or after its end without any, is nobody's: it must never be confirmed.
 */
export async function storeCustomerStep(q: Queryable, hold: Hold, sealed: string): Promise<void> {
  const { merchantId, preAuthNo, channelAccountId } = hold;
  await q.query(STORE_STEP, [merchantId, preAuthNo, sealed, channelAccountId]);
}

const MOVE = `
UPDATE pre_auths SET channel = $4, channel_account_id = $5, multiple_captures = $6, needs_attention = NULL, version = version + 1,
  updated_at = now(), owner_checked_at = coalesce(owner_checked_at, now())
WHERE merchant_id = $1 AND pre_auth_no = $2 AND version = $3 AND closed_at IS NULL AND channel_pre_auth_no IS NULL
  AND customer_step_sealed IS NULL`;

/**
 * Gives a hold that its channel has not taken to another one. The caller holds its lock.
 * @throws Error when it has moved on, or may be in its customer's hands: then nothing is committed
 */
export async function movePreAuth(
  q: Queryable,
  { merchantId, preAuthNo, version }: Hold,
  to: { readonly channel: ChannelName; readonly accountId: string; readonly multipleCaptures: boolean },
): Promise<void> {
  const values = [merchantId, preAuthNo, version, to.channel, to.accountId, to.multipleCaptures];
  const result = await q.query(MOVE, values);
  if (result.rowCount !== 1) throw new Error(`hold ${preAuthNo} cannot be given to another channel`);
}

// Money that is held late is released by a call of a closed hold.
const SET_ATTENTION = `
UPDATE pre_auths SET needs_attention = $3, updated_at = now()
WHERE merchant_id = $1 AND pre_auth_no = $2 AND needs_attention IS DISTINCT FROM $3 AND (closed_at IS NULL OR EXISTS (
  SELECT 1 FROM channel_calls WHERE merchant_id = $1 AND object_kind = 'pre_auth' AND object_no = $2 AND state = 'open'))`;

/** @returns false when it was noted before, or the hold is closed and no call of it is open */
export async function setNeedsAttention(q: Queryable, hold: Hold, reason: string): Promise<boolean> {
  const result = await q.query(SET_ATTENTION, [hold.merchantId, hold.preAuthNo, reason]);
  return result.rowCount === 1;
}

export function toHold(row: PreAuthRow): Hold {
  return {
    merchantId: row.merchant_id,
    preAuthNo: row.pre_auth_no,
    orderNo: row.order_no,
    world: row.world,
    channel: row.channel,
    channelAccountId: row.channel_account_id,
    channelPreAuthNo: row.channel_pre_auth_no,
    currency: row.currency,
    amount: row.amount,
    amountCapturable: row.amount_capturable,
    amountCaptured: row.amount_captured,
    status: row.status,
    version: row.version,
    createdAtMs: row.created_at.getTime(),
    expiresAtMs: row.expires_at.getTime(),
    warnedAtMs: row.warned_at?.getTime() ?? null,
    needsAttention: row.needs_attention,
    multipleCaptures: row.multiple_captures,
  };
}
