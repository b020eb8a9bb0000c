/**
 * Ends of notifications that no attempt decided: their endpoint was deleted, or disabled for too long, or an operator gave
 * them up. One statement writes them all, row.error included, and every caller gets what it ended, to be noted
 * where operators look first (FailedWebhook).
 */
import type { EndReason } from '../domain/webhook/delivery-policy';
import type { FailedWebhook } from '../domain/webhook/failed';
import { appendOperatorWord, deliveryWord } from './admin-audit';
import { withTransaction } from './postgres';
import type { Database, Queryable } from './postgres';

const ENDPOINT_DELETED: EndReason = 'ENDPOINT_DELETED';
const DISABLED_TOO_LONG: EndReason = 'DISABLED_TOO_LONG';
const BY_OPERATOR: EndReason = 'GIVEN_UP_BY_OPERATOR';
const MAX_ERROR_LENGTH = 200;

// `batch` has the ids. Locked in the order of the ids, like every statement that takes several of these rows: in any
// other order two of them could wait for each other.
const END_BATCH = (error: string) => `
, locked AS MATERIALIZED (
  SELECT n.id, n.status = 'retrying' AS was_retrying FROM webhook_notifications n
  WHERE n.id IN (SELECT id FROM batch) AND n.status IN ('pending', 'retrying')
  ORDER BY n.id FOR NO KEY UPDATE
)
UPDATE webhook_notifications n SET status = 'failed', failed_at = now(), updated_at = now(), error = ${error}
FROM locked WHERE n.id = locked.id
RETURNING n.id, n.merchant_id, n.payment_no, n.event, n.attempts, n.status, n.status_code, n.error, n.failed_at,
  locked.was_retrying`;

interface EndedRow {
  id: string;
  merchant_id: string;
  payment_no: string;
  event: string;
  attempts: number;
  status: string;
  status_code: number | null;
  error: string | null;
  failed_at: Date | null;
  was_retrying: boolean;
}

export interface EndedNotifications {
  readonly failed: readonly FailedWebhook[];
  /** Those a workflow carries, which may be told to look at its row and end. */
  readonly retryingIds: readonly string[];
}

function endedOf(rows: readonly EndedRow[]): EndedNotifications {
  return {
    failed: rows.map(failedOf),
    retryingIds: rows.filter((row) => row.was_retrying).map((row) => row.id),
  };
}

function failedOf(row: EndedRow): FailedWebhook {
  return {
    notificationId: row.id,
    merchantId: row.merchant_id,
    paymentNo: row.payment_no,
    event: row.event,
    attempts: row.attempts,
    statusCode: row.status_code,
    error: row.error,
    failedAtMs: row.failed_at?.getTime() ?? 0,
  };
}

const NOT_LEASED = `NOT EXISTS (SELECT 1 FROM webhook_leases l WHERE l.notification_id = n.id AND l.until > now())`;

// Each status by itself and never-tried apart from tried, as the partial indexes have them: an endpoint with a million
// delivered rows costs no more than one with none.
const waitingOf = (endpoint: string, limit: string) => `
  (SELECT n.id FROM webhook_notifications n
   WHERE n.endpoint_id = ${endpoint} AND n.status = 'pending' AND n.attempts = 0 AND ${NOT_LEASED} LIMIT ${limit})
  UNION ALL
  (SELECT n.id FROM webhook_notifications n
   WHERE n.endpoint_id = ${endpoint} AND n.status = 'pending' AND n.attempts > 0 AND ${NOT_LEASED} LIMIT ${limit})
  UNION ALL
  (SELECT n.id FROM webhook_notifications n
   WHERE n.endpoint_id = ${endpoint} AND n.status = 'retrying' AND ${NOT_LEASED} LIMIT ${limit})`;

const END_WAITING = `
WITH batch AS (SELECT id FROM (${waitingOf('$2', '$3')}) AS waiting LIMIT $3) ${END_BATCH('$1')}`;

/** Ends waiting notifications of an endpoint that is being deleted, at most `limit`. The caller holds its lock. */
export async function endWaiting(
  tx: Queryable,
  endpointId: string,
  limit: number,
): Promise<EndedNotifications> {
  return endedOf((await tx.query<EndedRow>(END_WAITING, [ENDPOINT_DELETED, endpointId, limit])).rows);
}

// The locks are taken before the batch is read from the endpoints that were locked. Several sweeps pass each other by.
const END_OF_DELETED = `
WITH gone AS (
  SELECT e.id FROM webhook_endpoints e WHERE e.deleted_at IS NOT NULL AND (
    EXISTS (SELECT 1 FROM webhook_notifications n WHERE n.endpoint_id = e.id AND n.status = 'pending' AND n.attempts = 0 AND ${NOT_LEASED}) OR
    EXISTS (SELECT 1 FROM webhook_notifications n WHERE n.endpoint_id = e.id AND n.status = 'pending' AND n.attempts > 0 AND ${NOT_LEASED}) OR
    EXISTS (SELECT 1 FROM webhook_notifications n WHERE n.endpoint_id = e.id AND n.status = 'retrying' AND ${NOT_LEASED}))
  LIMIT 20 FOR NO KEY UPDATE SKIP LOCKED
), batch AS (
  SELECT waiting.id FROM gone CROSS JOIN LATERAL (${waitingOf('gone.id', '$2')}) AS waiting LIMIT $2
) ${END_BATCH('$1')}`;

