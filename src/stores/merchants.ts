/** merchants: one row, one id per world; the two rows of one merchant share account_id. */
import { randomUUID } from 'node:crypto';
import type { QueryResultRow } from 'pg';
import type { World } from '../domain/channel';
import type { LateMoneyPolicy } from '../domain/late-money';
import { appendAdminAudit } from './admin-audit';
import type { AskedBy } from './admin-audit';
import type { Page } from './page';
import { microsOf, sinceEpoch } from './page';
import type { Queryable } from './postgres';
import type { SecretBox } from './secret-box';
import { newWebhookSecret } from './webhook-endpoints';

export const WEBHOOK_SECRET_PURPOSE = 'merchants.webhook_secret';

export type MerchantStatus = 'active' | 'suspended';

export interface Merchant {
  readonly id: string;
  readonly accountId: string;
  readonly world: World;
  readonly name: string;
  readonly tier: string;
  readonly status: MerchantStatus;
  readonly createdAt: Date;
  /** Creation in microseconds of Unix time: the place in a list. */
  readonly createdAtMicros: number;
}

interface MerchantRow extends QueryResultRow {
  id: string;
  account_id: string;
  world: World;
  name: string;
  tier: string;
  status: MerchantStatus;
  created_at: Date;
  created_at_micros: number;
}

const COLUMNS = `id, account_id, world, name, tier, status, created_at, ${microsOf('created_at')} AS created_at_micros`;

function toMerchant(row: MerchantRow): Merchant {
  return {
    id: row.id,
    accountId: row.account_id,
    world: row.world,
    name: row.name,
    tier: row.tier,
    status: row.status,
    createdAt: row.created_at,
    createdAtMicros: row.created_at_micros,
  };
}

const INSERT_BOTH_WORLDS = `
  INSERT INTO merchants (id, account_id, world, name, webhook_secret_sealed)
  VALUES ($1, $2, 'live', $3, $4), ($5, $2, 'test', $3, $6)
  RETURNING ${COLUMNS}`;

export interface CreatedMerchant {
  readonly accountId: string;
  readonly live: Merchant;
  readonly test: Merchant;
  /** The default webhook secrets, in clear only here. */
  readonly webhookSecrets: Readonly<Record<World, string>>;
}

/** Makes one merchant: an id in each world, each with a default webhook secret of its own. */
export async function createMerchant(q: Queryable, box: SecretBox, name: string): Promise<CreatedMerchant> {
  const accountId = randomUUID();
  const webhookSecrets = { live: newWebhookSecret(), test: newWebhookSecret() };
  const result = await q.query<MerchantRow>(INSERT_BOTH_WORLDS, [
    randomUUID(),
    accountId,
    name,
    box.seal(webhookSecrets.live, WEBHOOK_SECRET_PURPOSE),
    randomUUID(),
    box.seal(webhookSecrets.test, WEBHOOK_SECRET_PURPOSE),
  ]);
  const merchants = result.rows.map(toMerchant);
  const live = merchants.find((merchant) => merchant.world === 'live');
  const test = merchants.find((merchant) => merchant.world === 'test');
  if (live === undefined || test === undefined) throw new Error('the insert did not return both merchants');
  return { accountId, live, test, webhookSecrets };
}

const FIND = `SELECT ${COLUMNS} FROM merchants WHERE id = $1`;

export async function findMerchant(q: Queryable, id: string): Promise<Merchant | undefined> {
  const row = (await q.query<MerchantRow>(FIND, [id])).rows[0];
  return row === undefined ? undefined : toMerchant(row);
}

const LIST = `
  SELECT ${COLUMNS} FROM merchants
  WHERE $1::bigint IS NULL OR (created_at, id) < (${sinceEpoch('$1')}, $2::uuid)
  ORDER BY created_at DESC, id DESC LIMIT $3`;

/** Newest first. */
export async function listMerchants(q: Queryable, page: Page): Promise<Merchant[]> {
  const values = [page.after?.micros ?? null, page.after?.id ?? null, page.limit];
  return (await q.query<MerchantRow>(LIST, values)).rows.map(toMerchant);
}

const FIND_WEBHOOK_SECRET = `SELECT webhook_secret_sealed FROM merchants WHERE id = $1`;

/** The merchant's default webhook secret, opened. */
export async function loadWebhookSecret(
  q: Queryable,
  box: SecretBox,
  merchantId: string,
): Promise<string | undefined> {
  const result = await q.query<{ webhook_secret_sealed: string }>(FIND_WEBHOOK_SECRET, [merchantId]);
  const sealed = result.rows[0]?.webhook_secret_sealed;
  return sealed === undefined ? undefined : box.open(sealed, WEBHOOK_SECRET_PURPOSE);
}

/** What the merchant wants done with money that comes late. */
export async function readLateMoneyPolicy(q: Queryable, merchantId: string): Promise<LateMoneyPolicy> {
  const text = 'SELECT late_money FROM merchants WHERE id = $1';
  const row = (await q.query<{ late_money: LateMoneyPolicy }>(text, [merchantId])).rows[0];
  if (row === undefined) throw new Error(`there is no merchant ${merchantId}`);
  return row.late_money;
}

export async function setLateMoneyPolicy(
  q: Queryable,
  merchantId: string,
  policy: LateMoneyPolicy,
): Promise<void> {
  await q.query('UPDATE merchants SET late_money = $2 WHERE id = $1', [merchantId, policy]);
}

const SET_STATUS = `UPDATE merchants SET status = $2 WHERE id = $1 RETURNING ${COLUMNS}`;

/**
 * Suspends a merchant of one world, or lifts that. Within a transaction; doing it again changes nothing.
 * @returns undefined: there is no such merchant
 */
export async function setMerchantStatus(
  tx: Queryable,
  by: AskedBy,
  id: string,
  status: MerchantStatus,
): Promise<Merchant | undefined> {
  const before = (await tx.query<MerchantRow>(`${FIND} FOR NO KEY UPDATE`, [id])).rows[0];
  if (before === undefined || before.status === status) return before && toMerchant(before);
  const after = (await tx.query<MerchantRow>(SET_STATUS, [id, status])).rows[0] ?? before;
  const noted = { before: { status: before.status }, after: { status } };
  await appendAdminAudit(tx, { ...by, action: 'merchant.status', entityId: id, ...noted });
  return toMerchant(after);
}
