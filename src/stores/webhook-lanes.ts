/**
 * Who sends what next. A lane is one endpoint; a claim is a lease per notification. Every claim and every change of an
 * endpoint's state is made under the lock of its row, so that its limit holds over all processes.
 */
import type { FailedWebhook } from '../domain/webhook/failed';
import { sharesOf } from '../domain/webhook/gate';
import { appendOperatorWord, deliveryWord } from './admin-audit';
import { withForgettableTransaction, withTransaction } from './postgres';
import type { Database, Queryable } from './postgres';
import type { SecretBox } from './secret-box';
import { endWithEndpoint } from './webhook-endings';
import { LEASED_COLUMNS, LEASED_JOIN, leaseOf } from './webhook-leases';
import type { DeliveryLease, LeasedRow } from './webhook-leases';

export interface LaneSettings {
  /** Deliveries to one endpoint at once, over all processes. */
  readonly maxInFlightPerEndpoint: number;
  /** Longer than any attempt lasts. */
  readonly leaseSeconds: number;
  readonly probeIntervalSeconds: number;
}

/** How many lanes one claim visits; the cursor goes on from the last one. */
const LANES_PER_CLAIM = 64;

// The lanes after the cursor that have anything pending, found by leaping from one to the next in the two partial
// indexes: no scan grows with the number of rows in a lane. A lane that is locked is being claimed or recorded by
// somebody else: it is passed over, not waited for.
const NEXT_LANE = (after: string) => `
  SELECT next.endpoint_id FROM (
    (SELECT endpoint_id FROM webhook_notifications
     WHERE status = 'pending' AND attempts = 0 AND endpoint_id > ${after} ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    (SELECT endpoint_id FROM webhook_notifications
     WHERE status = 'pending' AND attempts > 0 AND endpoint_id > ${after} ORDER BY endpoint_id LIMIT 1)
  ) next ORDER BY next.endpoint_id LIMIT 1`;

const VISIT = `
WITH RECURSIVE visited (endpoint_id, k) AS (
  (SELECT first.endpoint_id, 1 FROM (${NEXT_LANE('$1::uuid')}) first)
  UNION ALL
  SELECT next.endpoint_id, v.k + 1 FROM visited v CROSS JOIN LATERAL (${NEXT_LANE('v.endpoint_id')}) next
  WHERE v.k < ${LANES_PER_CLAIM}
), locked AS (
  SELECT e.id, e.ramp FROM visited v JOIN webhook_endpoints e ON e.id = v.endpoint_id
  WHERE e.enabled AND e.deleted_at IS NULL AND e.gated_at IS NULL AND e.merchant_id <> ALL ($2::uuid[])
  FOR NO KEY UPDATE OF e SKIP LOCKED
)
SELECT (SELECT max(k) FROM visited) AS visited,
  (SELECT endpoint_id FROM visited ORDER BY k DESC LIMIT 1) AS last,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'ramp', ramp)), '[]') FROM locked) AS lanes`;

const IS_FREE = `NOT EXISTS (SELECT FROM webhook_leases l WHERE l.notification_id = n.id AND l.until > now())`;

