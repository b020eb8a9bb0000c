/** Queries of the pick-up: live rows whose workflow must be proved to exist, and calls that were left open. */
import type { ObjectKind, ObjectRef } from '../domain/ids';
import type { Queryable } from './postgres';

/** The kinds that have a workflow of their own, and where their rows are. */
const TABLES = [
  { kind: 'pre_auth', table: 'pre_auths', number: 'pre_auth_no' },
  { kind: 'payment', table: 'payments', number: 'payment_no' },
  { kind: 'refund', table: 'refunds', number: 'refund_no' },
] as const satisfies readonly { kind: ObjectKind; table: string; number: string }[];

interface ObjectRow {
  merchant_id: string;
  kind: ObjectKind;
  no: string;
}

const toRef = ({ merchant_id: merchantId, kind, no }: ObjectRow): ObjectRef => ({ merchantId, kind, no });

/** One query over all kinds, in this order of a column of theirs; each kind is searched by its own index. */
const overAll = (column: string, nulls: 'NULLS FIRST' | '', condition: string, limit: string) => {
  const parts = TABLES.map(
    ({ kind, table, number }) =>
      `(SELECT merchant_id, '${kind}' AS kind, ${number} AS no, ${column} AS at FROM ${table} WHERE ${condition} ORDER BY ${column} ${nulls} LIMIT ${limit})`,
  );
  return `SELECT merchant_id, kind, no FROM (${parts.join(' UNION ALL ')}) found ORDER BY at ${nulls} LIMIT ${limit}`;
};

async function find(q: Queryable, text: string, values: unknown[]): Promise<ObjectRef[]> {
  return (await q.query<ObjectRow>(text, values)).rows.map(toRef);
}

// Accepted, and no workflow has said a word yet: Temporal was away, or the API died before it could ask.
const UNSTARTED = overAll(
  'owner_checked_at',
  'NULLS FIRST',
  `closed_at IS NULL AND owner_checked_at IS NULL AND created_at < now() - interval '3 seconds'`,
  '$1',
);

export function findUnstarted(q: Queryable, limit: number): Promise<ObjectRef[]> {
  return find(q, UNSTARTED, [limit]);
}

// Whoever was checked longest ago comes first, so that every live row is looked at in turn.
const UNCHECKED = overAll(
  'owner_checked_at',
  'NULLS FIRST',
  'closed_at IS NULL AND owner_checked_at < now() - make_interval(secs => $1)',
  '$2',
);

export function findUnchecked(q: Queryable, olderThanSeconds: number, limit: number): Promise<ObjectRef[]> {
  return find(q, UNCHECKED, [olderThanSeconds, limit]);
}

// A task that closed its object may have died before it ended: nobody asks such a workflow anything again, so it is woken
// once, to find that it is done. In no order, and not for ever: where a channel answers for an account no more, its closed
// objects stay here, and must keep no others waiting.
const CLOSED_UNCHECKED = overAll(
  'random()',
  '',
  `closed_at IS NOT NULL AND owner_checked_at <= closed_at
   AND closed_at < now() - interval '5 seconds' AND closed_at > now() - interval '3 days'`,
  '$1',
);

export function findUncheckedClosed(q: Queryable, limit: number): Promise<ObjectRef[]> {
  return find(q, CLOSED_UNCHECKED, [limit]);
}

const MARK = new Map<ObjectKind, string>(
  TABLES.map(({ kind, table, number }) => [
    kind,
    `UPDATE ${table} SET owner_checked_at = now() WHERE merchant_id = $1 AND ${number} = $2`,
  ]),
);

export async function markOwnerChecked(q: Queryable, { merchantId, kind, no }: ObjectRef): Promise<void> {
  const mark = MARK.get(kind);
  if (mark === undefined) throw new Error(`a ${kind} has no workflow`);
  await q.query(mark, [merchantId, no]);
}

// A call whose key has not been sent for a while: either its workflow is settling it, and the nudge is harmless, or the
// task that sent it never ended and nobody else knows of it. Nudged more rarely the more often it was sent, so that a
// long outage does not fill a history.
const FORGOTTEN = `
SELECT merchant_id, object_kind AS kind, object_no AS no FROM channel_calls
WHERE state = 'open' AND object_kind IN (${TABLES.map(({ kind }) => `'${kind}'`).join(', ')})
  AND greatest(last_sent_at, asked_at) < now() - make_interval(secs => $1 * (power(2, least(greatest(attempts + asked, 1), 7)) - 1))
ORDER BY greatest(last_sent_at, asked_at) LIMIT $2`;

export function findForgottenCalls(
  q: Queryable,
  olderThanSeconds: number,
  limit: number,
): Promise<ObjectRef[]> {
  return find(q, FORGOTTEN, [olderThanSeconds, limit]);
}