/**
 * Ends waiting notifications of deleted endpoints, at most `limit`: what a deletion left over, and what was appended in
 * transactions that did not see it yet. Takes the endpoints' locks itself.
 */
export async function failDeletedEndpoints(q: Queryable, limit: number): Promise<EndedNotifications> {
  return endedOf((await q.query<EndedRow>(END_OF_DELETED, [ENDPOINT_DELETED, limit])).rows);
}

const END_ONE = `WITH batch AS (SELECT $2::uuid AS id) ${END_BATCH('$1')}`;

/** Ends one notification whose endpoint is deleted. The caller holds the endpoint's lock. */
export async function endWithEndpoint(tx: Queryable, notificationId: string): Promise<EndedNotifications> {
  return endedOf((await tx.query<EndedRow>(END_ONE, [ENDPOINT_DELETED, notificationId])).rows);
}

// A row that waits, in the words of the partial indexes.
const WAITS = `((n.status = 'pending' AND n.attempts = 0) OR (n.status = 'pending' AND n.attempts > 0) OR n.status = 'retrying')`;

const LOCK_DISABLED = `
SELECT e.id FROM webhook_endpoints e
WHERE NOT e.enabled AND e.deleted_at IS NULL AND e.disabled_at < now() - make_interval(secs => $1::float8)
  AND EXISTS (SELECT 1 FROM webhook_notifications n WHERE n.endpoint_id = e.id AND ${WAITS}
              AND n.created_at < now() - make_interval(secs => $1::float8))
ORDER BY e.disabled_at
LIMIT 1
FOR NO KEY UPDATE OF e SKIP LOCKED`;

const END_DISABLED = `
WITH batch AS (
  SELECT n.id FROM webhook_notifications n
  WHERE n.endpoint_id = $3 AND ${WAITS} AND n.created_at < now() - make_interval(secs => $2::float8)
  ORDER BY n.created_at LIMIT $4
) ${END_BATCH('$1')}`;

/**
 * Ends notifications that wait at one disabled endpoint for longer than `seconds`, since they were made or since it was
 * disabled, whichever was later; at most `limit`, and none when there are none at any endpoint.
 */
export async function failDisabledTooLong(
  db: Database,
  seconds: number,
  limit: number,
): Promise<EndedNotifications> {
  return withTransaction(db, async (tx) => {
    const [endpoint] = (await tx.query<{ id: string }>(LOCK_DISABLED, [seconds])).rows;
    if (endpoint === undefined) return endedOf([]);
    const values = [DISABLED_TOO_LONG, seconds, endpoint.id, limit];
    return endedOf((await tx.query<EndedRow>(END_DISABLED, values)).rows);
  });
}

// The endpoint before the row, as everywhere: whoever changes the status of an endpoint's rows holds the endpoint.
const LOCK_ENDPOINT_OF = `
SELECT 1 FROM webhook_endpoints
WHERE id = (SELECT endpoint_id FROM webhook_notifications WHERE id = $1) FOR NO KEY UPDATE`;

const READ_ENDED = `
SELECT id, merchant_id, payment_no, event, attempts, status, status_code, error, failed_at, false AS was_retrying
FROM webhook_notifications WHERE id = $1`;

/**
 * Ends a notification by an operator's word, which is kept in the row's error.
 * @returns the status it has now, which it may have had before, and what was given up; undefined when the row is gone
 */
export async function giveUpNotification(
  db: Database,
  notificationId: string,
  reason: string,
): Promise<{ status: string; givenUp: FailedWebhook | null } | undefined> {
  const { rows } = await withTransaction(db, async (tx) => {
    await tx.query(LOCK_ENDPOINT_OF, [notificationId]);
    const ended = await tx.query(END_ONE, [errorText(reason), notificationId]);
    if (ended.rowCount === 1) await appendOperatorWord(tx, deliveryWord('give_up', notificationId, 'failed'));
    return tx.query<EndedRow>(READ_ENDED, [notificationId]);
  });
  const [row] = rows;
  if (row === undefined) return undefined;
  const isOurs = row.failed_at !== null && (row.error ?? '').startsWith(BY_OPERATOR);
  return { status: row.status, givenUp: isOurs ? failedOf(row) : null };
}

/** PostgreSQL takes no NUL, and nobody wants to read the other control characters. */
function errorText(reason: string): string {
  const text = reason.replace(/\p{Cc}+/gu, ' ').trim();
  return (text === '' ? BY_OPERATOR : `${BY_OPERATOR}: ${text}`).slice(0, MAX_ERROR_LENGTH);
}