// A statement of its own after the locks, so that its snapshot shows what the last claim of each lane did.
const CLAIM = `
WITH lane AS (
  SELECT given.id, given.max, given.fresh_share, given.tried_share, busy.fresh, busy.tried,
    greatest(given.max - busy.fresh - busy.tried, 0) AS room
  FROM unnest($1::uuid[], $2::int[], $3::int[], $4::int[]) AS given (id, max, fresh_share, tried_share)
  CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE NOT l.tried) AS fresh, count(*) FILTER (WHERE l.tried) AS tried
    -- In the order of the index, so that it is the index that is read: see webhook_leases_endpoint.
    FROM (SELECT tried FROM webhook_leases WHERE endpoint_id = given.id AND until > now() ORDER BY until LIMIT given.max) l
  ) busy
), pick AS (
  SELECT lane.id AS endpoint_id, due.id, due.tried FROM lane CROSS JOIN LATERAL (
    -- Each kind's own places first, then what the other kind left.
    SELECT both_kinds.id, both_kinds.tried, row_number() OVER (
      ORDER BY n > CASE WHEN tried THEN lane.tried_share - lane.tried ELSE lane.fresh_share - lane.fresh END, tried, n) AS place
    FROM (
      SELECT f.id, false AS tried, row_number() OVER (ORDER BY f.rank, f.id) AS n FROM (
        SELECT n.id, n.rank FROM webhook_notifications n
        WHERE n.endpoint_id = lane.id AND n.status = 'pending' AND n.attempts = 0 AND ${IS_FREE}
        ORDER BY n.rank, n.id LIMIT lane.room) f
      UNION ALL
      SELECT t.id, true, row_number() OVER (ORDER BY t.next_retry_at, t.id) FROM (
        SELECT n.id, n.next_retry_at FROM webhook_notifications n
        WHERE n.endpoint_id = lane.id AND n.status = 'pending' AND n.attempts > 0 AND n.next_retry_at <= now() AND ${IS_FREE}
        ORDER BY n.next_retry_at, n.id LIMIT lane.room) t
    ) both_kinds
    ORDER BY place LIMIT lane.room
  ) due
  -- Every lane its slice before any has more: a lane with much to do does not make the others wait for their turn.
  ORDER BY due.place > $7, lane.id LIMIT $5
), leased AS (
  INSERT INTO webhook_leases AS l (notification_id, endpoint_id, token, tried, until)
  SELECT id, endpoint_id, gen_random_uuid(), tried, now() + make_interval(secs => $6) FROM pick
  ON CONFLICT (notification_id) DO UPDATE SET token = excluded.token, tried = excluded.tried, until = excluded.until
  WHERE l.until <= now()
  RETURNING l.notification_id, l.token
)
`;

const CLAIM_DUE = `${CLAIM} SELECT ${LEASED_COLUMNS} ${LEASED_JOIN}`;

interface VisitRow {
  visited: number | null;
  last: string | null;
  lanes: { id: string; ramp: number | null }[];
}

export const FIRST_LANE = '00000000-0000-0000-0000-000000000000';

export interface Claim {
  readonly leases: readonly DeliveryLease[];
  /** Where the next claim goes on; FIRST_LANE once the rotation is complete. */
  readonly cursor: string;
}

/**
 * Leases what is due in the lanes after the cursor, at most `max` notifications.
 * @param passOver merchants that have as much under way here as one merchant may have
 */
export async function claimDue(
  db: Database,
  box: SecretBox,
  settings: LaneSettings,
  {
    cursor,
    max,
    passOver,
  }: { readonly cursor: string; readonly max: number; readonly passOver: readonly string[] },
): Promise<Claim> {
  // A lease that a crash of PostgreSQL forgets costs one delivery more at most, which the merchant knows by its id.
  return withForgettableTransaction(db, async (tx) => {
    const visit = (await tx.query<VisitRow>(VISIT, [cursor, passOver])).rows[0];
    const next = visit?.visited === LANES_PER_CLAIM && visit.last !== null ? visit.last : FIRST_LANE;
    if (visit === undefined || visit.lanes.length === 0) return { leases: [], cursor: next };
    const limits = visit.lanes.map(({ ramp }) =>
      Math.min(ramp ?? settings.maxInFlightPerEndpoint, settings.maxInFlightPerEndpoint),
    );
    const { rows } = await tx.query<LeasedRow>(CLAIM_DUE, [
      visit.lanes.map(({ id }) => id),
      limits,
      limits.map((limit) => sharesOf(limit).fresh),
      limits.map((limit) => sharesOf(limit).tried),
      max,
      settings.leaseSeconds,
      Math.max(1, Math.floor(max / limits.length)),
    ]);
    const leases = rows.map((row) => leaseOf(box, row, row.attempts === 0 ? 'first' : 'retry'));
    // With fewer places than lanes only the first lanes had their slice: those behind the last of them come next.
    return { leases, cursor: limits.length > max && rows.length === max ? lastLaneOf(rows) : next };
  });
}

function lastLaneOf(rows: readonly LeasedRow[]): string {
  return rows.reduce((last, row) => (row.endpoint_id > last ? row.endpoint_id : last), FIRST_LANE);
}

const LOCK_FOR_RETRY = `
SELECT e.id, e.enabled, e.deleted_at IS NOT NULL AS deleted, e.gated_at IS NOT NULL AS gated, e.ramp
FROM webhook_endpoints e JOIN webhook_notifications n ON n.endpoint_id = e.id WHERE n.id = $1
FOR NO KEY UPDATE OF e`;

