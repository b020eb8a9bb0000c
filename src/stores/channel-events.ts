/** Inbound events: stored once per account and event id before they are acknowledged, processed afterwards. */
import type { InboundSubject } from '../domain/channel-payment';
import { objectOfWorkflowId } from '../domain/ids';
import type { ObjectRef } from '../domain/ids';
import type { RefundedRef } from '../domain/refund';
import type { Queryable } from './postgres';

/** The purpose under which bodies are sealed: they carry client secrets and personal data. */
export const EVENT_BODY_PURPOSE = 'channel_events.body';

export interface NewChannelEvent {
  accountId: string;
  eventId: string;
  type: string;
  subject: InboundSubject;
  objectId: string | undefined;
  channelRefundNo: string | undefined;
  holdfastId: string | undefined;
  causedByKey: string | undefined;
  bodySealed: string;
}

export interface WaitingEvent {
  id: number;
  channel_account_id: string;
  type: string;
  subject: InboundSubject;
  object_id: string | null;
  channel_refund_no: string | null;
  holdfast_id: string | null;
  attempts: number;
  received_at: Date;
}

// An event names the key of the request that caused it. One of ours, executed or on its way, tells nothing that its own
// answer does not tell: such an echo is processed as soon as it is stored.
const STORE = `
WITH echo AS (
  SELECT EXISTS (
    SELECT 1 FROM channel_calls WHERE idempotency_key = $7::text AND channel_account_id = $1::uuid
      AND (state = 'executed' OR (state = 'open' AND last_sent_at > now() - interval '5 seconds'))
  ) AS is_echo
)
INSERT INTO channel_events (channel_account_id, event_id, type, object_id, holdfast_id, body_sealed, subject, channel_refund_no, state,
  processed_at)
SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $8::text, $9::text, CASE WHEN is_echo THEN 'processed' ELSE 'stored' END, CASE WHEN is_echo THEN now() END FROM echo
ON CONFLICT (channel_account_id, event_id) DO NOTHING RETURNING id, state`;

/** @returns the row's id where somebody must be told of the event: not for a repeat, and not for an echo of our own call */
export async function storeChannelEvent(q: Queryable, event: NewChannelEvent): Promise<number | undefined> {
  const result = await q.query<{ id: number; state: string }>(STORE, [
    event.accountId,
    event.eventId,
    event.type,
    event.objectId ?? null,
    event.holdfastId ?? null,
    event.bodySealed,
    event.causedByKey ?? null,
    event.subject,
    event.channelRefundNo ?? null,
  ]);
  const row = result.rows[0];
  return row?.state === 'stored' ? row.id : undefined;
}

export async function markProcessed(q: Queryable, id: number): Promise<void> {
  await q.query(
    `UPDATE channel_events SET state = 'processed', processed_at = now() WHERE id = $1 AND state = 'stored'`,
    [id],
  );
}

// Events that the API has just stored are its own to signal: the pick-up leaves them alone for a moment.
const WAITING = `
SELECT id, channel_account_id, type, subject, object_id, channel_refund_no, holdfast_id, attempts, received_at FROM channel_events
WHERE state = 'stored' AND next_attempt_at <= now() AND received_at < now() - interval '2 seconds'
ORDER BY next_attempt_at LIMIT $1`;

export async function findWaitingEvents(q: Queryable, limit: number): Promise<WaitingEvent[]> {
  return (await q.query<WaitingEvent>(WAITING, [limit])).rows;
}

const POSTPONE = `
UPDATE channel_events SET attempts = attempts + 1,
  next_attempt_at = now() + least(make_interval(secs => 5 * power(2, least(attempts, 12))), interval '6 hours'),
  state = CASE WHEN received_at < now() - make_interval(secs => $2) THEN 'unmatched' ELSE state END
WHERE id = $1 RETURNING state`;

/**
 * Tries the event again later, at growing intervals, until it is older than `giveUpAfterSeconds`: then it is unmatched.
 * @returns whether that is so now
 */
export async function postponeEvent(q: Queryable, id: number, giveUpAfterSeconds: number): Promise<boolean> {
  const { rows } = await q.query<{ state: string }>(POSTPONE, [id, giveUpAfterSeconds]);
  return rows[0]?.state === 'unmatched';
}

export interface Matched<Ref extends ObjectRef> {
  readonly object: Ref;
  readonly closed: boolean;
  /** A call of ours is on its way to the channel: its own answer tells what this event tells. */
  readonly busy: boolean;
}

/** What an event speaks of. */
export interface EventMatch {
  /** The payment or hold: that of the refund too, where it speaks of one. */
  readonly object: Matched<RefundedRef>;
  readonly refund: Matched<ObjectRef> | undefined;
  /** The object was tried there, and has gone to another channel since: its own workflow does not ask this one any more. */
  readonly isLeft: boolean;
}

const leftBy = (kind: RefundedRef['kind']) => `channel_account_id <> $1 AND $6::text = '${kind}' AND EXISTS (
    SELECT FROM channel_calls c WHERE c.merchant_id = $3 AND c.object_kind = '${kind}' AND c.object_no = $4
      AND c.operation = 'create' AND c.channel_account_id = $1)`;

