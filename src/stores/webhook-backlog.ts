/** How the webhooks of all merchants stand, for Prometheus: counts with a ceiling, and the one that has waited longest. */
import { planEachTime } from './postgres';
import type { Queryable } from './postgres';

/** Counts stop here. */
export const BACKLOG_CEILING = 100_000;
/** Endpoints with something pending that are looked at. */
const LANES = 5_000;

export interface WebhookBacklog {
  /** Since when what has been due longest, at an endpoint that takes deliveries, is due; 0: nothing is. */
  readonly oldestWaitingSeconds: number;
  /** Tried without success, and to be tried again. */
  readonly inRetry: number;
  /** Endpoints that get probes only. */
  readonly gatedEndpoints: number;
}

// Like the relay, it leaps from one endpoint with anything pending to the next, and looks at the first of each line: what is
// first by rank is at most the bonus of its priority younger than the oldest. What waits on purpose (a gate is shut, an
// endpoint is disabled, the pause between two attempts) does not count.
const NEXT_LANE = (after: string) => `
  SELECT next.endpoint_id FROM (
    (SELECT endpoint_id FROM webhook_notifications
     WHERE status = 'pending' AND attempts = 0 AND endpoint_id > ${after} ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    (SELECT endpoint_id FROM webhook_notifications
     WHERE status = 'pending' AND attempts > 0 AND endpoint_id > ${after} ORDER BY endpoint_id LIMIT 1)
  ) next ORDER BY next.endpoint_id LIMIT 1`;

const IS_OPEN = 'e.enabled AND e.deleted_at IS NULL AND e.gated_at IS NULL';

const BACKLOG = planEachTime(`
WITH RECURSIVE visited (endpoint_id, k) AS (
  (SELECT first.endpoint_id, 1 FROM (${NEXT_LANE("'00000000-0000-0000-0000-000000000000'::uuid")}) first)
  UNION ALL
  SELECT next.endpoint_id, v.k + 1 FROM visited v CROSS JOIN LATERAL (${NEXT_LANE('v.endpoint_id')}) next
  WHERE v.k < ${LANES}
), lane AS (
  SELECT e.id FROM visited v JOIN webhook_endpoints e ON e.id = v.endpoint_id WHERE ${IS_OPEN}
), due (at) AS (
  SELECT f.created_at FROM lane CROSS JOIN LATERAL (
    SELECT n.created_at FROM webhook_notifications n
    WHERE n.endpoint_id = lane.id AND n.status = 'pending' AND n.attempts = 0 ORDER BY n.rank, n.id LIMIT 1) f
  UNION ALL
  SELECT t.next_retry_at FROM lane CROSS JOIN LATERAL (
    SELECT n.next_retry_at FROM webhook_notifications n
    WHERE n.endpoint_id = lane.id AND n.status = 'pending' AND n.attempts > 0 ORDER BY n.next_retry_at, n.id LIMIT 1) t
  UNION ALL
  (SELECT n.next_retry_at FROM webhook_notifications n JOIN webhook_endpoints e ON e.id = n.endpoint_id
   WHERE n.status = 'retrying' AND n.next_retry_at <= now() AND ${IS_OPEN} ORDER BY n.next_retry_at LIMIT 1)
)
SELECT greatest(extract(epoch FROM now() - (SELECT min(at) FROM due)), 0)::float8 AS oldest,
  (SELECT count(*)::int FROM (
    (SELECT 1 FROM webhook_notifications WHERE status = 'retrying' LIMIT $1)
    UNION ALL
    (SELECT 1 FROM webhook_notifications WHERE status = 'pending' AND attempts > 0 LIMIT $1)) r) AS in_retry,
  (SELECT count(*)::int FROM (
    SELECT 1 FROM webhook_endpoints e
    WHERE e.gated_at IS NOT NULL AND e.enabled AND e.deleted_at IS NULL LIMIT $1) g) AS gated`);

export async function readWebhookBacklog(q: Queryable): Promise<WebhookBacklog> {
  const [row] = (
    await q.query<{ oldest: number | null; in_retry: number; gated: number }>(BACKLOG, [BACKLOG_CEILING])
  ).rows;
  if (row === undefined) throw new Error('the backlog of webhooks gave no row');
  return { oldestWaitingSeconds: row.oldest ?? 0, inRetry: row.in_retry, gatedEndpoints: row.gated };
}
