/** What reconciliation found different and could not settle: one row per object and field. */
import type { PoolClient } from 'pg';
import type { ChannelName } from '../domain/channel';
import type { ObjectKind, ObjectRef } from '../domain/ids';
import type { Difference } from '../domain/reconcile';
import { appendNote } from './outbox';
import { microsOf, sinceEpoch } from './page';
import type { Page } from './page';
import { withinTransaction, withTransaction } from './postgres';
import type { Database, Queryable } from './postgres';

export interface DiscrepancyRow {
  id: string;
  merchant_id: string;
  object_kind: ObjectKind;
  object_no: string;
  channel: ChannelName;
  field: string;
  ours: string;
  theirs: string;
  state: 'open' | 'resolved';
  first_seen: Date;
  last_seen: Date;
  resolved_at: Date | null;
  /** null in a resolved one: a later run found them equal. */
  resolved_by: string | null;
  first_seen_micros: number;
}

const COLUMNS = `id, merchant_id, object_kind, object_no, channel, field, ours, theirs, state, first_seen, last_seen, resolved_at,
  resolved_by, ${microsOf('first_seen')} AS first_seen_micros`;

// What somebody has settled by hand stays settled as long as the two sides say the same.
const ACCEPTED = `(d.state = 'resolved' AND d.resolved_by IS NOT NULL AND d.ours = EXCLUDED.ours AND d.theirs = EXCLUDED.theirs)`;
const REOPENED = `(d.state = 'resolved' AND NOT ${ACCEPTED})`;

const NOTE_DIFFERENCE = `
INSERT INTO discrepancies AS d (id, merchant_id, object_kind, object_no, channel, field, ours, theirs)
VALUES (gen_random_uuid(), $1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (merchant_id, object_kind, object_no, field) DO UPDATE SET
  ours = EXCLUDED.ours, theirs = EXCLUDED.theirs, last_seen = now(),
  first_seen = CASE WHEN ${REOPENED} THEN now() ELSE d.first_seen END,
  state = CASE WHEN ${ACCEPTED} THEN 'resolved' ELSE 'open' END,
  resolved_at = CASE WHEN ${ACCEPTED} THEN d.resolved_at END,
  resolved_by = CASE WHEN ${ACCEPTED} THEN d.resolved_by END
RETURNING first_seen = last_seen AS is_new`;

const RESOLVE_OTHERS = `
UPDATE discrepancies SET state = 'resolved', resolved_at = now()
WHERE merchant_id = $1 AND object_kind = $2 AND object_no = $3 AND state = 'open' AND field <> ALL ($4::text[])`;

/**
 * What was found of one object: its differences are seen again or for the first time, and those that were open and are
 * not among them are resolved. @returns how many are new
 */
export async function noteDifferences(
  db: Database,
  { merchantId, kind, no }: ObjectRef,
  channel: string,
  differences: readonly Difference[],
): Promise<number> {
  // Always in the same order, so that two runs at once never wait for each other in a circle.
  const ordered = [...differences].sort((a, b) => (a.field < b.field ? -1 : 1));
  return withTransaction(db, async (tx) => {
    let found = 0;
    for (const { field, ours, theirs } of ordered) {
      const values = [merchantId, kind, no, channel, field, ours, theirs];
      const result = await tx.query<{ is_new: boolean }>(NOTE_DIFFERENCE, values);
      if (result.rows[0]?.is_new === true) found += 1;
    }
    await tx.query(RESOLVE_OTHERS, [merchantId, kind, no, ordered.map(({ field }) => field)]);
    return found;
  });
}

const RESOLVE_EQUAL = `
UPDATE discrepancies d SET state = 'resolved', resolved_at = now()
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS equal (merchant_id, object_kind, object_no)
WHERE d.merchant_id = equal.merchant_id AND d.object_kind = equal.object_kind AND d.object_no = equal.object_no
  AND d.state = 'open'`;

/** These objects are as their channel shows them. @returns how many discrepancies that resolves */
export async function resolveEqual(q: Queryable, objects: readonly ObjectRef[]): Promise<number> {
  if (objects.length === 0) return 0;
  const result = await q.query(RESOLVE_EQUAL, [
    objects.map(({ merchantId }) => merchantId),
    objects.map(({ kind }) => kind),
    objects.map(({ no }) => no),
  ]);
  return result.rowCount ?? 0;
}

const LIST = `
SELECT ${COLUMNS} FROM discrepancies
WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR channel = $2)
  AND ($3::bigint IS NULL OR (first_seen, id) < (${sinceEpoch('$3')}, $4::uuid))
ORDER BY first_seen DESC, id DESC LIMIT $5`;

/** Those seen for the first time last come first. */
export async function listDiscrepancies(
  q: Queryable,
  filter: { state?: DiscrepancyRow['state'] | undefined; channel?: ChannelName | undefined },
  page: Page,
): Promise<DiscrepancyRow[]> {
  const { after, limit } = page;
  const values = [
    filter.state ?? null,
    filter.channel ?? null,
    after?.micros ?? null,
    after?.id ?? null,
    limit,
  ];
  return (await q.query<DiscrepancyRow>(LIST, values)).rows;
}

const RESOLVE = `
UPDATE discrepancies SET state = 'resolved', resolved_at = now(), resolved_by = $2
WHERE id = $1 AND state = 'open' RETURNING ${COLUMNS}`;

/** The object's row is locked meanwhile, because its notes are counted. */
const LOCK_STATUS: Readonly<Record<ObjectKind, string>> = {
  pre_auth: 'SELECT status FROM pre_auths WHERE merchant_id = $1 AND pre_auth_no = $2 FOR NO KEY UPDATE',
  payment: 'SELECT status FROM payments WHERE merchant_id = $1 AND payment_no = $2 FOR NO KEY UPDATE',
  refund: 'SELECT status FROM refunds WHERE merchant_id = $1 AND refund_no = $2 FOR NO KEY UPDATE',
};

/**
 * Somebody has looked into it. Who and why is kept in the object's payment_events; resolving again changes nothing.
 * @returns undefined when there is no such discrepancy
 */
export async function resolveDiscrepancy(
  db: Database | PoolClient,
  id: string,
  { by, reason }: { by: string; reason: string },
): Promise<DiscrepancyRow | undefined> {
  return withinTransaction(db, async (tx) => {
    const resolved = (await tx.query<DiscrepancyRow>(RESOLVE, [id, by])).rows[0];
    if (resolved === undefined)
      return (await tx.query<DiscrepancyRow>(`SELECT ${COLUMNS} FROM discrepancies WHERE id = $1`, [id]))
        .rows[0];
    const { merchant_id: merchantId, object_kind: objectKind, object_no: objectNo } = resolved;
    const lock = await tx.query<{ status: string }>(LOCK_STATUS[objectKind], [merchantId, objectNo]);
    const { field, ours, theirs } = resolved;
    await appendNote(tx, {
      ...{ merchantId, objectKind, objectNo, type: 'discrepancy.resolved' },
      status: lock.rows[0]?.status ?? ours,
      data: { by, reason, field, ours, theirs },
    });
    return resolved;
  });
}
