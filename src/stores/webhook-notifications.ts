/**
 * Notifications as their merchant sees and steers them. Every change of a status is made under the lock of the endpoint's
 * row (lockEndpoint), as the relay and the retries do. A live lease means that somebody is sending the notification: its
 * status is left to whoever that is.
 */
import type { WebhookEvent } from '../domain/webhook/events';
import { microsOf, sinceEpoch } from './page';
import type { Page } from './page';
import type { Queryable } from './postgres';

export const NOTIFICATION_STATUSES = ['pending', 'retrying', 'success', 'failed'] as const;
export type NotificationStatus = (typeof NOTIFICATION_STATUSES)[number];

export interface NotificationRow {
  readonly id: string;
  readonly event_id: string;
  readonly endpoint_id: string;
  readonly payment_no: string;
  readonly event: WebhookEvent;
  readonly url: string;
  readonly status: NotificationStatus;
  readonly attempts: number;
  readonly max_attempts: number;
  readonly status_code: number | null;
  readonly error: string | null;
  readonly next_retry_at: Date;
  readonly last_attempt_at: Date | null;
  readonly succeeded_at: Date | null;
  readonly failed_at: Date | null;
  readonly created_at: Date;
  readonly created_at_micros: number;
}

const COLUMNS = `id, event_id, endpoint_id, payment_no, event, url, status, attempts, max_attempts, status_code, error,
  next_retry_at, last_attempt_at, succeeded_at, failed_at, created_at, ${microsOf('created_at')} AS created_at_micros`;

export interface NotificationFilter {
  readonly merchantId: string;
  readonly endpointId?: string | undefined;
  readonly paymentNo?: string | undefined;
  readonly status?: NotificationStatus | undefined;
  readonly event?: WebhookEvent | undefined;
  readonly createdFrom?: Date | undefined;
  readonly createdTo?: Date | undefined;
}

// Three texts instead of one, so that the plan follows the index of whatever narrows the list most.
const listBy = (narrowed: string) => `
SELECT ${COLUMNS} FROM webhook_notifications
WHERE merchant_id = $1 AND ${narrowed}
  AND ($4::text IS NULL OR status = $4)
  AND ($5::text IS NULL OR event = $5)
  AND ($6::timestamptz IS NULL OR created_at >= $6)
  AND ($7::timestamptz IS NULL OR created_at < $7)
  AND ($8::bigint IS NULL OR (created_at, id) < (${sinceEpoch('$8')}, $9::uuid))
ORDER BY created_at DESC, id DESC LIMIT $10`;

const LIST_BY_PAYMENT = listBy(`payment_no = $3::text AND ($2::uuid IS NULL OR endpoint_id = $2)`);
const LIST_BY_ENDPOINT = listBy(`endpoint_id = $2::uuid AND $3::text IS NULL`);
const LIST_ALL = listBy(`$2::uuid IS NULL AND $3::text IS NULL`);

/** Newest first. A cursor names the last row seen, so that inserts never shift a page. */
export async function listNotifications(
  q: Queryable,
  filter: NotificationFilter,
  page: Page,
): Promise<NotificationRow[]> {
  const byEndpoint = filter.endpointId === undefined ? LIST_ALL : LIST_BY_ENDPOINT;
  const text = filter.paymentNo === undefined ? byEndpoint : LIST_BY_PAYMENT;
  const result = await q.query<NotificationRow>(text, [
    filter.merchantId,
    filter.endpointId ?? null,
    filter.paymentNo ?? null,
    filter.status ?? null,
    filter.event ?? null,
    filter.createdFrom ?? null,
    filter.createdTo ?? null,
    page.after?.micros ?? null,
    page.after?.id ?? null,
    page.limit,
  ]);
  return result.rows;
}

export type NotificationDetail = NotificationRow & {
  /** The body as it is sent, parsed. */
  readonly payload: Readonly<Record<string, unknown>>;
  readonly response: string | null;
};

const FIND = `SELECT ${COLUMNS}, payload, response FROM webhook_notifications WHERE id = $1 AND merchant_id = $2`;

