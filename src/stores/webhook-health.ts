/** How an endpoint fares: counts with a ceiling, so that the question costs the same for an endpoint of any size. */
import type { Queryable } from './postgres';

/** Counts stop here, and say so. */
export const COUNT_CEILING = 10_000;
export const HEALTH_WINDOW_HOURS = 24;

export interface BoundedCount {
  readonly count: number;
  /** True: there are more than `count`. */
  readonly more: boolean;
}

export interface DeliveryHealth {
  /** Attempts of the last 24 h at the newest 10 000 notifications; `more`: there are older notifications besides. */
  readonly attempts: BoundedCount;
  readonly successes: number;
  readonly waiting: BoundedCount;
  readonly inRetry: BoundedCount;
}

// One more than the ceiling of each, to know whether it was reached.
const HEALTH = `
WITH newest AS MATERIALIZED (
  SELECT id FROM webhook_notifications WHERE endpoint_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2::int
), tried AS (
  SELECT count(*)::int AS attempts, count(*) FILTER (WHERE a.error IS NULL AND a.status_code BETWEEN 200 AND 299)::int AS successes
  FROM newest JOIN webhook_attempts a ON a.notification_id = newest.id
  WHERE a.started_at > now() - interval '${HEALTH_WINDOW_HOURS} hours'
), waiting AS (
  SELECT 1 FROM (
    (SELECT 1 FROM webhook_notifications WHERE endpoint_id = $1 AND status = 'pending' AND attempts = 0 LIMIT $2::int + 1)
    UNION ALL
    (SELECT 1 FROM webhook_notifications WHERE endpoint_id = $1 AND status = 'pending' AND attempts > 0 LIMIT $2::int + 1)
  ) AS pending LIMIT $2::int + 1
), in_retry AS (
  SELECT 1 FROM webhook_notifications WHERE endpoint_id = $1 AND status = 'retrying' LIMIT $2::int + 1
)
SELECT attempts, successes, (SELECT count(*)::int FROM newest) AS looked_at,
  (SELECT count(*)::int FROM waiting) AS waiting, (SELECT count(*)::int FROM in_retry) AS in_retry
FROM tried`;

interface HealthRow {
  attempts: number;
  successes: number;
  looked_at: number;
  waiting: number;
  in_retry: number;
}

export async function readHealth(q: Queryable, endpointId: string): Promise<DeliveryHealth> {
  const row = (await q.query<HealthRow>(HEALTH, [endpointId, COUNT_CEILING])).rows[0];
  if (row === undefined) throw new Error('the health of a webhook endpoint gave no row');
  return {
    attempts: { count: row.attempts, more: row.looked_at >= COUNT_CEILING },
    successes: row.successes,
    waiting: bounded(row.waiting),
    inRetry: bounded(row.in_retry),
  };
}

function bounded(counted: number): BoundedCount {
  return { count: Math.min(counted, COUNT_CEILING), more: counted > COUNT_CEILING };
}
