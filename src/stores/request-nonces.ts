/**
 * request_nonces: each nonce of a merchant's signed requests is taken once, by whichever process asks first. A row is kept
 * for as long as a request with its timestamp would be taken.
 */
import { createHash } from 'node:crypto';
import { planEachTime } from './postgres';
import type { Queryable } from './postgres';

// A row that has expired still counts while it is there: an earlier deletion is what lets a nonce be used again.
const TAKE = `
INSERT INTO request_nonces (merchant_id, nonce_hash, expires_at) VALUES ($1, $2, to_timestamp($3))
ON CONFLICT DO NOTHING`;

/** @returns false when the merchant has used this nonce */
export async function takeNonce(
  q: Queryable,
  merchantId: string,
  nonce: string,
  expiresAtSeconds: number,
): Promise<boolean> {
  const hash = createHash('sha256').update(nonce).digest();
  return (await q.query(TAKE, [merchantId, hash, expiresAtSeconds])).rowCount === 1;
}

// Processes that delete at the same moment pass over what another has locked.
const DELETE_EXPIRED = planEachTime(`
DELETE FROM request_nonces WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM request_nonces WHERE expires_at < now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED))`);

/** @returns how many rows are gone, `limit` at most */
export async function deleteExpiredNonces(q: Queryable, limit: number): Promise<number> {
  return (await q.query(DELETE_EXPIRED, [limit])).rowCount ?? 0;
}
