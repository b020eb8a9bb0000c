/** Queries of the pick-up: live rows whose workflow must be proved to exist, and calls that were left open. */
import type { Queryable } from './postgres';

export interface LiveHold {
  merchant_id: string;
  pre_auth_no: string;
}

// Accepted, and no workflow has said a word yet: Temporal was away, or the API died before it could ask.
const UNSTARTED = `
SELECT merchant_id, pre_auth_no FROM pre_auths
WHERE closed_at IS NULL AND owner_checked_at IS NULL AND created_at < now() - interval '3 seconds' LIMIT $1`;

export async function findUnstartedHolds(q: Queryable, limit: number): Promise<LiveHold[]> {
  return (await q.query<LiveHold>(UNSTARTED, [limit])).rows;
}

// Whoever was checked longest ago comes first, so that every live row is looked at in turn.
const UNCHECKED = `
SELECT merchant_id, pre_auth_no FROM pre_auths
WHERE closed_at IS NULL AND owner_checked_at < now() - make_interval(secs => $1)
ORDER BY owner_checked_at LIMIT $2`;

export async function findUncheckedHolds(
  q: Queryable,
  olderThanSeconds: number,
  limit: number,
): Promise<LiveHold[]> {
  return (await q.query<LiveHold>(UNCHECKED, [olderThanSeconds, limit])).rows;
}

// A task that closed its hold may have died before it ended: nobody asks such a workflow anything again, so it is woken
// once, to find that it is done.
const CLOSED_UNCHECKED = `
SELECT merchant_id, pre_auth_no FROM pre_auths
WHERE closed_at IS NOT NULL AND owner_checked_at <= closed_at AND closed_at < now() - interval '5 seconds'
ORDER BY closed_at LIMIT $1`;

export async function findUncheckedClosedHolds(q: Queryable, limit: number): Promise<LiveHold[]> {
  return (await q.query<LiveHold>(CLOSED_UNCHECKED, [limit])).rows;
}

export async function markOwnerChecked(q: Queryable, hold: LiveHold): Promise<void> {
  await q.query('UPDATE pre_auths SET owner_checked_at = now() WHERE merchant_id = $1 AND pre_auth_no = $2', [
    hold.merchant_id,
    hold.pre_auth_no,
  ]);
}

// A call whose key has not been sent for a while: either its workflow is settling it, and the nudge is harmless, or the
// task that sent it never ended and nobody else knows of it. Nudged more rarely the more often it was sent, so that a
// long outage does not fill a history.
const FORGOTTEN = `
SELECT merchant_id, object_no AS pre_auth_no FROM channel_calls
WHERE state = 'open' AND object_kind = 'pre_auth'
  AND greatest(last_sent_at, asked_at) < now() - make_interval(secs => $1 * (power(2, least(greatest(attempts + asked, 1), 7)) - 1))
ORDER BY greatest(last_sent_at, asked_at) LIMIT $2`;

export async function findForgottenCalls(
  q: Queryable,
  olderThanSeconds: number,
  limit: number,
): Promise<LiveHold[]> {
  return (await q.query<LiveHold>(FORGOTTEN, [olderThanSeconds, limit])).rows;
}
