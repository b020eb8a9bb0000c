/**
 * Payments. The API inserts a row; from then on only the payment's workflow changes it, through its activities. What
 * refunds reserve and count on it (refund_reserved, refunded_external) belongs to them: nothing here writes it.
 */
import type { ChannelName, World } from '../domain/channel';
import type { ChannelCall, PaymentOperation } from '../domain/channel-call';
import { isPaymentClosed } from '../domain/payment';
import type { Payment, PaymentStatus } from '../domain/payment';
import type { RoutingDecision } from '../domain/routing/types';
import { CALL_COLUMNS, toCall } from './channel-calls';
import type { CallEnd, CallRow } from './channel-calls';
import type { Queryable } from './postgres';

export interface PaymentRow {
  merchant_id: string;
  payment_no: string;
  order_no: string;
  world: World;
  channel: ChannelName;
  channel_account_id: string;
  channel_payment_no: string | null;
  channel_trade_no: string | null;
  currency: string;
  amount: number;
  amount_paid: number;
  refund_reserved: number;
  refunded_external: number;
  status: PaymentStatus;
  version: number;
  event_sequence: number;
  handed_out: boolean;
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
  closed_at: Date | null;
}

/** The purpose under which client_secret and next action are sealed. */
export const PAYMENT_STEP_PURPOSE = 'payments.customer_step';

export type NewPayment = Pick<
  PaymentRow,
  | 'merchant_id'
  | 'payment_no'
  | 'order_no'
  | 'world'
  | 'channel'
  | 'channel_account_id'
  | 'currency'
  | 'amount'
  | 'customer_email'
  | 'description'
  | 'country'
  | 'return_url'
  | 'notify_url'
  | 'metadata'
  | 'body_hash'
> & { expires_in_seconds: number };

// By name: a prepared `SELECT *` breaks in running processes when a migration adds a column.
export const PAYMENT_COLUMNS = `merchant_id, payment_no, order_no, world, channel, channel_account_id, channel_payment_no, channel_trade_no,
  currency, amount, amount_paid, refund_reserved, refunded_external, status, version, event_sequence, handed_out, customer_email,
  description, country, return_url, notify_url, metadata, customer_step_sealed, decline_code, cancel_reason, body_hash,
  needs_attention, created_at, updated_at, expires_at, closed_at`;

// With the order's claim and the routing decision, or none of them: the caller rolls back when the order is taken.
const INSERT = `
WITH payment AS (
  INSERT INTO payments (merchant_id, payment_no, order_no, world, channel, channel_account_id, currency, amount,
    customer_email, description, country, return_url, notify_url, metadata, body_hash, status, expires_at)
  VALUES ($1::uuid, $2::text, $3::text, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 'pending',
    now() + make_interval(secs => $16))
  ON CONFLICT (merchant_id, payment_no) DO NOTHING RETURNING 1
), decision AS (
  INSERT INTO routing_decisions (merchant_id, kind, number, decision)
  SELECT $1::uuid, 'payment', $2::text, $17::jsonb FROM payment
), claim AS (
  INSERT INTO order_claims (merchant_id, order_no, kind, number, state)
  SELECT $1::uuid, $3::text, 'payment', $2::text, 'live' FROM payment
  ON CONFLICT DO NOTHING RETURNING 1
)
SELECT EXISTS (SELECT FROM payment) AS inserted, EXISTS (SELECT FROM claim) AS claimed`;

