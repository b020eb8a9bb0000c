/** What the sweep takes up and what it deletes. Every statement is bounded and may run twice. */
import type { Queryable } from './postgres';

/** What a row says that needs its workflow. */
export interface OverdueRetry {
  readonly notificationId: string;
  readonly merchantId: string;
  readonly paymentNo: string;
  readonly event: string;
  readonly endpointHost: string;
  readonly attempts: number;
  readonly maxAttempts: number;
  /** It is due. */
  readonly pauseMs: 0;
}

interface OverdueRow {
  id: string;
  merchant_id: string;
  payment_no: string;
  event: string;
  url: string;
  attempts: number;
  max_attempts: number;
}

const OVERDUE = `
SELECT n.id, n.merchant_id, n.payment_no, n.event, n.attempts, n.max_attempts,
       CASE e.kind WHEN 'implicit' THEN n.url ELSE e.url END AS url
FROM webhook_notifications n JOIN webhook_endpoints e ON e.id = n.endpoint_id
WHERE n.status = 'retrying' AND n.next_retry_at < now() - make_interval(secs => $1::float8)
  AND e.gated_at IS NULL AND e.enabled AND e.deleted_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM webhook_leases l WHERE l.notification_id = n.id AND l.until > now())
ORDER BY n.next_retry_at
LIMIT $2`;

/** Retries that are due for longer than `overdueSeconds` and that nobody makes, the oldest first. */
export async function findOverdueRetries(
  q: Queryable,
  overdueSeconds: number,
  limit: number,
): Promise<OverdueRetry[]> {
  const { rows } = await q.query<OverdueRow>(OVERDUE, [overdueSeconds, limit]);
  return rows.map((row) => ({
    notificationId: row.id,
    merchantId: row.merchant_id,
    paymentNo: row.payment_no,
    event: row.event,
    endpointHost: new URL(row.url).host,
    attempts: row.attempts,
    maxAttempts: row.max_attempts,
    pauseMs: 0,
  }));
}

// The attempts go with their notification.
const DELETE_DELIVERED = `
DELETE FROM webhook_notifications WHERE id IN (
  SELECT id FROM webhook_notifications
  WHERE status = 'success' AND succeeded_at < now() - make_interval(secs => $1::float8)
  ORDER BY succeeded_at LIMIT $2
  FOR UPDATE SKIP LOCKED)`;

/** @returns how many, at most `limit` */
export async function deleteDelivered(
  q: Queryable,
  olderThanSeconds: number,
  limit: number,
): Promise<number> {
  return (await q.query(DELETE_DELIVERED, [olderThanSeconds, limit])).rowCount ?? 0;
}

// The oldest entries of the primary key, so that a table with nothing old costs one page.
const DELETE_ATTEMPTS = `
DELETE FROM webhook_attempts WHERE id IN (
  SELECT id FROM (SELECT id, started_at FROM webhook_attempts ORDER BY id LIMIT $2) oldest
  WHERE started_at < now() - make_interval(secs => $1::float8))`;

/** Attempts of whatever became of their notification, probes above all. @returns how many, at most `limit` */
export async function deleteOldAttempts(
  q: Queryable,
  olderThanSeconds: number,
  limit: number,
): Promise<number> {
  return (await q.query(DELETE_ATTEMPTS, [olderThanSeconds, limit])).rowCount ?? 0;
}

const DELETE_LEASES = `
DELETE FROM webhook_leases WHERE notification_id IN (
  SELECT notification_id FROM webhook_leases WHERE until < now() - make_interval(secs => $1::float8)
  LIMIT $2
  FOR UPDATE SKIP LOCKED)`;

/** Leases that ran out that long ago and that no claim has taken over: their notification has ended or is gone. */
export async function deleteDeadLeases(
  q: Queryable,
  olderThanSeconds: number,
  limit: number,
): Promise<number> {
  return (await q.query(DELETE_LEASES, [olderThanSeconds, limit])).rowCount ?? 0;
}

// What was given up stays for its merchant, and its endpoint with it.
const DELETE_ENDPOINTS = `
DELETE FROM webhook_endpoints WHERE id IN (
  SELECT e.id FROM webhook_endpoints e
  WHERE e.deleted_at < now() - make_interval(secs => $1::float8)
    AND NOT EXISTS (SELECT FROM webhook_notifications n WHERE n.endpoint_id = e.id)
  LIMIT $2
  FOR UPDATE SKIP LOCKED)`;

/** Endpoints that were deleted that long ago and that no notification refers to. @returns how many, at most `limit` */
export async function deleteDeletedEndpoints(
  q: Queryable,
  olderThanSeconds: number,
  limit: number,
): Promise<number> {
  return (await q.query(DELETE_ENDPOINTS, [olderThanSeconds, limit])).rowCount ?? 0;
}

/** Whether the notification still waits for its retry. */
export async function isRetrying(q: Queryable, notificationId: string): Promise<boolean> {
  const text = `SELECT 1 FROM webhook_notifications WHERE id = $1 AND status = 'retrying'`;
  return ((await q.query(text, [notificationId])).rowCount ?? 0) > 0;
}
