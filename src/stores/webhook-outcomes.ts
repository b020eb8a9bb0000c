/** Outcomes of attempts, written in batches: successes in one statement, failures per endpoint under its lock. */
import type { AttemptResult, EndpointKind, EndReason } from '../domain/webhook/delivery-policy';
import type { EndpointHealth } from '../domain/webhook/gate';
import { planEachTime } from './postgres';
import type { Queryable } from './postgres';
import type { DeliveryKind, DeliveryLease } from './webhook-leases';

/** One attempt that was made, as the stores write it. */
export interface Attempted {
  readonly lease: DeliveryLease;
  readonly result: AttemptResult;
}

const attemptArrays = (attempts: readonly Attempted[]) => [
  attempts.map(({ lease }) => lease.job.notificationId),
  attempts.map(({ lease }) => lease.token),
  attempts.map(({ lease }) => lease.job.attempt),
  attempts.map(({ lease }): DeliveryKind => lease.kind),
  attempts.map(({ lease }) => lease.job.url),
  attempts.map(({ result }) => new Date(result.startedAtMs)),
  attempts.map(({ result }) => Math.round(result.durationMs)),
  attempts.map(({ result }) => result.statusCode),
  attempts.map(({ result }) => result.response),
  attempts.map(({ result }) => result.error),
];

const GIVEN = `given AS (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::timestamptz[], $7::int[], $8::int[],
    $9::text[], $10::text[]) AS g (id, token, attempt, kind, url, started_at, duration_ms, status_code, response, error)
)`;
const LOG_ATTEMPT = `INSERT INTO webhook_attempts
    (notification_id, attempt, kind, url, started_at, duration_ms, status_code, response, error)
  SELECT g.id, g.attempt, g.kind, g.url, g.started_at, g.duration_ms, g.status_code, g.response, g.error FROM given g`;

// When it was tried, by the clock that gates endpoints: a probe chooses by what was tried since. (The log keeps the time
// of whoever sent it, for people.)
const TRIED_AT = `now() - g.duration_ms * interval '1 millisecond'`;

// A success counts whoever holds the lease by now: the merchant has been told, nothing can take that back. No lock of
// the endpoint is taken, so the rows are locked in the order of their ids, as everywhere.
const SUCCESSES = planEachTime(`
WITH ${GIVEN}, released AS (
  DELETE FROM webhook_leases l USING given g WHERE l.notification_id = g.id AND l.token = g.token
), locked AS MATERIALIZED (
  SELECT id FROM webhook_notifications WHERE id = ANY ($1::uuid[]) AND status <> 'success' ORDER BY id FOR NO KEY UPDATE
), done AS (
  UPDATE webhook_notifications n SET status = 'success', attempts = greatest(n.attempts + 1, g.attempt),
    status_code = g.status_code, response = g.response, error = NULL, succeeded_at = now(), failed_at = NULL,
    last_attempt_at = ${TRIED_AT}, updated_at = now()
  FROM given g JOIN locked ON locked.id = g.id WHERE n.id = g.id AND n.status <> 'success'
  RETURNING n.id, n.endpoint_id, n.attempts
), logged AS (
  ${LOG_ATTEMPT} JOIN done ON done.id = g.id
)
SELECT d.id, d.attempts, d.endpoint_id, e.gated_at IS NOT NULL AS opens_gate, e.failures_in_row > 0 OR e.ramp IS NOT NULL
  OR coalesce(e.last_success_at < now() - interval '2 seconds', true) AS heals
FROM done d JOIN webhook_endpoints e ON e.id = d.endpoint_id`);

export interface RecordedSuccess {
  id: string;
  attempts: number;
  endpoint_id: string;
  opens_gate: boolean;
  /** What stands in the endpoint's row of its health must follow. */
  heals: boolean;
}

/** @returns those that were not known to have succeeded before */
export async function recordSuccesses(
  q: Queryable,
  attempts: readonly Attempted[],
): Promise<RecordedSuccess[]> {
  return (await q.query<RecordedSuccess>(SUCCESSES, attemptArrays(attempts))).rows;
}

export interface LockedEndpoint extends EndpointHealth {
  readonly id: string;
  readonly merchantId: string;
  readonly kind: EndpointKind;
  readonly url: string;
  readonly enabled: boolean;
  readonly deleted: boolean;
  readonly gated: boolean;
  readonly ramp: number | null;
  /** How many of its notifications a workflow carries. */
  readonly inRetry: number;
  /** By the clock of the database, which all its other times are of. */
  readonly nowMs: number;
}