// How long to wait is told as a length of time, because the clocks of whoever waits need not agree with this one.
const READ_FOR_RETRY = `
SELECT n.status, ceil(extract(epoch FROM n.next_retry_at - now()) * 1000)::float8 AS due_in_ms,
  ceil(extract(epoch FROM l.until - now()) * 1000)::float8 AS leased_for_ms,
  (SELECT count(*) FROM webhook_leases b WHERE b.endpoint_id = n.endpoint_id AND b.until > now()) AS busy
FROM webhook_notifications n LEFT JOIN webhook_leases l ON l.notification_id = n.id AND l.until > now()
WHERE n.id = $1`;

const LEASE_ONE = `
WITH leased AS (
  INSERT INTO webhook_leases AS l (notification_id, endpoint_id, token, tried, until)
  SELECT n.id, n.endpoint_id, gen_random_uuid(), n.attempts > 0, now() + make_interval(secs => $2)
  FROM webhook_notifications n WHERE n.id = $1
  ON CONFLICT (notification_id) DO UPDATE SET token = excluded.token, tried = excluded.tried, until = excluded.until
  WHERE l.until <= now()
  RETURNING l.notification_id, l.token
)
SELECT ${LEASED_COLUMNS} ${LEASED_JOIN}`;

const HAND_BACK = `
UPDATE webhook_notifications SET status = 'pending', next_retry_at = now(), updated_at = now()
WHERE id = $1 AND status = 'retrying'`;

export type RetryLease =
  | { readonly kind: 'leased'; readonly lease: DeliveryLease }
  /** The row is no longer `retrying`: whoever carried it has nothing to do any more. `failed`: what was ended just now. */
  | { readonly kind: 'ended'; readonly failed: readonly FailedWebhook[] }
  /** The endpoint is gated, disabled or full: the row is `pending` now and the relay carries it. */
  | { readonly kind: 'handed_back' }
  /** Somebody else is sending it, or it is not due yet: for so many milliseconds from now. */
  | { readonly kind: 'wait'; readonly pauseMs: number };

interface EndpointForRetry {
  id: string;
  enabled: boolean;
  deleted: boolean;
  gated: boolean;
  ramp: number | null;
}

/**
 * Leases one `retrying` notification for its own workflow.
 * @param evenIfEarly an operator asked for it: before its time
 */
export async function leaseForRetry(
  db: Database,
  box: SecretBox,
  settings: LaneSettings,
  notificationId: string,
  evenIfEarly = false,
): Promise<RetryLease> {
  return withTransaction(db, async (tx) => {
    const endpoint = (await tx.query<EndpointForRetry>(LOCK_FOR_RETRY, [notificationId])).rows[0];
    const row = await readForRetry(tx, notificationId);
    if (endpoint === undefined || row?.status !== 'retrying') return { kind: 'ended', failed: [] };
    if (row.leased_for_ms !== null) return { kind: 'wait', pauseMs: row.leased_for_ms };
    if (endpoint.deleted)
      return { kind: 'ended', failed: (await endWithEndpoint(tx, notificationId)).failed };
    const limit = Math.min(endpoint.ramp ?? Infinity, settings.maxInFlightPerEndpoint);
    if (!endpoint.enabled || endpoint.gated || row.busy >= limit) {
      await tx.query(HAND_BACK, [notificationId]);
      return { kind: 'handed_back' };
    }
    if (!evenIfEarly && row.due_in_ms > 0) return { kind: 'wait', pauseMs: row.due_in_ms };
    const leased = (await tx.query<LeasedRow>(LEASE_ONE, [notificationId, settings.leaseSeconds])).rows[0];
    if (evenIfEarly && leased !== undefined)
      await appendOperatorWord(tx, deliveryWord('retry_now', notificationId, 'retrying'));
    return leased === undefined
      ? { kind: 'ended', failed: [] }
      : { kind: 'leased', lease: leaseOf(box, leased, 'retry') };
  });
}

interface RowForRetry {
  status: string;
  due_in_ms: number;
  leased_for_ms: number | null;
  busy: number;
}

async function readForRetry(tx: Queryable, notificationId: string): Promise<RowForRetry | undefined> {
  return (await tx.query<RowForRetry>(READ_FOR_RETRY, [notificationId])).rows[0];
}