/** @returns 'exists': an earlier owner of this request inserted it; 'order_taken': roll back, the order has a claim */
export async function insertPayment(
  q: Queryable,
  row: NewPayment,
  decision: RoutingDecision,
): Promise<'inserted' | 'exists' | 'order_taken'> {
  const result = await q.query<{ inserted: boolean; claimed: boolean }>(INSERT, [
    row.merchant_id,
    row.payment_no,
    row.order_no,
    row.world,
    row.channel,
    row.channel_account_id,
    row.currency,
    row.amount,
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

const SELECT_BY_NO = `SELECT ${PAYMENT_COLUMNS} FROM payments WHERE merchant_id = $1 AND payment_no = $2`;

export async function readPayment(
  q: Queryable,
  merchantId: string,
  paymentNo: string,
): Promise<PaymentRow | undefined> {
  return (await q.query<PaymentRow>(SELECT_BY_NO, [merchantId, paymentNo])).rows[0];
}

/** The row, locked until the transaction ends: for those who are about to change it. */
export async function lockPayment(
  q: Queryable,
  merchantId: string,
  paymentNo: string,
): Promise<PaymentRow | undefined> {
  return (await q.query<PaymentRow>(`${SELECT_BY_NO} FOR NO KEY UPDATE`, [merchantId, paymentNo])).rows[0];
}

const LOCK_CALL = `
SELECT ${CALL_COLUMNS} FROM channel_calls
WHERE id = $3 AND merchant_id = $1 AND object_kind = 'payment' AND object_no = $2 FOR NO KEY UPDATE`;

/** A payment and one of its calls, locked until the transaction ends: for those who are about to settle the call. */
export async function lockPaymentAndCall(
  q: Queryable,
  merchantId: string,
  paymentNo: string,
  callId: string,
): Promise<{ row: PaymentRow; call: ChannelCall<PaymentOperation> } | undefined> {
  const row = await lockPayment(q, merchantId, paymentNo);
  const call = (await q.query<CallRow>(LOCK_CALL, [merchantId, paymentNo, callId])).rows[0];
  return row === undefined || call === undefined ? undefined : { row, call: toCall(call) };
}

// The order's claim follows the payment: paid when it succeeded, dropped when it came to nothing. The call whose answer
// this is, if any, is settled by the same statement.
const UPDATE = `
WITH paid AS (
  UPDATE order_claims SET state = 'paid'
  WHERE merchant_id = $1::uuid AND order_no = $14::text AND kind = 'payment' AND number = $2::text AND $4::text = 'success'
), dropped AS (
  DELETE FROM order_claims
  WHERE merchant_id = $1::uuid AND order_no = $14::text AND kind = 'payment' AND number = $2::text AND $13::boolean AND $4::text <> 'success'
), settled AS (
  UPDATE channel_calls SET state = $16::text, outcome = $17::jsonb, settled_at = now() WHERE id = $15::uuid AND state = 'open'
)
UPDATE payments SET status = $4::text, channel_payment_no = $5, channel_trade_no = $6, amount_paid = $7, handed_out = $8,
  decline_code = $9, needs_attention = $10, version = version + 1, event_sequence = event_sequence + $11,
  cancel_reason = coalesce($12, cancel_reason), closed_at = CASE WHEN $13::boolean THEN now() END, updated_at = now(),
  -- Written once, so that most updates touch no index; the pick-up renews it.
  owner_checked_at = coalesce(owner_checked_at, now())
WHERE merchant_id = $1::uuid AND payment_no = $2::text AND version = $3`;

/**
 * Writes the next state of a payment.
 * @param before the state it was computed from; the write is conditional on its version
 * @throws Error when the row has moved on: the caller holds its lock, so this is a bug and nothing is committed
 */
export async function updatePayment(
  q: Queryable,
  before: Payment,
  next: Payment,
  extra: { events: number; cancelReason?: string | undefined; settles?: CallEnd | undefined },
): Promise<void> {
  const result = await q.query(UPDATE, [
    before.merchantId,
    before.paymentNo,
    before.version,
    next.status,
    next.channelPaymentNo,
    next.channelTradeNo,
    next.amountPaid,
    next.handedOut,
    next.declineCode,
    next.needsAttention,
    extra.events,
    extra.cancelReason ?? null,
    isPaymentClosed(next.status),
    before.orderNo,
    extra.settles?.callId ?? null,
    extra.settles?.state ?? null,
    extra.settles?.outcome ?? null,
  ]);
  if (result.rowCount !== 1)
    throw new Error(`payment ${before.paymentNo} is no longer at version ${before.version}`);
}

const STORE_STEP = `
UPDATE payments SET customer_step_sealed = $3
WHERE merchant_id = $1 AND payment_no = $2 AND channel_account_id = $4 AND (closed_at IS NULL OR channel_payment_no IS NOT NULL)`;

/**
 * Keeps what the customer's browser needs. Written before the answer is recorded, so it raises no version. What comes from
 * a channel that the payment has left, or after its end without any, is nobody's: it must never be paid.
 */
export async function storePaymentStep(q: Queryable, payment: Payment, sealed: string): Promise<void> {
  const { merchantId, paymentNo, channelAccountId } = payment;
  await q.query(STORE_STEP, [merchantId, paymentNo, sealed, channelAccountId]);
}

const MOVE = `
UPDATE payments SET channel = $4, channel_account_id = $5, needs_attention = NULL, version = version + 1, updated_at = now(),
  owner_checked_at = coalesce(owner_checked_at, now())
WHERE merchant_id = $1 AND payment_no = $2 AND version = $3 AND closed_at IS NULL AND channel_payment_no IS NULL
  AND NOT handed_out AND customer_step_sealed IS NULL`;

/**
 * Gives a payment that its channel has not taken to another one. The caller holds its lock.
 * @throws Error when it has moved on, or may be in its customer's hands: then nothing is committed
 */
export async function movePayment(
  q: Queryable,
  { merchantId, paymentNo, version }: Payment,
  to: { readonly channel: ChannelName; readonly accountId: string },
): Promise<void> {
  const result = await q.query(MOVE, [merchantId, paymentNo, version, to.channel, to.accountId]);
  if (result.rowCount !== 1) throw new Error(`payment ${paymentNo} cannot be given to another channel`);
}

/** @returns false when it was noted before, or the payment is closed */
export async function setPaymentAttention(q: Queryable, payment: Payment, reason: string): Promise<boolean> {
  const result = await q.query(
    `UPDATE payments SET needs_attention = $3, updated_at = now()
     WHERE merchant_id = $1 AND payment_no = $2 AND closed_at IS NULL AND needs_attention IS DISTINCT FROM $3`,
    [payment.merchantId, payment.paymentNo, reason],
  );
  return result.rowCount === 1;
}

export function toPayment(row: PaymentRow): Payment {
  return {
    merchantId: row.merchant_id,
    paymentNo: row.payment_no,
    orderNo: row.order_no,
    world: row.world,
    channel: row.channel,
    channelAccountId: row.channel_account_id,
    channelPaymentNo: row.channel_payment_no,
    channelTradeNo: row.channel_trade_no,
    currency: row.currency,
    amount: row.amount,
    amountPaid: row.amount_paid,
    status: row.status,
    version: row.version,
    createdAtMs: row.created_at.getTime(),
    expiresAtMs: row.expires_at.getTime(),
    handedOut: row.handed_out,
    declineCode: row.decline_code,
    needsAttention: row.needs_attention,
  };
}
