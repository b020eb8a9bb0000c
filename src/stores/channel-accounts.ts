/** channel_accounts: credentials and contract of one account at a channel, the platform's or a merchant's own. */
import { randomUUID } from 'node:crypto';
import type { QueryResultRow } from 'pg';
import type { ChannelAccount, ChannelContract, ChannelName, World } from '../domain/channel';
import { appendAdminAudit } from './admin-audit';
import type { AskedBy } from './admin-audit';
import type { Page } from './page';
import { microsOf, sinceEpoch } from './page';
import { isUniqueViolation } from './postgres';
import type { Queryable } from './postgres';
import type { SecretBox } from './secret-box';

export const CREDENTIALS_PURPOSE = 'channel_accounts.credentials';

/** An account without its credentials. */
export interface ChannelAccountSummary {
  readonly id: string;
  readonly channel: ChannelName;
  readonly world: World;
  readonly merchantId: string | null;
  readonly name: string;
  readonly contract: ChannelContract;
  /** false: another one may take its place. */
  readonly enabled: boolean;
  /** Not null: it takes nothing new, and nothing takes its place. */
  readonly switchedOffAt: Date | null;
  readonly createdAt: Date;
  readonly createdAtMicros: number;
}

export interface NewChannelAccount {
  readonly channel: ChannelName;
  readonly world: World;
  /** null: the platform's. */
  readonly merchantId: string | null;
  readonly name: string;
  readonly credentials: Readonly<Record<string, string>>;
  readonly contract: ChannelContract;
}

interface AccountRow extends QueryResultRow {
  id: string;
  channel: ChannelName;
  world: World;
  merchant_id: string | null;
  name: string;
  contract: ChannelContract;
  enabled: boolean;
  switched_off_at: Date | null;
  created_at: Date;
  created_at_micros: number;
}

const COLUMNS = `id, channel, world, merchant_id, name, contract, enabled, switched_off_at, created_at,
  ${microsOf('created_at')} AS created_at_micros`;

function toSummary(row: AccountRow): ChannelAccountSummary {
  return {
    id: row.id,
    channel: row.channel,
    world: row.world,
    merchantId: row.merchant_id,
    name: row.name,
    contract: row.contract,
    enabled: row.enabled,
    switchedOffAt: row.switched_off_at,
    createdAt: row.created_at,
    createdAtMicros: row.created_at_micros,
  };
}

const INSERT = `
  INSERT INTO channel_accounts (id, merchant_id, world, channel, name, credentials_sealed, contract)
  VALUES ($1, $2, $3, $4, $5, $6, $7)
  RETURNING ${COLUMNS}`;

/** @returns undefined when this owner has an enabled account of this channel and world already */
export async function createAccount(
  q: Queryable,
  box: SecretBox,
  account: NewChannelAccount,
): Promise<ChannelAccountSummary | undefined> {
  const sealed = box.seal(JSON.stringify(account.credentials), CREDENTIALS_PURPOSE);
  const { merchantId, world, channel, name } = account;
  const values = [randomUUID(), merchantId, world, channel, name, sealed, JSON.stringify(account.contract)];
  try {
    const row = (await q.query<AccountRow>(INSERT, values)).rows[0];
    if (row === undefined) throw new Error('the insert of a channel account returned no row');
    return toSummary(row);
  } catch (error) {
    if (isUniqueViolation(error, 'channel_accounts_one_enabled')) return undefined;
    throw error;
  }
}

const LIST = `
  SELECT ${COLUMNS} FROM channel_accounts
  WHERE $1::bigint IS NULL OR (created_at, id) < (${sinceEpoch('$1')}, $2::uuid)
  ORDER BY created_at DESC, id DESC LIMIT $3`;

/** Newest first, disabled ones included. */
export async function listAccounts(q: Queryable, page: Page): Promise<ChannelAccountSummary[]> {
  const values = [page.after?.micros ?? null, page.after?.id ?? null, page.limit];
  return (await q.query<AccountRow>(LIST, values)).rows.map(toSummary);
}

const FIND_FOR = `
  SELECT ${COLUMNS} FROM channel_accounts
  WHERE channel = $1 AND world = $2 AND enabled AND (merchant_id = $3 OR merchant_id IS NULL)
  ORDER BY merchant_id NULLS LAST LIMIT 1`;

/** The account of a new object of this merchant: its own, else the platform's; undefined when there is neither. It may be switched off. */
export async function findAccountFor(
  q: Queryable,
  who: { merchantId: string; world: World; channel: ChannelName },
): Promise<ChannelAccountSummary | undefined> {
  const row = (await q.query<AccountRow>(FIND_FOR, [who.channel, who.world, who.merchantId])).rows[0];
  return row === undefined ? undefined : toSummary(row);
}

const LOAD = `SELECT ${COLUMNS}, credentials_sealed FROM channel_accounts WHERE id = $1`;

/**
 * The account with its credentials opened, disabled ones included: a hold made while it was enabled is still captured
 * and released. undefined when there is no such account.
 */
export async function loadAccount(
  q: Queryable,
  box: SecretBox,
  id: string,
): Promise<ChannelAccount | undefined> {
  const row = (await q.query<AccountRow & { credentials_sealed: string }>(LOAD, [id])).rows[0];
  if (row === undefined) return undefined;
  const credentials = JSON.parse(box.open(row.credentials_sealed, CREDENTIALS_PURPOSE)) as Record<
    string,
    string
  >;
  const { channel, world, merchant_id: merchantId, contract } = row;
  return { id: row.id, channel, world, merchantId, credentials, contract };
}

/** Some megabytes of a process's memory. */
const MAX_IDS = 100_000;
const IDS = `SELECT id FROM channel_accounts ORDER BY created_at DESC, id DESC LIMIT ${MAX_IDS}`;

/** Ids of all accounts, disabled ones included; of the newest, where there are very many. */
export async function accountIds(q: Queryable): Promise<string[]> {
  return (await q.query<{ id: string }>(IDS, [])).rows.map(({ id }) => id);
}

const LOCK = `SELECT ${COLUMNS} FROM channel_accounts WHERE id = $1 FOR NO KEY UPDATE`;
const SWITCH = `
  UPDATE channel_accounts SET switched_off_at = CASE WHEN $2 THEN NULL ELSE now() END WHERE id = $1 RETURNING ${COLUMNS}`;

/**
 * Lets an account take new money again, or no longer: what it holds goes on. Within a transaction; doing it again changes
 * nothing.
 * @returns undefined: there is no such account
 */
export async function switchAccount(
  tx: Queryable,
  by: AskedBy,
  id: string,
  on: boolean,
): Promise<ChannelAccountSummary | undefined> {
  const before = (await tx.query<AccountRow>(LOCK, [id])).rows[0];
  if (before === undefined) return undefined;
  const wasOn = before.switched_off_at === null;
  if (wasOn === on) return toSummary(before);
  const after = (await tx.query<AccountRow>(SWITCH, [id, on])).rows[0] ?? before;
  const noted = { before: { on: wasOn }, after: { on } };
  await appendAdminAudit(tx, { ...by, action: 'channel-account.switch', entityId: id, ...noted });
  return toSummary(after);
}
