/** What operators and the sweep do to notifications, apart from delivering them. Every statement is bounded and may run twice. */
import type { EndReason } from '../domain/webhook/delivery-policy';
import { withTransaction } from './postgres';
import type { Database, Queryable } from './postgres';

/** What a row says that needs its workflow. */
export interface OverdueRetry {
  readonly notificationId: string;
  readonly merchantId: string;
  readonly paymentNo: string;
  readonly event: string;
  readonly endpointHost: string;
  readonly attempts: number;
  readonly maxAttempts: number;
  readonly nextRetryAtMs: number;
}

interface OverdueRow {
  id: string;
  merchant_id: string;
  payment_no: string;
  event: string;
  url: string;
  attempts: number;
  max_attempts: number;
  next_retry_at: Date;
}

const OVERDUE = `
SELECT n.id, n.merchant_id, n.payment_no, n.event, n.attempts, n.max_attempts, n.next_retry_at,
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
    nextRetryAtMs: row.next_retry_at.getTime(),
  }));
}

const RELEASE = 'DELETE FROM webhook_leases WHERE notification_id = $1 AND token = $2';

/** Lets go of a lease without an outcome; somebody else's stays. */
export async function releaseLease(q: Queryable, notificationId: string, token: string): Promise<void> {
  await q.query(RELEASE, [notificationId, token]);
}

export interface GivenUp {
  readonly notificationId: string;
  readonly merchantId: string;
  readonly paymentNo: string;
  readonly event: string;
  readonly attempts: number;
  readonly statusCode: number | null;
  readonly error: string | null;
  readonly failedAtMs: number;
}

const BY_OPERATOR: EndReason = 'GIVEN_UP_BY_OPERATOR';
const MAX_ERROR_LENGTH = 200;

// The endpoint before the row, as everywhere: whoever changes the status of an endpoint's rows holds the endpoint.
const LOCK_ENDPOINT_OF = `
SELECT 1 FROM webhook_endpoints
WHERE id = (SELECT endpoint_id FROM webhook_notifications WHERE id = $1) FOR NO KEY UPDATE`;

const GIVE_UP = `
UPDATE webhook_notifications SET status = 'failed', failed_at = now(), updated_at = now(), error = $2
WHERE id = $1 AND status IN ('pending', 'retrying')`;

const READ_GIVEN_UP = `
SELECT merchant_id, payment_no, event, attempts, status, status_code, error, failed_at FROM webhook_notifications WHERE id = $1`;

interface GivenUpRow {
  merchant_id: string;
  payment_no: string;
  event: string;
  attempts: number;
  status: string;
  status_code: number | null;
  error: string | null;
  failed_at: Date | null;
}

/**
 * Ends a notification by an operator's word, which is kept in the row's error.
 * @returns the status it has now, which it may have had before, and what was given up; undefined when the row is gone
 */
export async function giveUpNotification(
  db: Database,
  notificationId: string,
  reason: string,
): Promise<{ status: string; givenUp: GivenUp | null } | undefined> {
  const { rows } = await withTransaction(db, async (tx) => {
    await tx.query(LOCK_ENDPOINT_OF, [notificationId]);
    await tx.query(GIVE_UP, [notificationId, errorText(reason)]);
    return tx.query<GivenUpRow>(READ_GIVEN_UP, [notificationId]);
  });
  const [row] = rows;
  if (row === undefined) return undefined;
  const { status, failed_at: failedAt, error } = row;
  const isOurs = failedAt !== null && (error ?? '').startsWith(BY_OPERATOR);
  return { status, givenUp: isOurs ? givenUpOf(notificationId, row, failedAt) : null };
}

function givenUpOf(notificationId: string, row: GivenUpRow, failedAt: Date): GivenUp {
  return {
    notificationId,
    merchantId: row.merchant_id,
    paymentNo: row.payment_no,
    event: row.event,
    attempts: row.attempts,
    statusCode: row.status_code,
    error: row.error,
    failedAtMs: failedAt.getTime(),
  };
}

/** PostgreSQL takes no NUL, and nobody wants to read the other control characters. */
function errorText(reason: string): string {
  const text = reason.replace(/\p{Cc}+/gu, ' ').trim();
  return (text === '' ? BY_OPERATOR : `${BY_OPERATOR}: ${text}`).slice(0, MAX_ERROR_LENGTH);
}

const LOCK_DISABLED = `
SELECT e.id FROM webhook_endpoints e
WHERE NOT e.enabled AND e.deleted_at IS NULL AND e.disabled_at < now() - make_interval(secs => $1::float8)
  AND EXISTS (SELECT 1 FROM webhook_notifications n WHERE n.endpoint_id = e.id AND ((n.status = 'pending' AND n.attempts = 0) OR (n.status = 'pending' AND n.attempts > 0) OR n.status = 'retrying')
              AND n.created_at < now() - make_interval(secs => $1::float8))
ORDER BY e.disabled_at
LIMIT 1
FOR NO KEY UPDATE OF e SKIP LOCKED`;

const FAIL_WAITING = `
UPDATE webhook_notifications SET status = 'failed', failed_at = now(), updated_at = now(), error = $4
WHERE id IN (
  SELECT id FROM webhook_notifications
  WHERE endpoint_id = $2 AND ((status = 'pending' AND attempts = 0) OR (status = 'pending' AND attempts > 0) OR status = 'retrying') AND created_at < now() - make_interval(secs => $1::float8)
  ORDER BY created_at LIMIT $3
  FOR UPDATE SKIP LOCKED)`;

const DISABLED_TOO_LONG: EndReason = 'DISABLED_TOO_LONG';

/**
 * Ends notifications that wait at one disabled endpoint for longer than `seconds`, since they were made or since it was
 * disabled, whichever was later.
 * @returns how many, at most `limit`; 0 when there are none at any endpoint
 */
export async function failDisabledTooLong(db: Database, seconds: number, limit: number): Promise<number> {
  return withTransaction(db, async (tx) => {
    const { rows } = await tx.query<{ id: string }>(LOCK_DISABLED, [seconds]);
    const [endpoint] = rows;
    if (endpoint === undefined) return 0;
    const failed = await tx.query(FAIL_WAITING, [seconds, endpoint.id, limit, DISABLED_TOO_LONG]);
    return failed.rowCount ?? 0;
  });
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
