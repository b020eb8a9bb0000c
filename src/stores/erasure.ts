/**
 * Forgetting a customer: what payments, holds, their refunds and everything that hangs on them say of a person is taken
 * away; numbers, amounts, statuses and times stay, because the books need them. Every statement may run twice. Versions are
 * not raised: nothing changes that a workflow knows.
 */
import type { PoolClient } from 'pg';
import type { CustomerName } from '../domain/erasure';
import { workflowIdOf } from '../domain/ids';
import type { RefundedKind } from '../domain/refund';
import type { Queryable } from './postgres';

/** A payment or hold whose customer is to be forgotten. */
export interface CustomerObject {
  readonly kind: RefundedKind;
  readonly no: string;
  readonly created_at: Date;
  /** Something may have come since, so it can be erased again. */
  readonly is_erased: boolean;
}

/** What must come to its end first: the customer's data are still needed for it. */
export interface OpenThing {
  readonly kind: RefundedKind | 'refund' | 'late_payment' | 'dispute' | 'channel_call';
  readonly number: string;
  readonly status: string;
}

const TABLES = {
  payment: { table: 'payments', number: 'payment_no', channelNo: 'channel_payment_no' },
  pre_auth: { table: 'pre_auths', number: 'pre_auth_no', channelNo: 'channel_pre_auth_no' },
} as const;
const KINDS = ['payment', 'pre_auth'] as const;

/**
 * Instead of the hash of what was asked for: somebody who knows the other fields could tell the address from that. No body
 * has it, so who sends a number of his own again is refused, and it says what was erased.
 */
const NO_HASH = `decode(repeat('00', 32), 'hex')`;

const findBy = (condition: string, kinds: readonly RefundedKind[]) => `
SELECT kind, no, created_at, is_erased FROM (${kinds
  .map(
    (kind) =>
      `SELECT '${kind}' AS kind, ${TABLES[kind].number} AS no, created_at, closed_at, body_hash = ${NO_HASH} AS is_erased
  FROM ${TABLES[kind].table} WHERE merchant_id = $1 AND ${condition}`,
  )
  .join('\n  UNION ALL\n  ')}) o
ORDER BY closed_at IS NULL DESC, is_erased, closed_at, no LIMIT $3`;

const FIND: Readonly<Record<CustomerName, string>> = {
  customer_email: findBy('lower(customer_email) = lower($2)', KINDS),
  order_no: findBy('order_no = $2', KINDS),
  payment_no: findBy('payment_no = $2', ['payment']),
  pre_auth_no: findBy('pre_auth_no = $2', ['pre_auth']),
};

/**
 * Payments and holds of the customer, at most `limit`: those that are open first, then those that were not erased yet, so that
 * repeating it comes to an end. An e-mail address finds none twice.
 * @returns `isLast`: when these are erased, all are
 */
export async function findCustomerObjects(
  q: Queryable,
  merchantId: string,
  customer: { readonly name: CustomerName; readonly value: string },
  limit: number,
): Promise<{ objects: CustomerObject[]; isLast: boolean }> {
  const { rows } = await q.query<CustomerObject>(FIND[customer.name], [merchantId, customer.value, limit]);
  return { objects: rows, isLast: rows.filter((row) => !row.is_erased).length < limit };
}

const MOST_NAMED = 20;
const ofPicked = (row: string) =>
  `JOIN picked p ON ${row}.object_kind = p.kind AND ${row}.object_no = p.no WHERE ${row}.merchant_id = $1`;
