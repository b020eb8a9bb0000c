/** api_keys: a key is shown once when it is made; only its SHA-256 and its first characters are kept. */
import { createHash, randomInt, randomUUID } from 'node:crypto';
import type { QueryResultRow } from 'pg';
import type { World } from '../domain/channel';
import type { MerchantStatus } from './merchants';
import type { Page } from './page';
import { microsOf, sinceEpoch } from './page';
import type { Queryable } from './postgres';
import type { SigningMode } from './request-signing';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const SECRET_CHARACTERS = 40;
const DISPLAY_CHARACTERS = 12;

/** What a merchant's key looks like; anything else is no key and costs no look-up. */
export const API_KEY = /^hf_(live|test)_[0-9A-Za-z]{40}$/;

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly display: string;
  readonly createdAt: Date;
  readonly createdAtMicros: number;
  readonly revokedAt: Date | null;
}

export interface KeyOwner {
  readonly merchantId: string;
  readonly world: World;
  readonly status: MerchantStatus;
  /** Whether the merchant's requests must be signed. */
  readonly signing: SigningMode;
}

interface ApiKeyRow extends QueryResultRow {
  id: string;
  name: string;
  display: string;
  created_at: Date;
  created_at_micros: number;
  revoked_at: Date | null;
}

const COLUMNS = `id, name, display, created_at, ${microsOf('created_at')} AS created_at_micros, revoked_at`;

function toApiKey(row: ApiKeyRow): ApiKey {
  return {
    id: row.id,
    name: row.name,
    display: row.display,
    createdAt: row.created_at,
    createdAtMicros: row.created_at_micros,
    revokedAt: row.revoked_at,
  };
}

export function hashApiKey(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** The part of a key that cannot be guessed: 40 characters of 62, 238 bits. */
export function newSecret(): string {
  return Array.from({ length: SECRET_CHARACTERS }, () => BASE62[randomInt(BASE62.length)]).join('');
}

const INSERT = `
  INSERT INTO api_keys (id, merchant_id, name, display, key_hash) VALUES ($1, $2, $3, $4, $5)
  RETURNING ${COLUMNS}`;

/** Issues a key of the merchant's world. `key` is in clear only here. */
export async function createApiKey(
  q: Queryable,
  owner: { merchantId: string; world: World; name: string },
): Promise<{ key: string; apiKey: ApiKey }> {
  const key = `hf_${owner.world}_${newSecret()}`;
  const values = [
    randomUUID(),
    owner.merchantId,
    owner.name,
    key.slice(0, DISPLAY_CHARACTERS),
    hashApiKey(key),
  ];
  const row = (await q.query<ApiKeyRow>(INSERT, values)).rows[0];
  if (row === undefined) throw new Error('the insert of an API key returned no row');
  return { key, apiKey: toApiKey(row) };
}

const FIND_OWNER = `
  SELECT m.id AS merchant_id, m.world, m.status, m.signing
  FROM api_keys k JOIN merchants m ON m.id = k.merchant_id
  WHERE k.key_hash = $1 AND k.revoked_at IS NULL`;

interface OwnerRow extends QueryResultRow {
  merchant_id: string;
  world: World;
  status: MerchantStatus;
  signing: SigningMode;
}

/** Whose key this is; undefined for one that does not exist or is revoked. */
export async function findKeyOwner(q: Queryable, keyHash: Buffer): Promise<KeyOwner | undefined> {
  const row = (await q.query<OwnerRow>(FIND_OWNER, [keyHash])).rows[0];
  if (row === undefined) return undefined;
  return { merchantId: row.merchant_id, world: row.world, status: row.status, signing: row.signing };
}

const LIST = `
  SELECT ${COLUMNS} FROM api_keys
  WHERE merchant_id = $1 AND ($2::bigint IS NULL OR (created_at, id) < (${sinceEpoch('$2')}, $3::uuid))
  ORDER BY created_at DESC, id DESC LIMIT $4`;

/** Newest first, revoked ones included. */
export async function listApiKeys(q: Queryable, merchantId: string, page: Page): Promise<ApiKey[]> {
  const values = [merchantId, page.after?.micros ?? null, page.after?.id ?? null, page.limit];
  return (await q.query<ApiKeyRow>(LIST, values)).rows.map(toApiKey);
}

// A second revocation keeps the time of the first.
const REVOKE = `
  UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE merchant_id = $1 AND id = $2
  RETURNING ${COLUMNS}`;

/** @returns the key, revoked; undefined when this merchant has no such key */
export async function revokeApiKey(
  q: Queryable,
  merchantId: string,
  keyId: string,
): Promise<ApiKey | undefined> {
  const row = (await q.query<ApiKeyRow>(REVOKE, [merchantId, keyId])).rows[0];
  return row === undefined ? undefined : toApiKey(row);
}
