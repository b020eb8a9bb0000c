/** Probes: the one delivery at a time that goes to an endpoint whose gate is shut. */
import { withTransaction } from './postgres';
import type { Database, Queryable } from './postgres';
import type { SecretBox } from './secret-box';
import type { LaneSettings } from './webhook-lanes';
import { LEASED_COLUMNS, LEASED_JOIN, leaseOf } from './webhook-leases';
import type { DeliveryLease, LeasedRow } from './webhook-leases';

const PROBES_PER_CLAIM = 20;

// An endpoint with nothing to send keeps its turn: what comes next is sent at once.
const DUE = `
SELECT e.id, e.probes FROM webhook_endpoints e
WHERE e.gated_at IS NOT NULL AND e.next_probe_at <= now() AND e.enabled AND e.deleted_at IS NULL
  AND (EXISTS (SELECT FROM webhook_notifications n WHERE n.endpoint_id = e.id AND n.status = 'pending' AND n.attempts = 0)
    OR EXISTS (SELECT FROM webhook_notifications n WHERE n.endpoint_id = e.id AND n.status = 'pending' AND n.attempts > 0)
    OR EXISTS (SELECT FROM webhook_notifications n WHERE n.endpoint_id = e.id AND n.status = 'retrying'))
ORDER BY e.next_probe_at LIMIT ${PROBES_PER_CLAIM} FOR NO KEY UPDATE OF e SKIP LOCKED`;

const IS_FREE = `NOT EXISTS (SELECT FROM webhook_leases l WHERE l.notification_id = n.id AND l.until > now())`;

// A notification that the receiver cannot digest must not keep the gate shut, whether it is the oldest or the newest: so
// the turn alternates, a newest one has its turn once, and what was tried goes to the end of its queue. Each of these
// reads the first entries of a partial index, however many rows the table has.
const NEWEST = `
SELECT n.id FROM webhook_notifications n JOIN webhook_endpoints e ON e.id = n.endpoint_id
WHERE n.endpoint_id = $1 AND n.status = 'pending' AND n.attempts = 0
  AND (n.last_attempt_at IS NULL OR n.last_attempt_at < e.gated_at) AND ${IS_FREE}
ORDER BY n.rank DESC, n.id DESC LIMIT 1`;
const NEVER_TRIED = `
SELECT n.id FROM webhook_notifications n
WHERE n.endpoint_id = $1 AND n.status = 'pending' AND n.attempts = 0 AND n.last_attempt_at IS NULL AND ${IS_FREE}
ORDER BY n.rank, n.id LIMIT 1`;
const LONGEST_AGO = `
SELECT n.id FROM webhook_notifications n
WHERE n.endpoint_id = $1 AND n.status IN ('pending', 'retrying') AND n.last_attempt_at IS NOT NULL AND ${IS_FREE}
ORDER BY n.last_attempt_at, n.id LIMIT 1`;

const LEASE = `
WITH turn AS (
  UPDATE webhook_endpoints SET next_probe_at = now() + make_interval(secs => $2), probes = probes + 1 WHERE id = $1
), leased AS (
  INSERT INTO webhook_leases AS l (notification_id, endpoint_id, token, tried, until)
  VALUES ($3, $1, gen_random_uuid(), true, now() + make_interval(secs => $4))
  ON CONFLICT (notification_id) DO UPDATE SET token = excluded.token, tried = excluded.tried, until = excluded.until
  WHERE l.until <= now()
  RETURNING l.notification_id, l.token
)
SELECT ${LEASED_COLUMNS} ${LEASED_JOIN}`;

/** Leases one waiting notification of each endpoint whose probe is due. */
export async function claimProbes(
  db: Database,
  box: SecretBox,
  settings: LaneSettings,
): Promise<DeliveryLease[]> {
  return withTransaction(db, async (tx) => {
    const due = (await tx.query<{ id: string; probes: number }>(DUE, [])).rows;
    const leases: DeliveryLease[] = [];
    for (const { id, probes } of due) {
      const notificationId = await choose(tx, id, probes % 2 === 0);
      if (notificationId === undefined) continue;
      const values = [id, settings.probeIntervalSeconds, notificationId, settings.leaseSeconds];
      const { rows } = await tx.query<LeasedRow>(LEASE, values);
      leases.push(...rows.map((row) => leaseOf(box, row, 'probe')));
    }
    return leases;
  });
}

async function choose(tx: Queryable, endpointId: string, newest: boolean): Promise<string | undefined> {
  for (const text of newest ? [NEWEST, LONGEST_AGO] : [NEVER_TRIED, LONGEST_AGO]) {
    const row = (await tx.query<{ id: string }>(text, [endpointId])).rows[0];
    if (row !== undefined) return row.id;
  }
  return undefined;
}