const OPEN = `
WITH picked AS (SELECT * FROM unnest($2::text[], $3::text[]) AS p (kind, no))
${KINDS.map(
  (kind) =>
    `SELECT p.kind, p.no AS number, o.status FROM ${TABLES[kind].table} o JOIN picked p ON p.kind = '${kind}' AND o.${TABLES[kind].number} = p.no
  WHERE o.merchant_id = $1 AND o.closed_at IS NULL`,
).join('\nUNION ALL ')}
UNION ALL SELECT 'refund', r.refund_no, r.status FROM refunds r ${ofPicked('r')} AND r.closed_at IS NULL
UNION ALL SELECT 'late_payment', l.id::text, l.state FROM late_payments l ${ofPicked('l')} AND l.state IN ('needs_attention', 'refunding')
UNION ALL SELECT 'dispute', d.channel_dispute_no, d.status FROM disputes d ${ofPicked('d')} AND d.status = 'open'
UNION ALL SELECT 'channel_call', c.id::text, c.operation FROM channel_calls c ${ofPicked('c')} AND c.state = 'open'
LIMIT ${MOST_NAMED}`;

/** What of these objects has not ended, or has, and still awaits something; at most 20 of them. */
export async function findOpen(
  q: Queryable,
  merchantId: string,
  objects: readonly CustomerObject[],
): Promise<OpenThing[]> {
  const values = [merchantId, objects.map(({ kind }) => kind), objects.map(({ no }) => no)];
  return (await q.query<OpenThing>(OPEN, values)).rows;
}

// notify_url stays: it is the merchant's own address, and later news (a refund, a dispute, late money) must get there.
const eraseObject = (kind: RefundedKind) => `
UPDATE ${TABLES[kind].table} SET customer_email = NULL, description = NULL, metadata = '{}', return_url = NULL,
  customer_step_sealed = NULL, cancel_reason = NULL, body_hash = ${NO_HASH}
WHERE merchant_id = $1 AND ${TABLES[kind].number} = $2`;
const ERASE_OBJECT = { payment: eraseObject('payment'), pre_auth: eraseObject('pre_auth') } as const;

const ERASE_REFUNDS = `
UPDATE refunds SET reason = NULL, claim_sealed = NULL, body_hash = ${NO_HASH}
WHERE merchant_id = $1 AND object_kind = $2 AND object_no = $3 RETURNING refund_no`;

/** Free text that an operator or a merchant typed. Codes and states stay. */
const ERASE_CALLS = `
UPDATE channel_calls SET command = command - 'reason', outcome = outcome - 'reason'
WHERE merchant_id = $1 AND (object_kind, object_no) IN (SELECT * FROM unnest($2::text[], $3::text[]))
  AND (command ? 'reason' OR outcome ? 'reason')`;

const ERASE_NOTES = `
DELETE FROM command_notes WHERE merchant_id = $1 AND command_id IN (
  SELECT c.command_id FROM channel_calls c
  WHERE c.merchant_id = $1 AND (c.object_kind, c.object_no) IN (SELECT * FROM unnest($2::text[], $3::text[])))`;

const ERASE_EVENTS = `
UPDATE payment_events SET data = data - 'reason'
WHERE merchant_id = $1 AND (object_kind, object_no) IN (SELECT * FROM unnest($2::text[], $3::text[]))
  AND type LIKE 'operator.%' AND data ? 'reason'`;

const known = (table: string, ...columns: string[]) =>
  columns
    .map(
      (column) =>
        `SELECT channel_account_id, ${column} FROM ${table} WHERE merchant_id = $1 AND object_kind = $2 AND object_no = $3`,
    )
    .join('\n  UNION ALL ');

/** The bodies of what channels sent: by the identity that we gave the object there, and by all its numbers. */
const eraseBodies = (kind: RefundedKind) => `
WITH named (account, number) AS (
  ${['channelNo', 'trade']
    .map((which) => (which === 'trade' ? 'channel_trade_no' : TABLES[kind].channelNo))
    .map(
      (column) =>
        `SELECT channel_account_id, ${column} FROM ${TABLES[kind].table} WHERE merchant_id = $1 AND ${TABLES[kind].number} = $3`,
    )
    .join('\n  UNION ALL ')}
  UNION ALL ${known('refunds', 'channel_refund_no')}
  UNION ALL ${known('imported_refunds', 'channel_refund_no')}
  UNION ALL ${known('left_objects', 'channel_no', 'channel_trade_no')}
  UNION ALL ${known('late_payments', 'channel_no', 'channel_trade_no')}
  UNION ALL ${known('disputes', 'channel_no', 'channel_dispute_no')}
)
UPDATE channel_events SET body_sealed = NULL
WHERE body_sealed IS NOT NULL AND id IN (
  SELECT e.id FROM channel_events e JOIN named n ON e.channel_account_id = n.account AND e.object_id = n.number
  UNION ALL
  SELECT e.id FROM channel_events e WHERE e.holdfast_id = ANY ($4::text[]))`;