// By the channel's number; or, before the create's answer is recorded, by the identity we sent with it. Only within the
// account that signed the event: an event can never speak of another account's object. By the number of the trade late,
// because only news of refunds and disputes names nothing else; last, by the identity of a create at a channel that the
// object has left.
const MATCH = `
WITH refund AS (
  SELECT merchant_id, refund_no, object_kind, object_no, closed_at FROM refunds
  WHERE channel_account_id = $1 AND channel_refund_no IN ($2, $7)
  UNION ALL
  SELECT merchant_id, refund_no, object_kind, object_no, closed_at FROM refunds
  WHERE channel_account_id = $1 AND merchant_id = $3 AND refund_no = $4 AND $5::text = 'refund'
  LIMIT 1
), object AS (
  SELECT merchant_id, 'pre_auth' AS kind, pre_auth_no AS no, closed_at, false AS is_left FROM pre_auths
  WHERE channel_account_id = $1 AND channel_pre_auth_no = $2
  UNION ALL
  SELECT merchant_id, 'payment', payment_no, closed_at, false FROM payments
  WHERE channel_account_id = $1 AND channel_payment_no = $2
  UNION ALL
  SELECT merchant_id, 'pre_auth', pre_auth_no, closed_at, false FROM pre_auths
  WHERE channel_account_id = $1 AND channel_pre_auth_no IS NULL AND merchant_id = $3 AND pre_auth_no = $4 AND $5::text = 'pre_auth'
  UNION ALL
  SELECT merchant_id, 'payment', payment_no, closed_at, false FROM payments
  WHERE channel_account_id = $1 AND channel_payment_no IS NULL AND merchant_id = $3 AND payment_no = $4 AND $5::text = 'payment'
  UNION ALL
  SELECT o.merchant_id, 'payment', o.payment_no, o.closed_at, false FROM refund r
  JOIN payments o ON r.object_kind = 'payment' AND o.merchant_id = r.merchant_id AND o.payment_no = r.object_no
  UNION ALL
  SELECT o.merchant_id, 'pre_auth', o.pre_auth_no, o.closed_at, false FROM refund r
  JOIN pre_auths o ON r.object_kind = 'pre_auth' AND o.merchant_id = r.merchant_id AND o.pre_auth_no = r.object_no
  UNION ALL
  SELECT merchant_id, 'payment', payment_no, closed_at, false FROM payments
  WHERE channel_account_id = $1 AND channel_trade_no = $2 AND $6::text IN ('refund', 'dispute')
  UNION ALL
  SELECT merchant_id, 'pre_auth', pre_auth_no, closed_at, false FROM pre_auths
  WHERE channel_account_id = $1 AND channel_trade_no = $2 AND $6::text IN ('refund', 'dispute')
  UNION ALL
  SELECT merchant_id, 'pre_auth', pre_auth_no, closed_at, true FROM pre_auths o
  WHERE $5::text = 'pre_auth' AND merchant_id = $3 AND pre_auth_no = $4 AND ${leftBy('pre_auth')}
  UNION ALL
  SELECT merchant_id, 'payment', payment_no, closed_at, true FROM payments o
  WHERE $5::text = 'payment' AND merchant_id = $3 AND payment_no = $4 AND ${leftBy('payment')}
  LIMIT 1
), found AS (
  SELECT merchant_id, 'refund' AS kind, refund_no AS no, closed_at, false AS is_left FROM refund
  UNION ALL SELECT merchant_id, kind, no, closed_at, is_left FROM object
)
SELECT merchant_id, kind, no, is_left, closed_at IS NOT NULL AS closed, EXISTS (
  SELECT 1 FROM channel_calls c
  WHERE c.merchant_id = found.merchant_id AND c.object_kind = found.kind AND c.object_no = found.no
    AND c.state = 'open' AND c.last_sent_at > now() - interval '5 seconds'
) AS busy FROM found`;

const NO_MERCHANT = '00000000-0000-0000-0000-000000000000';

interface MatchRow {
  merchant_id: string;
  kind: 'pre_auth' | 'payment' | 'refund';
  no: string;
  is_left: boolean;
  closed: boolean;
  busy: boolean;
}

/** undefined: it speaks of nothing that this account has (yet). */
export async function matchEvent(
  q: Queryable,
  event: {
    accountId: string;
    subject: InboundSubject;
    objectId: string | null;
    channelRefundNo: string | null;
    holdfastId: string | null;
  },
): Promise<EventMatch | undefined> {
  const named = objectOfWorkflowId(event.holdfastId ?? '');
  const { rows } = await q.query<MatchRow>(MATCH, [
    event.accountId,
    event.objectId,
    named?.merchantId ?? NO_MERCHANT,
    named?.no ?? '',
    named?.kind ?? '',
    event.subject,
    event.channelRefundNo,
  ]);
  let object: EventMatch['object'] | undefined;
  let refund: EventMatch['refund'];
  let isLeft = false;
  for (const { merchant_id: merchantId, kind, no, closed, busy, is_left } of rows) {
    isLeft ||= is_left;
    if (kind === 'refund') refund = { object: { merchantId, kind, no }, closed, busy };
    else object = { object: { merchantId, kind, no }, closed, busy };
  }
  return object === undefined ? undefined : { object, refund, isLeft };
}

/**
 * The workflow that reads the object again. undefined: nobody's. News of disputes, of refunds made by hand, of closed objects
 * and of a channel that the object has left is read beside the workflows, by the pick-up.
 */
export function workflowToTell(
  { object, refund, isLeft }: EventMatch,
  subject: InboundSubject,
): Matched<ObjectRef> | undefined {
  if (isLeft) return undefined;
  if (subject === 'dispute' || (subject === 'refund' && refund === undefined)) return undefined;
  const told = refund ?? object;
  return told.closed ? undefined : told;
}
