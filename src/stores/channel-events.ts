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
  /**
   * Present: it speaks of what stands under this number at a channel that the object has left, or has ended without; its own
   * workflow does not ask that. null: the event does not say under which.
   */
  readonly left: { readonly channelNo: string | null } | undefined;
}

const TABLES = {
  pre_auth: { table: 'pre_auths', number: 'pre_auth_no', channelNo: 'channel_pre_auth_no' },
  payment: { table: 'payments', number: 'payment_no', channelNo: 'channel_payment_no' },
} as const;

type Kind = keyof typeof TABLES;
const ofBoth = (part: (kind: Kind, names: (typeof TABLES)[Kind]) => string) =>
  [part('pre_auth', TABLES.pre_auth), part('payment', TABLES.payment)].join('\n  UNION ALL\n');

const AS_OBJECT = (kind: string, number: string) =>
  `SELECT o.merchant_id, '${kind}' AS kind, o.${number} AS no, o.closed_at`;

/** The number that the event names; else the one that is known there of this object. */
const NAMED_OR_KNOWN = (kind: string) => `coalesce($2::text, (
    SELECT l.channel_no FROM left_objects l
    WHERE l.channel_account_id = $1 AND l.merchant_id = $3 AND l.object_kind = '${kind}' AND l.object_no = $4 LIMIT 1))`;

const BY_NUMBER = ofBoth(
  (kind, { table, number, channelNo }) => `
  ${AS_OBJECT(kind, number)}, false AS is_left, NULL AS left_no FROM ${table} o
  WHERE o.channel_account_id = $1 AND o.${channelNo} = $2`,
);

const BY_LEFT_NUMBER = ofBoth(
  (kind, { table, number }) => `
  ${AS_OBJECT(kind, number)}, true, l.channel_no FROM left_objects l
  JOIN ${table} o ON l.object_kind = '${kind}' AND o.merchant_id = l.merchant_id AND o.${number} = l.object_no
  WHERE l.channel_account_id = $1 AND (l.channel_no = $2 OR l.channel_trade_no = $2)`,
);

const BY_IDENTITY = ofBoth(
  (kind, { table, number, channelNo }) => `
  ${AS_OBJECT(kind, number)}, o.closed_at IS NOT NULL, CASE WHEN o.closed_at IS NOT NULL THEN ${NAMED_OR_KNOWN(kind)} END FROM ${table} o
  WHERE o.channel_account_id = $1 AND o.${channelNo} IS NULL AND o.merchant_id = $3 AND o.${number} = $4 AND $5::text = '${kind}'`,
);

const BY_REFUND = ofBoth(
  (kind, { table, number }) => `
  ${AS_OBJECT(kind, number)}, r.left_no IS NOT NULL, r.left_no FROM refund r
  JOIN ${table} o ON r.object_kind = '${kind}' AND o.merchant_id = r.merchant_id AND o.${number} = r.object_no`,
);

const BY_TRADE = ofBoth(
  (kind, { table, number }) => `
  ${AS_OBJECT(kind, number)}, false, NULL FROM ${table} o
  WHERE o.channel_account_id = $1 AND o.channel_trade_no = $2 AND $6::text IN ('refund', 'dispute')`,
);

const BY_LEFT_IDENTITY = ofBoth(
  (kind, { table, number }) => `
  ${AS_OBJECT(kind, number)}, true, ${NAMED_OR_KNOWN(kind)} FROM ${table} o
  WHERE $5::text = '${kind}' AND o.merchant_id = $3 AND o.${number} = $4 AND o.channel_account_id <> $1 AND EXISTS (
    SELECT FROM channel_calls c WHERE c.merchant_id = $3 AND c.object_kind = '${kind}' AND c.object_no = $4
      AND c.operation = 'create' AND c.channel_account_id = $1)`,
);

// By the channel's number; or, before the create's answer is recorded, by the identity we sent with it. Only within the
// account that signed the event: an event can never speak of another account's object. An object that has ended without a
// number there should have nothing there. By the number of the trade late, because only news of refunds and disputes names
// nothing else; last, by the identity of a create at a channel that the object has left.
const MATCH = `
WITH refund AS (
  SELECT merchant_id, refund_no, object_kind, object_no, closed_at, (
    SELECT l.channel_no FROM late_payments l WHERE l.id = late_payment_id
  ) AS left_no FROM refunds WHERE channel_account_id = $1 AND channel_refund_no IN ($2, $7)
  UNION ALL
  SELECT merchant_id, refund_no, object_kind, object_no, closed_at, (
    SELECT l.channel_no FROM late_payments l WHERE l.id = late_payment_id
  ) FROM refunds WHERE channel_account_id = $1 AND merchant_id = $3 AND refund_no = $4 AND $5::text = 'refund'
  LIMIT 1
), object AS (${[BY_NUMBER, BY_LEFT_NUMBER, BY_IDENTITY, BY_REFUND, BY_TRADE, BY_LEFT_IDENTITY].join('\n  UNION ALL')}
  LIMIT 1
), found AS (
  SELECT merchant_id, 'refund' AS kind, refund_no AS no, closed_at, false AS is_left, NULL AS left_no FROM refund
  UNION ALL SELECT merchant_id, kind, no, closed_at, is_left, left_no FROM object
)
SELECT merchant_id, kind, no, is_left, left_no, closed_at IS NOT NULL AS closed, EXISTS (
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
  left_no: string | null;
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
  let left: EventMatch['left'];
  for (const { merchant_id: merchantId, kind, no, closed, busy, is_left, left_no: channelNo } of rows) {
    if (is_left) left = { channelNo };
    if (kind === 'refund') refund = { object: { merchantId, kind, no }, closed, busy };
    else object = { object: { merchantId, kind, no }, closed, busy };
  }
  return object === undefined ? undefined : { object, refund, left };
}

/**
 * The workflow that reads the object again. undefined: nobody's. News of disputes, of refunds made by hand, of closed objects
 * and of a channel that the object has left is read beside the workflows, by the pick-up.
 */
export function workflowToTell(
  { object, refund, left }: EventMatch,
  subject: InboundSubject,
): Matched<ObjectRef> | undefined {
  if (subject === 'dispute' || (subject === 'refund' && refund === undefined)) return undefined;
  if (left !== undefined && refund === undefined) return undefined;
  const told = refund ?? object;
  return told.closed ? undefined : told;
}