/** undefined for another merchant's notification. */
export async function findNotification(
  q: Queryable,
  merchantId: string,
  id: string,
): Promise<NotificationDetail | undefined> {
  return (await q.query<NotificationDetail>(FIND, [id, merchantId])).rows[0];
}

const FIND_BY_EVENT = `SELECT ${COLUMNS} FROM webhook_notifications WHERE event_id = $1 AND endpoint_id = $2`;

/** The one notification of this event to this endpoint. */
export async function findNotificationOfEvent(
  q: Queryable,
  eventId: string,
  endpointId: string,
): Promise<NotificationRow | undefined> {
  return (await q.query<NotificationRow>(FIND_BY_EVENT, [eventId, endpointId])).rows[0];
}

export interface AttemptRow {
  readonly attempt: number;
  readonly kind: 'first' | 'retry' | 'probe';
  readonly started_at: Date;
  readonly duration_ms: number;
  readonly status_code: number | null;
  readonly error: string | null;
  readonly response: string | null;
}

const ATTEMPTS = `
SELECT attempt, kind, started_at, duration_ms, status_code, error, response FROM webhook_attempts
WHERE notification_id = $1 ORDER BY id DESC LIMIT $2`;

/** The newest `limit` attempts, newest first: probes of a dead endpoint come in any number. */
export async function listAttempts(
  q: Queryable,
  notificationId: string,
  limit: number,
): Promise<AttemptRow[]> {
  return (await q.query<AttemptRow>(ATTEMPTS, [notificationId, limit])).rows;
}

const NOT_LEASED = `NOT EXISTS (SELECT 1 FROM webhook_leases l WHERE l.notification_id = n.id AND l.until > now())`;

const RETRY = `
UPDATE webhook_notifications n SET next_retry_at = now(), updated_at = now(),
  status = CASE WHEN status = 'failed' THEN 'pending' ELSE status END,
  attempts = CASE WHEN status = 'failed' THEN 0 ELSE attempts END, failed_at = NULL
WHERE id = $1 AND (status = 'failed' OR (status IN ('pending', 'retrying') AND ${NOT_LEASED}))`;

/**
 * Makes one notification due now; one that was given up begins anew. Nothing is changed when it is delivered, or being
 * sent at this moment. The caller holds its endpoint's lock.
 */
export async function retryNotification(tx: Queryable, id: string): Promise<void> {
  await tx.query(RETRY, [id]);
}

const RECOVER = `
WITH batch AS (
  SELECT n.id FROM webhook_notifications n
  WHERE n.endpoint_id = $1 AND n.status = 'failed' AND n.created_at >= $2 AND ${NOT_LEASED}
  ORDER BY n.created_at, n.id LIMIT $3
), locked AS MATERIALIZED (
  SELECT id FROM webhook_notifications WHERE id IN (SELECT id FROM batch) AND status = 'failed' ORDER BY id FOR NO KEY UPDATE
)
UPDATE webhook_notifications n SET status = 'pending', attempts = 0, next_retry_at = now(), failed_at = NULL, updated_at = now()
FROM locked WHERE n.id = locked.id
RETURNING n.created_at`;

export interface RecoveredBatch {
  readonly count: number;
  /** Where the next batch begins: nothing older than this is left. */
  readonly reached: Date;
}

/** Takes back the oldest `limit` given-up notifications created at or after `since`. The caller holds the endpoint's lock. */
export async function recoverNotifications(
  tx: Queryable,
  endpointId: string,
  since: Date,
  limit: number,
): Promise<RecoveredBatch> {
  const { rows } = await tx.query<{ created_at: Date }>(RECOVER, [endpointId, since, limit]);
  const reachedMs = rows.reduce((latest, row) => Math.max(latest, row.created_at.getTime()), since.getTime());
  return { count: rows.length, reached: new Date(reachedMs) };
}

const ANY_FAILED = `
SELECT 1 FROM webhook_notifications n
WHERE n.endpoint_id = $1 AND n.status = 'failed' AND n.created_at >= $2 AND ${NOT_LEASED} LIMIT 1`;

/** Whether recoverNotifications would find anything. */
export async function hasFailed(q: Queryable, endpointId: string, since: Date): Promise<boolean> {
  return (await q.query(ANY_FAILED, [endpointId, since])).rowCount === 1;
}
