/** The one statement that moves a hold on: row, order claim, settled call, events and notifications, or none of them. */
import { isClosed } from '../domain/pre-auth';
import type { Hold } from '../domain/pre-auth';
import type { CallEnd } from './channel-calls';
import { appendEventsSql, eventsParameter } from './outbox';
import type { ObjectEvent } from './outbox';
import type { Queryable } from './postgres';

// The hold must still be as the transition was computed from (disputes raise the count of its events and not its version),
// and the call whose answer this is must still be open; both are locked before anything is written, in the order in which
// everybody locks them. The order's claim follows the hold: paid when it succeeded, dropped when it came to nothing.
const statement = (unmoved: string, settled: string) => `
WITH unmoved AS (${unmoved}
), hold AS (
  UPDATE pre_auths SET status = $4::text, channel_pre_auth_no = $5, amount_capturable = $6, amount_captured = $7,
    expires_at = $8, warned_at = $9, needs_attention = $10, version = version + 1, event_sequence = event_sequence + $11,
    decline_code = coalesce($12, decline_code), cancel_reason = coalesce($13, cancel_reason),
    closed_at = CASE WHEN $14::boolean THEN coalesce(closed_at, now()) END, updated_at = now(),
    -- Written once, so that most updates touch no index; the pick-up renews it.
    owner_checked_at = coalesce(owner_checked_at, now())
  FROM unmoved WHERE merchant_id = $1::uuid AND pre_auth_no = $2::text
  RETURNING 1
), paid AS (
  UPDATE order_claims SET state = 'paid' FROM hold
  WHERE merchant_id = $1::uuid AND order_no = $15::text AND number = $2::text AND $4::text = 'succeeded'
), dropped AS (
  DELETE FROM order_claims USING hold
  WHERE merchant_id = $1::uuid AND order_no = $15::text AND number = $2::text AND $14::boolean AND $4::text <> 'succeeded'
)${settled}, ${appendEventsSql({ merchant: '$1::uuid', events: '$16', condition: 'EXISTS (SELECT FROM hold)', onRepeat: '' })}
SELECT EXISTS (SELECT FROM hold) AS moved, (SELECT count(*)::int FROM told) AS told`;

const UNMOVED_HOLD = `
  SELECT FROM pre_auths h
  WHERE h.merchant_id = $1::uuid AND h.pre_auth_no = $2::text AND h.version = $3 AND h.event_sequence = $17::int
  FOR NO KEY UPDATE`;

const UNMOVED_HOLD_AND_CALL = `
  SELECT FROM pre_auths h JOIN channel_calls c ON c.merchant_id = h.merchant_id AND c.object_kind = 'pre_auth' AND c.object_no = h.pre_auth_no
  WHERE h.merchant_id = $1::uuid AND h.pre_auth_no = $2::text AND h.version = $3 AND h.event_sequence = $17::int
    AND c.id = $18::uuid AND c.state = 'open'
  FOR NO KEY UPDATE`;

const SETTLED = `, settled AS (
  UPDATE channel_calls SET state = $19::text, outcome = $20::jsonb, settled_at = now() FROM hold WHERE id = $18::uuid
)`;

const MOVE = statement(UNMOVED_HOLD, '');
const MOVE_AND_SETTLE = statement(UNMOVED_HOLD_AND_CALL, SETTLED);

export interface Move {
  /** The state it was computed from. */
  readonly before: Hold;
  readonly next: Hold;
  /** How many events the hold had then. */
  readonly eventSequence: number;
  readonly events: readonly ObjectEvent[];
  readonly declineCode?: string | undefined;
  readonly cancelReason?: string | undefined;
  readonly settles?: CallEnd | undefined;
}

/** @returns undefined when the hold has moved on or the call is settled: nothing was written. Else the notifications added */
export async function moveHold(q: Queryable, move: Move): Promise<{ told: number } | undefined> {
  const { before, next, events, settles } = move;
  const values = [
    before.merchantId,
    before.preAuthNo,
    before.version,
    next.status,
    next.channelPreAuthNo,
    next.amountCapturable,
    next.amountCaptured,
    new Date(next.expiresAtMs),
    next.warnedAtMs === null ? null : new Date(next.warnedAtMs),
    next.needsAttention,
    events.length,
    move.declineCode ?? null,
    move.cancelReason ?? null,
    isClosed(next.status),
    before.orderNo,
    eventsParameter(events),
    move.eventSequence,
  ];
  const { rows } = await (settles === undefined
    ? q.query<{ moved: boolean; told: number }>(MOVE, values)
    : q.query<{ moved: boolean; told: number }>(MOVE_AND_SETTLE, [
        ...values,
        settles.callId,
        settles.state,
        settles.outcome,
      ]));
  return rows[0]?.moved === true ? { told: rows[0].told } : undefined;
}