const ERASE_BODIES = { payment: eraseBodies('payment'), pre_auth: eraseBodies('pre_auth') } as const;

const withoutQuery = (column: string) => `regexp_replace(${column}, '[?#].*$', '')`;

/**
 * What merchants' servers answered; our own words to them carry no personal data. What was given up may be sent again: only
 * what has arrived needs its URL no more.
 */
const ERASE_NOTIFICATIONS = `
UPDATE webhook_notifications SET response = NULL,
  url = CASE WHEN status = 'success' THEN ${withoutQuery('url')} ELSE url END
WHERE merchant_id = $1 AND payment_no = ANY ($2::text[]) AND (response IS NOT NULL OR url ~ '[?#]')
RETURNING url ~ '[?#]' AS waits`;
const ERASE_ATTEMPTS = `
UPDATE webhook_attempts SET response = NULL, url = ${withoutQuery('url')}
WHERE notification_id IN (SELECT id FROM webhook_notifications WHERE merchant_id = $1 AND payment_no = ANY ($2::text[]))
  AND (response IS NOT NULL OR url ~ '[?#]')`;

const LOCK = {
  payment: 'SELECT FROM payments WHERE merchant_id = $1 AND payment_no = $2 FOR NO KEY UPDATE',
  pre_auth: 'SELECT FROM pre_auths WHERE merchant_id = $1 AND pre_auth_no = $2 FOR NO KEY UPDATE',
} as const;

export interface Erased {
  /** The object's own, and those of its refunds. */
  readonly numbers: readonly string[];
  /** Bodies of inbound events. */
  readonly bodies: number;
  /** Notifications that keep the query of their URL, because they have not arrived. */
  readonly undelivered: number;
}

/** Forgets the customer of one object. @returns what was left of it to forget, or what is open and nothing is erased */
export async function eraseCustomerOf(
  tx: PoolClient,
  merchantId: string,
  object: CustomerObject,
): Promise<{ erased: Erased } | { open: readonly OpenThing[] }> {
  const { kind, no } = object;
  await tx.query(LOCK[kind], [merchantId, no]);
  const open = await findOpen(tx, merchantId, [object]);
  if (open.length > 0) return { open };
  await tx.query(ERASE_OBJECT[kind], [merchantId, no]);
  const refunds = await tx.query<{ refund_no: string }>(ERASE_REFUNDS, [merchantId, kind, no]);
  const refundNos = refunds.rows.map((row) => row.refund_no);
  const all = [merchantId, [kind, ...refundNos.map(() => 'refund')], [no, ...refundNos]];
  await tx.query(ERASE_NOTES, all);
  await tx.query(ERASE_CALLS, all);
  await tx.query(ERASE_EVENTS, all);
  const ids = [
    workflowIdOf({ merchantId, kind, no }),
    ...refundNos.map((refundNo) => workflowIdOf({ merchantId, kind: 'refund', no: refundNo })),
  ];
  const bodies = await tx.query(ERASE_BODIES[kind], [merchantId, kind, no, ids]);
  const numbers = [no, ...refundNos];
  await tx.query(ERASE_ATTEMPTS, [merchantId, numbers]);
  const told = await tx.query<{ waits: boolean }>(ERASE_NOTIFICATIONS, [merchantId, numbers]);
  const undelivered = told.rows.filter(({ waits }) => waits).length;
  return { erased: { numbers, bodies: bodies.rowCount ?? 0, undelivered } };
}
