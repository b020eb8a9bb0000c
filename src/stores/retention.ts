/** What is kept for a time only, and deleted when it is over. Every statement is bounded and may run twice. */
import type { Queryable } from './postgres';

// The oldest entries of the primary key, so that a table with nothing old costs one page. What still waits to be processed
// stays: it becomes unmatched after three days.
const DELETE_CHANNEL_EVENTS = `
DELETE FROM channel_events WHERE id IN (
  SELECT id FROM (SELECT id, received_at, state FROM channel_events ORDER BY id LIMIT $2) oldest
  WHERE received_at < now() - make_interval(secs => $1::float8) AND state <> 'stored')`;

/** Events of channels with their bodies. @returns how many, at most `limit` */
export async function deleteOldChannelEvents(
  q: Queryable,
  olderThanSeconds: number,
  limit: number,
): Promise<number> {
  return (await q.query(DELETE_CHANNEL_EVENTS, [olderThanSeconds, limit])).rowCount ?? 0;
}

// Endpoint by endpoint, as the index of what was given up is ordered. The attempts go with their notification.
const DELETE_GIVEN_UP = `
DELETE FROM webhook_notifications WHERE id IN (
  SELECT n.id FROM webhook_endpoints e CROSS JOIN LATERAL (
    SELECT id FROM webhook_notifications
    WHERE endpoint_id = e.id AND status = 'failed' AND created_at < now() - make_interval(secs => $1::float8)
      AND failed_at < now() - make_interval(secs => $1::float8)
    ORDER BY created_at, id LIMIT $2
    FOR UPDATE SKIP LOCKED) n
  LIMIT $2)`;

/** Notifications that were given up that long ago. @returns how many, at most `limit` */
export async function deleteGivenUp(q: Queryable, olderThanSeconds: number, limit: number): Promise<number> {
  return (await q.query(DELETE_GIVEN_UP, [olderThanSeconds, limit])).rowCount ?? 0;
}
