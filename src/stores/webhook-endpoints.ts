/** Where merchants want to be told. Here: the implicit endpoint that a notify_url belongs to, one per origin. */
import { randomUUID } from 'node:crypto';
import type { Queryable } from './postgres';

/** An attacker-sized number of origins must not fill the table. */
export const MAX_IMPLICIT_ENDPOINTS = 100;

const ENSURE = `
INSERT INTO webhook_endpoints (id, merchant_id, kind, url)
SELECT $1::uuid, $2::uuid, 'implicit', $3::text
WHERE (SELECT count(*) FROM webhook_endpoints WHERE merchant_id = $2::uuid AND kind = 'implicit' AND deleted_at IS NULL) < $4
   OR EXISTS (SELECT 1 FROM webhook_endpoints WHERE merchant_id = $2::uuid AND kind = 'implicit' AND url = $3::text AND deleted_at IS NULL)
ON CONFLICT (merchant_id, url) WHERE kind = 'implicit' AND deleted_at IS NULL DO NOTHING`;

const EXISTS = `
SELECT 1 FROM webhook_endpoints WHERE merchant_id = $1 AND kind = 'implicit' AND url = $2 AND deleted_at IS NULL`;

/** @returns false when the merchant has as many implicit endpoints as it may have */
export async function ensureImplicitEndpoint(
  q: Queryable,
  merchantId: string,
  origin: string,
): Promise<boolean> {
  // The common case, an origin known for long, takes no lock.
  if ((await q.query(EXISTS, [merchantId, origin])).rowCount === 1) return true;
  await q.query(ENSURE, [randomUUID(), merchantId, origin, MAX_IMPLICIT_ENDPOINTS]);
  return (await q.query(EXISTS, [merchantId, origin])).rowCount === 1;
}
