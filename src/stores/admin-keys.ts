/** admin_keys: the keys of operators. A key is shown once when it is made; only its SHA-256 and its first characters are kept. */
import { randomUUID } from 'node:crypto';
import type { AdminRole } from '../domain/admin-role';
import { appendAdminAudit } from './admin-audit';
import type { AskedBy } from './admin-audit';
import { hashApiKey, newSecret } from './api-keys';
import { pageSql, pageValues } from './page';
import type { Listed, Page } from './page';
import type { Queryable } from './postgres';
import { isUniqueViolation } from './postgres';

/** What an operator's key looks like. */
export const ADMIN_KEY = /^hf_admin_[0-9A-Za-z]{40}$/;
/** So many may work at once. */
export const MAX_ADMIN_KEYS = 200;

const DISPLAY_CHARACTERS = 13;

export interface AdminKeyRow {
  readonly id: string;
  readonly name: string;
  readonly role: AdminRole;
  readonly display: string;
  readonly created_by: string;
  readonly created_at: Date;
  readonly revoked_at: Date | null;
  readonly revoked_by: string | null;
}

export interface AdminKeyOwner {
  readonly keyId: string;
  readonly name: string;
  readonly role: AdminRole;
}

const COLUMNS = 'id, name, role, display, created_by, created_at, revoked_at, revoked_by';

const LOCK = 'LOCK TABLE admin_keys IN SHARE ROW EXCLUSIVE MODE';
const COUNT = 'SELECT count(*)::int AS n FROM admin_keys WHERE revoked_at IS NULL';
const INSERT = `
INSERT INTO admin_keys (id, name, role, display, key_hash, created_by) VALUES ($1, $2, $3, $4, $5, $6)
RETURNING ${COLUMNS}`;

export type CreatedAdminKey = { readonly key: string; readonly row: AdminKeyRow } | 'name_taken' | 'too_many';

/** Issues a key. `key` is in clear only here. Within a transaction, which a taken name has spoilt. */
export async function createAdminKey(
  tx: Queryable,
  by: AskedBy,
  { name, role }: { readonly name: string; readonly role: AdminRole },
): Promise<CreatedAdminKey> {
  await tx.query(LOCK, []);
  const present = (await tx.query<{ n: number }>(COUNT, [])).rows[0]?.n ?? 0;
  if (present >= MAX_ADMIN_KEYS) return 'too_many';
  const key = `hf_admin_${newSecret()}`;
  const values = [randomUUID(), name, role, key.slice(0, DISPLAY_CHARACTERS), hashApiKey(key), by.actor];
  try {
    const row = (await tx.query<AdminKeyRow>(INSERT, values)).rows[0];
    if (row === undefined) throw new Error('the insert of an admin key returned no row');
    const after = { name, role };
    await appendAdminAudit(tx, { ...by, action: 'key.create', entityId: row.id, after });
    return { key, row };
  } catch (error) {
    if (isUniqueViolation(error, 'admin_keys_one_name')) return 'name_taken';
    throw error;
  }
}

const FIND = 'SELECT id AS "keyId", name, role FROM admin_keys WHERE key_hash = $1 AND revoked_at IS NULL';

/** Whose key this is; undefined for one that does not exist or is revoked. */
export async function findAdminKey(q: Queryable, keyHash: Buffer): Promise<AdminKeyOwner | undefined> {
  return (await q.query<AdminKeyOwner>(FIND, [keyHash])).rows[0];
}

const LIST = pageSql({ table: 'admin_keys', columns: COLUMNS, id: 'id' }, 'true', 0);

/** Newest first, revoked ones included. */
export async function listAdminKeys(q: Queryable, page: Page): Promise<Listed<AdminKeyRow>[]> {
  return (await q.query<Listed<AdminKeyRow>>(LIST, pageValues(page))).rows;
}

const REVOKE = `
UPDATE admin_keys SET revoked_at = now(), revoked_by = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING ${COLUMNS}`;
const READ = `SELECT ${COLUMNS} FROM admin_keys WHERE id = $1`;

/** Within a transaction. A second revocation changes nothing. @returns undefined: there is no such key */
export async function revokeAdminKey(
  tx: Queryable,
  by: AskedBy,
  keyId: string,
): Promise<AdminKeyRow | undefined> {
  const row = (await tx.query<AdminKeyRow>(REVOKE, [keyId, by.actor])).rows[0];
  if (row === undefined) return (await tx.query<AdminKeyRow>(READ, [keyId])).rows[0];
  const before = { name: row.name, role: row.role };
  await appendAdminAudit(tx, { ...by, action: 'key.revoke', entityId: keyId, before });
  return row;
}
