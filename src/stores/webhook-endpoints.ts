/**
 * Where merchants want to be told. An explicit endpoint is made by the merchant and has a URL and a secret of its own; an
 * implicit one is made for the origin of a notify_url and signs with the merchant's default secret. Whoever changes an
 * endpoint, or the status of its notifications, holds the lock of its row (lockEndpoint).
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { WebhookEvent } from '../domain/webhook/events';
import { normalUrl } from '../domain/webhook/url';
import { microsOf, sinceEpoch } from './page';
import type { Page } from './page';
import type { Queryable } from './postgres';

export const MAX_EXPLICIT_ENDPOINTS = 20;
/** An attacker-sized number of origins must not fill the table. */
export const MAX_IMPLICIT_ENDPOINTS = 100;
/** Both secrets sign for so long after a rotation. */
export const ROTATION_OVERLAP_HOURS = 24;
/** The purpose under which an endpoint's secrets, the current and the previous one, are sealed. */
export const ENDPOINT_SECRET_PURPOSE = 'webhook_endpoints.secret';

const SECRET_BYTES = 32;

/** `whsec_` and base64, the form of Standard Webhooks. */
export function newWebhookSecret(): string {
  return `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
}

export interface EndpointRow {
  readonly id: string;
  readonly merchant_id: string;
  readonly kind: 'explicit' | 'implicit';
  /** An implicit endpoint's is its origin. */
  readonly url: string;
  /** Empty: every event. */
  readonly event_filter: readonly WebhookEvent[];
  readonly enabled: boolean;
  /** null: WEBHOOK_MAX_RETRIES. */
  readonly max_retries: number | null;
  /** null for implicit endpoints: the merchant's default secret. */
  readonly secret_sealed: string | null;
  /** null when no previous secret signs any more. */
  readonly previous_secret_until: Date | null;
  readonly disabled_at: Date | null;
  readonly disabled_reason: 'MERCHANT' | 'GONE' | 'FAILING' | null;
  readonly gated_at: Date | null;
  readonly next_probe_at: Date | null;
  readonly last_success_at: Date | null;
  readonly last_failure_at: Date | null;
  readonly last_error: string | null;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly created_at_micros: number;
}

const COLUMNS = `id, merchant_id, kind, url, event_filter, enabled, max_retries, secret_sealed,
  CASE WHEN previous_secret_until > now() THEN previous_secret_until END AS previous_secret_until, disabled_at, disabled_reason,
  gated_at, next_probe_at, last_success_at, last_failure_at, last_error, created_at, updated_at,
  ${microsOf('created_at')} AS created_at_micros`;

// NO KEY: what references the merchant (every insert of the outbox) must not wait for it.
const LOCK_MERCHANT = `SELECT 1 FROM merchants WHERE id = $1 FOR NO KEY UPDATE`;

/**
 * Serialises whatever adds endpoints to this merchant or moves their URLs, until the transaction ends. Taken before the
 * lock of an endpoint, never after.
 */
export async function lockEndpointsOf(tx: Queryable, merchantId: string): Promise<void> {
  await tx.query(LOCK_MERCHANT, [merchantId]);
}

const LIVE_EXPLICIT = `
SELECT id, url FROM webhook_endpoints WHERE merchant_id = $1 AND kind = 'explicit' AND deleted_at IS NULL`;

const INSERT = `
INSERT INTO webhook_endpoints (id, merchant_id, kind, url, normal_url, event_filter, enabled, max_retries, secret_sealed, disabled_at, disabled_reason)
VALUES ($1, $2, 'explicit', $3, $8, $4, $5::boolean, $6, $7, CASE WHEN NOT $5::boolean THEN now() END, CASE WHEN NOT $5::boolean THEN 'MERCHANT' END)
RETURNING ${COLUMNS}`;

export interface NewEndpoint {
  readonly id: string;
  readonly merchantId: string;
  readonly url: string;
  readonly eventFilter: readonly WebhookEvent[];
  readonly enabled: boolean;
  readonly maxRetries: number | null;
  readonly secretSealed: string;
}

export type CreatedEndpoint =
  | { readonly kind: 'created'; readonly endpoint: EndpointRow }
  | { readonly kind: 'limit' }
  | { readonly kind: 'exists'; readonly id: string };

/** Inserts an explicit endpoint; the caller's transaction holds lockEndpointsOf from here on. */
export async function createEndpoint(tx: Queryable, endpoint: NewEndpoint): Promise<CreatedEndpoint> {
  const { id, merchantId, url, eventFilter, enabled, maxRetries, secretSealed } = endpoint;
  await lockEndpointsOf(tx, merchantId);
  const live = (await tx.query<{ id: string; url: string }>(LIVE_EXPLICIT, [merchantId])).rows;
  const same = live.find((other) => isSameUrl(other.url, url));
  if (same !== undefined) return { kind: 'exists', id: same.id };
  if (live.length >= MAX_EXPLICIT_ENDPOINTS) return { kind: 'limit' };
  const values = [id, merchantId, url, [...eventFilter], enabled, maxRetries, secretSealed, normalUrl(url)];
  const row = (await tx.query<EndpointRow>(INSERT, values)).rows[0];
  if (row === undefined) throw new Error('the insert of a webhook endpoint returned no row');
  return { kind: 'created', endpoint: row };
}

/** The id of another live endpoint with this URL. The caller holds lockEndpointsOf. */
export async function findEndpointOfUrl(
  tx: Queryable,
  merchantId: string,
  url: string,
  exceptId: string,
): Promise<string | undefined> {
  const live = (await tx.query<{ id: string; url: string }>(LIVE_EXPLICIT, [merchantId])).rows;
  return live.find((other) => other.id !== exceptId && isSameUrl(other.url, url))?.id;
}

function isSameUrl(a: string, b: string): boolean {
  return normalUrl(a) === normalUrl(b);
}

const FIND = `SELECT ${COLUMNS} FROM webhook_endpoints WHERE id = $1 AND merchant_id = $2 AND deleted_at IS NULL`;

/** undefined for another merchant's endpoint, and for a deleted one. */
export async function findEndpoint(
  q: Queryable,
  merchantId: string,
  id: string,
): Promise<EndpointRow | undefined> {
  return (await q.query<EndpointRow>(FIND, [id, merchantId])).rows[0];
}

/** The row, locked until the transaction ends: for those who change it or the status of its notifications. */
export async function lockEndpoint(
  tx: Queryable,
  merchantId: string,
  id: string,
): Promise<EndpointRow | undefined> {
  return (await tx.query<EndpointRow>(`${FIND} FOR NO KEY UPDATE`, [id, merchantId])).rows[0];
}

const LIST = `
SELECT ${COLUMNS} FROM webhook_endpoints
WHERE merchant_id = $1 AND deleted_at IS NULL
  AND ($2::bigint IS NULL OR (created_at, id) < (${sinceEpoch('$2')}, $3::uuid))
ORDER BY created_at DESC, id DESC LIMIT $4`;

/** Explicit and implicit ones, newest first. */
export async function listEndpoints(q: Queryable, merchantId: string, page: Page): Promise<EndpointRow[]> {
  const values = [merchantId, page.after?.micros ?? null, page.after?.id ?? null, page.limit];
  return (await q.query<EndpointRow>(LIST, values)).rows;
}

const RESET_GATE = `gated_at = NULL, next_probe_at = NULL, probes = 0, ramp = NULL, failures_in_row = 0, failing_since = NULL`;

const UPDATE = `
UPDATE webhook_endpoints SET url = $2, normal_url = $6, event_filter = $3, max_retries = $4, enabled = $5::boolean,
  disabled_at = CASE WHEN NOT $5::boolean THEN coalesce(disabled_at, now()) END,
  disabled_reason = CASE WHEN NOT $5::boolean THEN coalesce(disabled_reason, 'MERCHANT') END, updated_at = now()
WHERE id = $1 RETURNING ${COLUMNS}`;

const RESET = `UPDATE webhook_endpoints SET ${RESET_GATE} WHERE id = $1`;

export type EndpointChange = Partial<Pick<EndpointRow, 'url' | 'event_filter' | 'enabled' | 'max_retries'>>;

/**
 * Changes an endpoint whose row the caller has locked. A new URL and switching it on forget what its deliveries have
 * shown so far: the gate opens at once.
 */
export async function updateEndpoint(
  tx: Queryable,
  row: EndpointRow,
  change: EndpointChange,
): Promise<EndpointRow> {
  const next = { ...row, ...change };
  const isFreshStart = next.url !== row.url || (next.enabled && !row.enabled);
  if (isFreshStart) await tx.query(RESET, [row.id]);
  const values = [
    row.id,
    next.url,
    [...next.event_filter],
    next.max_retries,
    next.enabled,
    normalUrl(next.url),
  ];
  const updated = (await tx.query<EndpointRow>(UPDATE, values)).rows[0];
  if (updated === undefined)
    throw new Error(`webhook endpoint ${row.id} is gone although its row was locked`);
  return updated;
}

const DELETE = `
UPDATE webhook_endpoints SET deleted_at = now(), updated_at = now(), ${RESET_GATE} WHERE id = $1 RETURNING deleted_at`;

/** Nothing goes there any more; the caller has locked the row, and ends its waiting notifications. */
export async function deleteEndpoint(tx: Queryable, id: string): Promise<Date> {
  const row = (await tx.query<{ deleted_at: Date }>(DELETE, [id])).rows[0];
  if (row === undefined) throw new Error(`webhook endpoint ${id} is gone although its row was locked`);
  return row.deleted_at;
}

const ROTATE = `
UPDATE webhook_endpoints SET previous_secret_sealed = secret_sealed,
  previous_secret_until = now() + interval '${ROTATION_OVERLAP_HOURS} hours', secret_sealed = $2, updated_at = now()
WHERE id = $1 AND kind = 'explicit' RETURNING ${COLUMNS}`;

/** The secret there was signs besides the new one for a while; the one before it does not any more. */
export async function rotateSecret(tx: Queryable, id: string, secretSealed: string): Promise<EndpointRow> {
  const row = (await tx.query<EndpointRow>(ROTATE, [id, secretSealed])).rows[0];
  if (row === undefined) throw new Error(`webhook endpoint ${id} has no secret of its own`);
  return row;
}

const ENSURE = `
INSERT INTO webhook_endpoints (id, merchant_id, kind, url)
SELECT $1::uuid, $2::uuid, 'implicit', $3::text
WHERE (SELECT count(*) FROM webhook_endpoints WHERE merchant_id = $2::uuid AND kind = 'implicit' AND deleted_at IS NULL) < $4
ON CONFLICT (merchant_id, url) WHERE kind = 'implicit' AND deleted_at IS NULL DO NOTHING`;

const EXISTS = `
SELECT 1 FROM webhook_endpoints WHERE merchant_id = $1 AND kind = 'implicit' AND url = $2 AND deleted_at IS NULL`;

/** @returns false when the merchant has as many implicit endpoints as it may have */
export async function ensureImplicitEndpoint(
  tx: Queryable,
  merchantId: string,
  origin: string,
): Promise<boolean> {
  // The common case, an origin known for long, takes no lock.
  if ((await tx.query(EXISTS, [merchantId, origin])).rowCount === 1) return true;
  await lockEndpointsOf(tx, merchantId);
  await tx.query(ENSURE, [randomUUID(), merchantId, origin, MAX_IMPLICIT_ENDPOINTS]);
  return (await tx.query(EXISTS, [merchantId, origin])).rowCount === 1;
}
