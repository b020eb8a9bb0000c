/**
 * idempotency_records: one row per request that carried an Idempotency-Key. Its id names the command for good, so
 * whoever takes a record over from a dead owner continues the same command instead of starting another.
 */
import type { QueryResultRow } from 'pg';
import type { Queryable } from './postgres';

export const LEASE_SECONDS = 5;
export const KEPT_HOURS = 24;

/** The purpose under which answers are sealed. */
export const ANSWER_PURPOSE = 'idempotency_records.response';

/** Who calls with the admin key. */
export const ADMIN_CALLER = '00000000-0000-0000-0000-000000000000';

export interface IdempotencyScope {
  /** The id of the merchant or the admin key, or ADMIN_CALLER. The column is merchant_id. */
  readonly callerId: string;
  /** Method and path pattern, at most 200 characters: `post /api/v1/pre-auth/{pre_auth_no}/capture`. */
  readonly route: string;
  /** SHA-256 of the key the caller sent. */
  readonly keyHash: Buffer;
}

export interface NewIdempotencyRecord extends IdempotencyScope {
  readonly recordId: string;
  readonly leaseToken: string;
  /** SHA-256 of the canonical request. */
  readonly bodyHash: Buffer;
  /** The number generated for the object this request creates, kept for whoever takes the record over. */
  readonly number: string | undefined;
}

export interface IdempotencyRecord {
  readonly id: string;
  readonly bodyHash: Buffer;
  readonly number: string | undefined;
  readonly leaseToken: string | undefined;
  /** True while its owner is known to be alive. */
  readonly leased: boolean;
  /** The stored answer; absent while there is none. */
  readonly answer: { readonly status: number; readonly sealed: string } | undefined;
}

// clock_timestamp() and not now(): the statement may have waited for a concurrent insert of the same key, and now() is
// the start of the transaction. A record past its age counts as absent and is replaced in place.
const INSERT_RECORD = `
  INSERT INTO idempotency_records AS r
    (id, merchant_id, route, key_hash, body_hash, number, lease_token, lease_until, created_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp() + interval '${LEASE_SECONDS} seconds', clock_timestamp())
  ON CONFLICT (merchant_id, route, key_hash) DO UPDATE SET
    id = excluded.id, body_hash = excluded.body_hash, number = excluded.number, response_status = NULL,
    response_sealed = NULL, lease_token = excluded.lease_token, lease_until = excluded.lease_until,
    created_at = excluded.created_at
  WHERE r.created_at <= clock_timestamp() - interval '${KEPT_HOURS} hours'`;

/**
 * Inserts the record with a fresh lease. Waits while another transaction is inserting the same key.
 * @returns false when a record of this key exists already, whoever owns it
 */
export async function insertRecord(q: Queryable, record: NewIdempotencyRecord): Promise<boolean> {
  const { recordId, callerId, route, keyHash, bodyHash, number, leaseToken } = record;
  const values = [recordId, callerId, route, keyHash, bodyHash, number ?? null, leaseToken];
  const result = await q.query(INSERT_RECORD, values);
  return result.rowCount === 1;
}

const FIND_RECORD = `
  SELECT id, body_hash, number, lease_token, response_status, response_sealed,
         coalesce(lease_until > clock_timestamp(), false) AS leased
  FROM idempotency_records
  WHERE merchant_id = $1 AND route = $2 AND key_hash = $3
    AND created_at > clock_timestamp() - interval '${KEPT_HOURS} hours'`;

interface RecordRow extends QueryResultRow {
  id: string;
  body_hash: Buffer;
  number: string | null;
  lease_token: string | null;
  response_status: number | null;
  response_sealed: string | null;
  leased: boolean;
}

/** The record of this key, or undefined when there is none younger than a day. */
export async function findRecord(
  q: Queryable,
  scope: IdempotencyScope,
): Promise<IdempotencyRecord | undefined> {
  const result = await q.query<RecordRow>(FIND_RECORD, [scope.callerId, scope.route, scope.keyHash]);
  const row = result.rows[0];
  if (row === undefined) return undefined;
  const answered = row.response_status !== null && row.response_sealed !== null;
  return {
    id: row.id,
    bodyHash: row.body_hash,
    number: row.number ?? undefined,
    leaseToken: row.lease_token ?? undefined,
    leased: row.leased,
    answer: answered ? { status: row.response_status ?? 0, sealed: row.response_sealed ?? '' } : undefined,
  };
}

const TAKE_OVER = `
  UPDATE idempotency_records
  SET lease_token = $2, lease_until = clock_timestamp() + interval '${LEASE_SECONDS} seconds'
  WHERE id = $1 AND response_status IS NULL AND (lease_until IS NULL OR lease_until <= clock_timestamp())`;

/** Takes a record whose lease has run out or was given back. @returns false when somebody else was faster */
export async function takeOver(q: Queryable, id: string, leaseToken: string): Promise<boolean> {
  return (await q.query(TAKE_OVER, [id, leaseToken])).rowCount === 1;
}

const RENEW = `
  UPDATE idempotency_records SET lease_until = clock_timestamp() + interval '${LEASE_SECONDS} seconds'
  WHERE id = $1 AND lease_token = $2 AND response_status IS NULL`;

/** @returns false when the lease is not ours (any more), or its row is not committed yet */
export async function renewLease(q: Queryable, id: string, leaseToken: string): Promise<boolean> {
  return (await q.query(RENEW, [id, leaseToken])).rowCount === 1;
}

const STORE_ANSWER = `
  UPDATE idempotency_records
  SET response_status = $3, response_sealed = $4, lease_token = NULL, lease_until = NULL
  WHERE id = $1 AND lease_token = $2`;

/** Keeps the answer for repeats. @returns false when the lease is not ours any more: its new owner answers */
export async function storeAnswer(
  q: Queryable,
  id: string,
  leaseToken: string,
  answer: { status: number; sealed: string },
): Promise<boolean> {
  return (await q.query(STORE_ANSWER, [id, leaseToken, answer.status, answer.sealed])).rowCount === 1;
}

const RELEASE = `
  UPDATE idempotency_records SET lease_token = NULL, lease_until = NULL WHERE id = $1 AND lease_token = $2`;

/** Gives the lease back and keeps the record: a repeat takes over with the same id and number. */
export async function releaseLease(q: Queryable, id: string, leaseToken: string): Promise<void> {
  await q.query(RELEASE, [id, leaseToken]);
}

const DISCARD = `DELETE FROM idempotency_records WHERE id = $1 AND lease_token = $2`;

/** Forgets the request: a repeat starts anew. */
export async function discardRecord(q: Queryable, id: string, leaseToken: string): Promise<void> {
  await q.query(DISCARD, [id, leaseToken]);
}

const DELETE_EXPIRED = `
  DELETE FROM idempotency_records WHERE id IN (
    SELECT id FROM idempotency_records
    WHERE created_at <= clock_timestamp() - interval '${KEPT_HOURS} hours'
    ORDER BY created_at LIMIT $1 FOR UPDATE SKIP LOCKED)`;

/** Deletes at most `limit` records that are past their age. @returns how many it deleted */
export async function deleteExpiredRecords(q: Queryable, limit: number): Promise<number> {
  return (await q.query(DELETE_EXPIRED, [limit])).rowCount ?? 0;
}
