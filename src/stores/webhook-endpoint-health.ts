/** What deliveries have shown of an endpoint, written under the lock of its row: failures, gate, ramp, switching off. */
import type { Queryable } from './postgres';

const FAILED = `
UPDATE webhook_endpoints SET failures_in_row = $2, failing_since = coalesce(failing_since, $3), last_failure_at = now(),
  last_error = $4,
  gated_at = CASE WHEN $5 THEN coalesce(gated_at, now()) ELSE gated_at END,
  next_probe_at = CASE WHEN $5 THEN coalesce(next_probe_at, now()) ELSE next_probe_at END,
  enabled = enabled AND $6::text IS NULL,
  disabled_reason = CASE WHEN enabled THEN $6::text ELSE disabled_reason END,
  disabled_at = CASE WHEN enabled AND $6::text IS NOT NULL THEN now() ELSE disabled_at END
WHERE id = $1 RETURNING disabled_at`;

export interface FailureNote {
  readonly failuresInRow: number;
  readonly failingSinceMs: number;
  /** A status code or an error code. */
  readonly lastError: string;
  /** Shuts the gate: a probe goes out at once. */
  readonly gate: boolean;
  readonly disable: 'GONE' | 'FAILING' | null;
}

/** @returns when the endpoint was switched off; null while it is on */
export async function noteFailures(
  tx: Queryable,
  endpointId: string,
  note: FailureNote,
): Promise<Date | null> {
  const { rows } = await tx.query<{ disabled_at: Date | null }>(FAILED, [
    endpointId,
    note.failuresInRow,
    new Date(note.failingSinceMs),
    note.lastError,
    note.gate,
    note.disable,
  ]);
  return rows[0]?.disabled_at ?? null;
}

const HEALED = `
WITH free AS (
  SELECT id, gated_at IS NULL AS heals FROM webhook_endpoints WHERE id = ANY ($1::uuid[]) FOR NO KEY UPDATE SKIP LOCKED
), healed AS (
  UPDATE webhook_endpoints e SET failures_in_row = 0, failing_since = NULL, last_success_at = now(),
    ramp = CASE WHEN ramp * 2 < $2 THEN ramp * 2 END
  FROM free WHERE e.id = free.id AND free.heals
)
SELECT id FROM free`;

/**
 * Notes a 2xx of each of these endpoints that is not gated; while a ramp lasts, this doubles it up to the limit. An endpoint
 * that is locked is passed over, so that nobody waits for it.
 * @returns those that were passed over
 */
export async function noteSuccesses(
  q: Queryable,
  endpointIds: readonly string[],
  limit: number,
): Promise<ReadonlySet<string>> {
  const { rows } = await q.query<{ id: string }>(HEALED, [endpointIds, limit]);
  const passedOver = new Set(endpointIds);
  for (const { id } of rows) passedOver.delete(id);
  return passedOver;
}

const OPENED = `
UPDATE webhook_endpoints SET failures_in_row = 0, failing_since = NULL, last_success_at = now(), gated_at = NULL,
  next_probe_at = NULL, probes = 0, ramp = 1
WHERE id = $1 AND gated_at IS NOT NULL`;

/** Opens the gate; the ramp begins. @returns false when it was open already */
export async function openGate(tx: Queryable, endpointId: string): Promise<boolean> {
  return (await tx.query(OPENED, [endpointId])).rowCount === 1;
}

/** Retries that wait for an endpoint which answers again; beyond this many the rest keep their own time. */
const RELEASED_AT_ONCE = 10_000;

const WAITS_FOR_ITS_TIME = `
  (n.status = 'retrying' OR (n.status = 'pending' AND n.attempts > 0 AND n.next_retry_at > now()))`;

// What was tried while the endpoint did not answer need not wait out its pause, whoever carries it. Locked in the order
// of the ids, because successes that are recorded at the same time do not wait for the endpoint's lock.
const RELEASE = `
WITH waiting AS MATERIALIZED (
  SELECT n.id, n.status FROM webhook_notifications n
  WHERE n.id IN (
      SELECT n.id FROM webhook_notifications n WHERE n.endpoint_id = $1 AND ${WAITS_FOR_ITS_TIME}
        AND NOT EXISTS (SELECT FROM webhook_leases l WHERE l.notification_id = n.id AND l.until > now())
      LIMIT ${RELEASED_AT_ONCE})
    AND ${WAITS_FOR_ITS_TIME}
  ORDER BY n.id FOR NO KEY UPDATE
), released AS (
  UPDATE webhook_notifications n SET status = 'pending', next_retry_at = now(), updated_at = now()
  FROM waiting w WHERE n.id = w.id
)
SELECT id FROM waiting WHERE status = 'retrying'`;

/**
 * Makes everything that waits for this endpoint due now and hands it to the relay.
 * @returns those that a workflow carried: wake them, they find that and end
 */
export async function releaseWaiting(tx: Queryable, endpointId: string): Promise<string[]> {
  return (await tx.query<{ id: string }>(RELEASE, [endpointId])).rows.map(({ id }) => id);
}