interface EndpointRow {
  id: string;
  merchant_id: string;
  kind: EndpointKind;
  url: string;
  enabled: boolean;
  deleted: boolean;
  gated: boolean;
  ramp: number | null;
  failures_in_row: number;
  failing_since: Date | null;
  last_success_at: Date | null;
  now: Date;
}

const LOCK = `
SELECT id, merchant_id, kind, url, enabled, deleted_at IS NOT NULL AS deleted, gated_at IS NOT NULL AS gated, ramp,
  failures_in_row, failing_since, last_success_at, now() AS now
FROM webhook_endpoints WHERE id = $1 FOR NO KEY UPDATE`;
const IN_RETRY = `SELECT count(*) AS n FROM webhook_notifications WHERE endpoint_id = $1 AND status = 'retrying'`;

/** The endpoint under its lock, with what every decision about it needs. */
export async function lockEndpointHealth(tx: Queryable, endpointId: string): Promise<LockedEndpoint> {
  const row = (await tx.query<EndpointRow>(LOCK, [endpointId])).rows[0];
  if (row === undefined) throw new Error(`there is no webhook endpoint ${endpointId}`);
  const inRetry = (await tx.query<{ n: number }>(IN_RETRY, [endpointId])).rows[0]?.n ?? 0;
  return {
    id: row.id,
    merchantId: row.merchant_id,
    kind: row.kind,
    url: row.url,
    enabled: row.enabled,
    deleted: row.deleted,
    gated: row.gated,
    ramp: row.ramp,
    failuresInRow: row.failures_in_row,
    failingSinceMs: row.failing_since?.getTime() ?? null,
    lastSuccessAtMs: row.last_success_at?.getTime() ?? null,
    inRetry,
    nowMs: row.now.getTime(),
  };
}

const TAKE_BACK = `
WITH given AS (SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS g (id, token)), released AS (
  DELETE FROM webhook_leases l USING given g WHERE l.notification_id = g.id AND l.token = g.token RETURNING l.notification_id AS id
)
SELECT n.id, n.merchant_id, n.payment_no, n.event, n.status, n.attempts, n.max_attempts
FROM webhook_notifications n JOIN released r ON r.id = n.id ORDER BY n.id FOR NO KEY UPDATE OF n`;

export interface LeasedState {
  id: string;
  merchant_id: string;
  payment_no: string;
  event: string;
  status: 'pending' | 'success' | 'failed' | 'retrying';
  attempts: number;
  max_attempts: number;
}

/** Ends the leases of these attempts. @returns the rows whose lease was still theirs: only those attempts count */
export async function takeBackLeases(tx: Queryable, attempts: readonly Attempted[]): Promise<LeasedState[]> {
  const ids = attempts.map(({ lease }) => lease.job.notificationId);
  const tokens = attempts.map(({ lease }) => lease.token);
  return (await tx.query<LeasedState>(TAKE_BACK, [ids, tokens])).rows;
}

/** What a failed attempt makes of its notification. */
export interface FailureWrite {
  readonly attempted: Attempted;
  readonly status: 'pending' | 'retrying' | 'failed';
  readonly attempts: number;
  /** From now until the next attempt; null leaves that as it is. */
  readonly pauseMs: number | null;
  /** Why it ended, where the attempt does not say it. */
  readonly endReason: EndReason | null;
}

const FAILURES = `
WITH ${GIVEN}, verdict AS (
  SELECT * FROM unnest($1::uuid[], $11::text[], $12::int[], $13::float8[], $14::text[])
    AS v (id, status, attempts, pause_ms, end_reason)
), written AS (
  UPDATE webhook_notifications n SET status = v.status, attempts = v.attempts, status_code = g.status_code,
    response = g.response, error = coalesce(v.end_reason, g.error),
    next_retry_at = coalesce(now() + v.pause_ms * interval '1 millisecond', n.next_retry_at),
    failed_at = CASE WHEN v.status = 'failed' THEN now() END, last_attempt_at = ${TRIED_AT}, updated_at = now()
  FROM given g JOIN verdict v ON v.id = g.id WHERE n.id = g.id AND n.status IN ('pending', 'retrying')
)
${LOG_ATTEMPT}`;

export async function writeFailures(tx: Queryable, writes: readonly FailureWrite[]): Promise<void> {
  if (writes.length === 0) return;
  await tx.query(FAILURES, [
    ...attemptArrays(writes.map(({ attempted }) => attempted)),
    writes.map(({ status }) => status),
    writes.map(({ attempts }) => attempts),
    writes.map(({ pauseMs }) => pauseMs),
    writes.map(({ endReason }) => endReason),
  ]);
}
