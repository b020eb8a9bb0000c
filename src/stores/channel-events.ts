/** Inbound events: stored once per account and event id before they are acknowledged, processed afterwards. */
import type { Queryable } from './postgres';

/** The purpose under which bodies are sealed: they carry client secrets and personal data. */
export const EVENT_BODY_PURPOSE = 'channel_events.body';

export interface NewChannelEvent {
  accountId: string;
  eventId: string;
  type: string;
  objectId: string | undefined;
  holdfastId: string | undefined;
  causedByKey: string | undefined;
  bodySealed: string;
}

export interface WaitingEvent {
  id: number;
  channel_account_id: string;
  type: string;
  object_id: string | null;
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
INSERT INTO channel_events (channel_account_id, event_id, type, object_id, holdfast_id, body_sealed, state, processed_at)
SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, CASE WHEN is_echo THEN 'processed' ELSE 'stored' END, CASE WHEN is_echo THEN now() END FROM echo
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
SELECT id, channel_account_id, type, object_id, holdfast_id, attempts, received_at FROM channel_events
WHERE state = 'stored' AND next_attempt_at <= now() AND received_at < now() - interval '2 seconds'
ORDER BY next_attempt_at LIMIT $1`;

export async function findWaitingEvents(q: Queryable, limit: number): Promise<WaitingEvent[]> {
  return (await q.query<WaitingEvent>(WAITING, [limit])).rows;
}

const POSTPONE = `
UPDATE channel_events SET attempts = attempts + 1,
  next_attempt_at = now() + least(make_interval(secs => 5 * power(2, least(attempts, 12))), interval '6 hours'),
  state = CASE WHEN received_at < now() - make_interval(secs => $2) THEN 'unmatched' ELSE state END
WHERE id = $1`;

/** Tries the event again later, at growing intervals, until it is older than `giveUpAfterSeconds`: then it is unmatched. */
export async function postponeEvent(q: Queryable, id: number, giveUpAfterSeconds: number): Promise<void> {
  await q.query(POSTPONE, [id, giveUpAfterSeconds]);
}

export interface MatchedHold {
  merchant_id: string;
  pre_auth_no: string;
  closed: boolean;
  /** A call of ours is on its way to the channel: its own answer tells what this event tells. */
  busy: boolean;
}

// By the channel's id; or, before the create's answer is recorded, by the identity we sent with it. Only within the
// account that signed the event: an event can never speak of another account's object.
const MATCH = `
WITH hold AS (
  SELECT merchant_id, pre_auth_no, closed_at FROM pre_auths
  WHERE channel_account_id = $1 AND channel_pre_auth_no = $2
  UNION ALL
  SELECT merchant_id, pre_auth_no, closed_at FROM pre_auths
  WHERE channel_account_id = $1 AND channel_pre_auth_no IS NULL AND merchant_id = $3 AND pre_auth_no = $4
  LIMIT 1
)
SELECT merchant_id, pre_auth_no, closed_at IS NOT NULL AS closed, EXISTS (
  SELECT 1 FROM channel_calls c
  WHERE c.merchant_id = hold.merchant_id AND c.object_kind = 'pre_auth' AND c.object_no = hold.pre_auth_no
    AND c.state = 'open' AND c.last_sent_at > now() - interval '5 seconds'
) AS busy FROM hold`;

const NO_MERCHANT = '00000000-0000-0000-0000-000000000000';
const HOLDFAST_ID = /^pre-auth\/([0-9a-f-]{36})\/([A-Za-z0-9._-]{1,64})$/;

export async function matchHold(
  q: Queryable,
  event: { accountId: string; objectId: string | null; holdfastId: string | null },
): Promise<MatchedHold | undefined> {
  const parts = HOLDFAST_ID.exec(event.holdfastId ?? '');
  const result = await q.query<MatchedHold>(MATCH, [
    event.accountId,
    event.objectId,
    parts?.[1] ?? NO_MERCHANT,
    parts?.[2] ?? '',
  ]);
  return result.rows[0];
}
